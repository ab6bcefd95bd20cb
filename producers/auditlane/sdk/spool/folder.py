"""The spool folder, which a service's processes share. Each process that wrote events has a subfolder, called a set."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import ConfigError

_SUFFIX: Final = ".set"
DAMAGED: Final = "damaged"  # folder for bytes that could not be read
REJECTED: Final = "rejected"  # folder for events that Kafka or the gateway has rejected
_MOUNTS: Final = Path("/proc/self/mountinfo")
_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.")


def check(folder: Path) -> None:
    """Create the folder if it is missing. Raises ConfigError if the process cannot use it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".check-{os.urandom(8).hex()}"
        probe.mkdir(mode=0o700)
        probe.rmdir()
    except OSError as error:
        raise ConfigError(
            f"User {os.geteuid()} cannot create files in the spool folder {folder}: {error.strerror}.",
            field="spool_dir",
            fix="Create the folder, and make it writable for the service's user.",
        ) from error
    with contextlib.suppress(OSError):
        if kind := network_file_system(_MOUNTS.read_text(), str(folder.resolve())):
            raise ConfigError(
                f"The spool folder {folder} is on a network file system ({kind}), whose locks and mapped files are "
                "not reliable when a host or the network fails.",
                field="spool_dir",
                fix="Use a folder on a local disk or on a volume that one host mounts at a time.",
            )


def network_file_system(mounts: str, path: str) -> str:
    """Return the type of the network file system that contains a path, or "" if the file system is local.

    `mounts` has the format of /proc/self/mountinfo.
    """
    longest, kind = -1, ""
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        if len(parts := left.split(" ")) < 5 or not right:
            continue
        at = parts[4].replace("\\040", " ").rstrip("/")
        if (path == at or path.startswith(at + "/")) and len(at) >= longest:
            longest, kind = len(at), right.split(" ")[0]
    return kind if kind.startswith(_NETWORK) else ""


def create_set(folder: Path) -> Path:
    """Create and return a new set's folder. Its name is random, after a prefix with the time. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = folder / f"{time.time_ns() // 1_000_000:012x}-{os.urandom(8).hex()}{_SUFFIX}"
    made.mkdir(mode=0o700)
    return made


def sets(folder: Path) -> list[Path]:
    """Return all sets' folders, oldest first."""
    try:
        return sorted(folder.glob(f"*{_SUFFIX}"))
    except OSError:
        return []


def size(path: Path) -> int:
    """Return the total size of a set's files in bytes."""
    total = 0
    with contextlib.suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                total += entry.stat().st_size
    return total


def count_set_aside(folder: Path) -> int:
    """Return the number of files in the subfolders DAMAGED and REJECTED."""
    count = 0
    for kind in (DAMAGED, REJECTED):
        with contextlib.suppress(OSError), os.scandir(folder / kind) as entries:
            count += sum(1 for _ in entries)
    return count


def set_aside(folder: Path, kind: str, name: str, data: bytes) -> None:
    """Save bytes in a file with this name, in the subfolder DAMAGED or REJECTED, if there is space."""
    with contextlib.suppress(OSError):
        (folder / kind).mkdir(mode=0o700, exist_ok=True)
        (folder / kind / name).write_bytes(data)
