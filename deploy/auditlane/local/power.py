"""Detects whether the machine went down while a stack was running. Killed processes lose no data, but a power loss
may.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the id of the machine's current boot, or an empty string if the system provides none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def was_lost(state: Mapping[str, Any], boot_id: str) -> bool:
    """Return whether the machine went down since the last orderly stop of the stack that wrote this state.

    `boot_id` identifies the machine's current boot.
    """
    if state.get("phase") not in ("running", "stopping"):
        return False
    before = state.get("boot")
    return bool(state.get("power_lost")) or bool(before and boot_id and before != boot_id)
