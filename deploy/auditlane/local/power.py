"""Whether the machine went down while a stack ran: processes that are killed lose nothing, a loss of power may."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """What tells this start of the machine from every other; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return ""


def was_lost(state: Mapping[str, Any], boot_id: str) -> bool:
    """Whether the stack that wrote this state was ended by its machine, at some time since its last orderly stop.

    `boot_id` is this start of the machine.
    """
    if state.get("phase") not in ("running", "stopping"):
        return False
    before = state.get("boot")
    return bool(state.get("power_lost")) or bool(before and boot_id and before != boot_id)
