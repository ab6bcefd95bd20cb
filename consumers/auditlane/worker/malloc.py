"""One heap for Python, Arrow and librdkafka, whose buffers of some ten megabytes follow one another.

Each by itself keeps what it freed for its own next buffer; glibc gives each thread a heap besides. Together they held
twice of what was in use.
"""

from __future__ import annotations

import ctypes
from typing import Final

from auditlane.runtime._pyarrow import pa

_TRIM_THRESHOLD: Final = -1, 256 << 20  # give memory back when so much at the heap's end is free
_MMAP_THRESHOLD: Final = -3, 32 << 20  # glibc's largest: a buffer below it takes pages that are there already
_ARENA_MAX: Final = -8, 1


def use_shared_arena() -> None:
    """Once, before threads are started. Where the C library is not glibc, only Arrow's part is done."""
    pa.set_memory_pool(pa.system_memory_pool())
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in (_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX):
            mallopt(option, value)
