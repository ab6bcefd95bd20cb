"""Finds the sets of processes that have ended, and takes over the oldest one."""

from __future__ import annotations

import contextlib
import logging
import time
from pathlib import Path
from typing import Final

from auditlane.sdk.logs import log_later
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.losses import killed
from auditlane.sdk.spool.owner_file import OwnerFile
from auditlane.sdk.spool.record_set import SEGMENT, NewerVersion, RecordSet

_UNOWNED_S: Final = (
    60.0  # minimum age of a set without an owner file to be taken over, since its process ended while creating it
)


class Adoption:
    """Looks for abandoned sets in a folder. Only one thread may use it."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._refused: set[Path] = set()  # sets reported as unusable

    def oldest(self, own: Path | None) -> RecordSet | None:
        """Lock and return the oldest set whose process has ended, and the total size in bytes of all sets except
        `own`.
        """
        for path in folder.sets(self._parent):
            if path != own and (found := self._adopted(path)) is not None:
                return found
        return None

    def size(self, own: Path | None) -> int:
        """Return the size in bytes of all sets except `own`."""
        return sum(folder.size(path) for path in folder.sets(self._parent) if path != own)

    def _adopted(self, path: Path) -> RecordSet | None:
        owner = None
        try:
            owner = OwnerFile.adopt(path) or _without_owner(path)
            if owner is None:
                return None
            adopted, nth = RecordSet.adopt(path, owner)
            owner.correct_spilled(nth)
            if losses := killed(owner.unsettled()):
                adopted.losses["killed"] = losses
            return adopted
        except NewerVersion:
            self._refuse(
                path, "was written by a newer version of auditlane. Upgrade this service to deliver its events"
            )
        except PermissionError:
            self._refuse(path, "belongs to another user. Run the services that share a spool as one user")
        except OSError as error:
            self._refuse(path, f"cannot be read: {error.strerror}")
        if owner is not None:
            owner.close()
        return None

    def _refuse(self, path: Path, why: str) -> None:
        """Log that a set is left in place, once for each set."""
        if path not in self._refused:
            self._refused.add(path)
            log_later(logging.ERROR, "The spooled events in %s are not delivered: the folder %s.", path, why)


def _without_owner(path: Path) -> OwnerFile | None:
    """Create and return an owner file for a set without one, or return None if its process may still be creating it."""
    if (path / "owner").exists() or time.time() - path.stat().st_mtime < _UNOWNED_S:
        return None
    if not any(path.glob(f"*{SEGMENT}")):
        for file in path.iterdir():
            file.unlink(missing_ok=True)
        path.rmdir()
        return None
    with contextlib.suppress(FileNotFoundError):
        (path / "owner.new").unlink()
    return OwnerFile.create(path)
