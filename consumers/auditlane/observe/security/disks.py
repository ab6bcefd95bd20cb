"""Findings about the disks of this machine's data folders and of ClickHouse."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditlane.observe.security.files import paths
from auditlane.observe.security.findings import Finding, Rule, Severity
from auditlane.runtime.settings import Settings

_FULL_BYTES: Final = 1 << 30
_FULL_SHARE: Final = 0.02
_FILLING_SHARE: Final = 0.1

FULL: Final = Rule(
    "disk-full",
    Severity.high,
    "Without space, inserts fail and audit events that wait in files are lost.",
    "Free space on the disk, or extend it.",
)
FILLING: Final = Rule(
    "disk-filling",
    Severity.low,
    "Without space, inserts fail and audit events that wait in files are lost.",
    "Free space on the disk, or extend it.",
)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk with its `free` and `total` bytes."""

    name: str
    free: int
    total: int


def judge(disks: Iterable[Disk]) -> Iterator[Finding]:
    """Yield a finding for each disk that has less than 1 GiB or 2 % free space, and for each that has less than 10
    %.
    """
    for disk in disks:
        left = f"{disk.name} has {disk.free / (1 << 30):,.1f} GiB free ({disk.free / disk.total:.0%})."
        if disk.free < min(_FULL_BYTES, disk.total // 2) or disk.free < disk.total * _FULL_SHARE:
            yield FULL.found(left)
        elif disk.free < disk.total * _FILLING_SHARE:
            yield FILLING.found(left)


def local(settings: Settings) -> list[Disk]:
    """Return the distinct disks of the data folders in the settings. Folders that do not exist are ignored."""
    found: dict[int, Disk] = {}
    for _, path in paths(settings):
        folder = path if path.is_dir() else path.parent
        if folder.is_dir():
            usage = shutil.disk_usage(folder)
            found.setdefault(folder.stat().st_dev, Disk(f"The disk of {_shown(folder)}", usage.free, usage.total))
    return list(found.values())


def _shown(folder: Path) -> str:
    return str(folder.absolute())
