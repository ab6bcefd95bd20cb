"""Tunes the garbage collector of a long-running process."""

from __future__ import annotations

import gc
from typing import Final

GC_OBJECTS: Final = 100_000  # new objects between two collections


def freeze() -> None:
    """Call after start-up. Moves existing objects to the permanent generation and raises the GC threshold.

    Scanning every 700 allocations costs a fifth of the gateway's CPU.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_OBJECTS)
