"""Spools audit events to files, so that any process whose sink uses the same folder can send them.

The files are those of the SDK's spool. An event is stored as JSON, since it is encoded and signed when it is sent.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from auditlane.contract.event import AuditEvent
from auditlane.runtime.settings import Settings
from auditlane.sdk.spool import folder as spool_folders
from auditlane.sdk.spool.adoption import Adoption
from auditlane.sdk.spool.frames import HEADER_BYTES, Record, frame
from auditlane.sdk.spool.own_set import OwnSet
from auditlane.sdk.spool.record_set import SEGMENT, RecordSet, Segment

BATCH: Final = 500  # number of records per `send` call
FRAME_BYTES: Final = len(frame(Record(1, 0, 0, "", "", "", b"", b""), 0))  # size of a record besides its content
_SEGMENT_BYTES: Final = 4 << 20

Send = Callable[[Sequence[bytes]], bool]
"""Sends records. Returns True if all of them were delivered, so that the spool need not keep them any longer."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain. `damaged` counts records that could not be read."""

    sent: int = 0
    damaged: int = 0
    complete: bool = True


class Spool(Protocol):
    """Stores records until they can be sent. Thread-safe."""

    def append(self, records: Sequence[bytes]) -> int:
        """Append the records in order, durably, and return how many of them were kept.

        Raises OSError if none was kept, or if they might not survive a power failure.
        """
        ...

    def drain(self, send: Send) -> Drained:
        """Send the waiting records, including those of processes that have exited.

        Records are removed once `send` returns true. A record may be sent more than once.
        """
        ...

    def size(self) -> int:
        """Return the total size of the waiting records in bytes."""
        ...


class NoSpool:
    """A spool that accepts no records."""

    def append(self, records: Sequence[bytes]) -> int:
        """Discard the records, and return 0."""
        return 0

    def drain(self, send: Send) -> Drained:
        """Send nothing."""
        return Drained()

    def size(self) -> int:
        """Return 0."""
        return 0


class FileSpool:
    """A spool in a `folder` that processes and replicas share. Each process writes a set of files of its own."""

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Set the folder, which is created when first needed. `most_bytes` limits the total size of its records."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._own: OwnSet | None = None
        self._adoption = Adoption(folder)

    def append(self, records: Sequence[bytes]) -> int:
        """See Spool."""
        with self._lock:
            room = self._most_bytes - self.size() - (HEADER_BYTES if self._own is None else 0)
            kept = 0
            for record in records:
                room -= len(record) + FRAME_BYTES
                if room < 0:
                    break
                try:
                    self._append(record)
                except OSError:
                    if not kept:
                        raise
                    break
                kept += 1
            if kept and self._own is not None:
                self._own.sync()
                _give(self._own.path, like=self._folder)
            return kept

    def drain(self, send: Send) -> Drained:
        """Send the waiting records, as described in Spool. The drain ends at the first batch that `send` does not
        deliver, and the next drain starts with it.

        Raises OSError.
        """
        sent = damaged = 0
        while (found := self._adoption.oldest(self._own.path if self._own is not None else None)) is not None:
            try:
                done, complete = self._sent(found, send)
                sent, damaged = sent + done, damaged + _taken_losses(found)
            finally:
                found.leave()
            if not complete:
                return Drained(sent, damaged, complete=False)
        if (own := self._own) is None:
            return Drained(sent, damaged)
        done, complete = self._sent(own, send)
        with self._lock:
            damaged += _taken_losses(own)
            own.reclaim()
            if not own.ledger.open:
                self._own = None
                own.leave()
        return Drained(sent + done, damaged, complete)

    def size(self) -> int:
        """See Spool."""
        total = 0
        for path in spool_folders.sets(self._folder):
            for segment in path.glob(f"*{SEGMENT}"):
                with contextlib.suppress(OSError):
                    total += segment.stat().st_size
        return total

    def release(self) -> None:
        """Leave the records to any process that drains."""
        with self._lock:
            if self._own is not None:
                self._own.leave()
                self._own = None

    def _append(self, record: bytes) -> None:
        if self._own is None:
            if not self._folder.exists():
                self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                _give(self._folder, like=self._folder.parent)
            self._own = OwnSet.create(self._folder, segment_bytes=_SEGMENT_BYTES, syncs=True)
        now_us = time.time_ns() // 1_000
        self._own.append("", "", "", b"", record, (), now_us, waiting=True, unencoded=True)

    def _sent(self, source: RecordSet, send: Send) -> tuple[int, bool]:
        """Send the records that a set contains now. Returns their number, and whether all of them were delivered."""
        sent, last = 0, source.ledger.last
        while True:
            with self._lock:
                batch = _batch(source, last)
            if not batch:
                return sent, True
            delivered = False
            try:
                delivered = send([record.value for _, record in batch])
            finally:
                with self._lock:
                    for segment, record in batch:
                        if delivered:
                            source.done(record.number, segment)
                        else:
                            source.failed(record.number, segment, record.emitted_us)
            if not delivered:
                return sent, False
            sent += len(batch)


def spool_folder(settings: Settings) -> Path | None:
    """Return the folder for spooled events, or None if no setting determines it."""
    if settings.trail_spool_dir:
        return settings.trail_spool_dir
    return settings.signing_keys_file.parent / "trail" if settings.signing_keys_file else None


def spool_of(settings: Settings, *, beyond: int = 0) -> Spool:
    """Return the spool in the settings' folder, with the settings' limit plus `beyond` bytes."""
    folder = spool_folder(settings)
    return FileSpool(folder, most_bytes=settings.trail_spool_bytes + beyond) if folder else NoSpool()


def spool_events(settings: Settings, events: Sequence[AuditEvent]) -> int:
    """Spool events, which a process with a sink, such as `serve`, sends later. Returns the number of events that fit.
    Raises OSError.
    """
    folder = spool_folder(settings)
    if folder is None:
        return 0
    spool = FileSpool(folder, most_bytes=settings.trail_spool_bytes)
    try:
        return spool.append([record_of(event) for event in events])
    finally:
        spool.release()


def record_of(event: AuditEvent) -> bytes:
    """Serialize an event for the spool."""
    return event.model_dump_json(exclude={"fields"}).encode()


def _batch(source: RecordSet, last: int) -> list[tuple[Segment, Record]]:
    """Return up to BATCH waiting records with numbers up to `last`, in order."""
    batch: list[tuple[Segment, Record]] = []
    while len(batch) < BATCH and (found := source.next_waiting()) is not None and found[1].number <= last:
        segment, record = found
        source.sent(record.number, segment)
        batch.append(found)
    return batch


def _taken_losses(source: RecordSet) -> int:
    """Return the number of records that could not be read, and forget about them."""
    lost = 0
    for name, losses in list(source.losses.items()):
        lost += sum(loss.count for loss in losses)
        source.reported(name)
    return lost


def _give(path: Path, *, like: Path) -> None:
    """Give a folder and its files the same owner as another path, if permitted, so that the service can send records
    written by root.
    """
    owner = like.stat()
    for given in (path, *path.iterdir()):
        if given.stat().st_uid != owner.st_uid:
            with contextlib.suppress(PermissionError):
                os.chown(given, owner.st_uid, owner.st_gid)
