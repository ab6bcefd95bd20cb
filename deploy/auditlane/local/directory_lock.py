"""Locks a service's data directory, so that only one process at a time uses it."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO

from auditlane.runtime.errors import AlreadyRunning, PartFailed


def lock_directory(data: Path, service: str) -> IO[str]:
    """Create the directory and lock it until the returned file is closed or the process ends.

    `service` names the service in error messages. Raises PartFailed or AlreadyRunning.
    """
    try:
        data.mkdir(parents=True, exist_ok=True)
        data.chmod(0o700)  # it may contain every tenant's events
        lock = (data / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise PartFailed(f"{service} cannot use {data}: {error}", fix="Pass a writable folder.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise AlreadyRunning(f"Another {service} uses {data}.", fix="Stop it, or pass another --data.") from error
    return lock
