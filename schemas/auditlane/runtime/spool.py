"""Keeps unsent records in files, so that a process can send them later.

A record is appended durably and may be sent more than once, so its consumer must deduplicate by the record's own id.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from auditlane.runtime.ids import uuid7

BATCH: Final = 500  # number of records per `send` call
_SUFFIX: Final = ".spool"

Send = Callable[[Sequence[bytes]], bool]
"""Sends records. Returns True if all of them were delivered, so that the spool need not keep them any longer."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The result of a drain. `damaged` counts invalid lines, including a last line that was cut off by a crash."""

    sent: int = 0
    damaged: int = 0
    complete: bool = True


class Spool(Protocol):
    """Stores records until they can be sent. Thread-safe."""

    def append(self, records: Sequence[bytes]) -> int:
        """Append the records in order, durably, and return how many of them fit.

        If this raises OSError, none of the records is kept.
        """
        ...

    def drain(self, send: Send) -> Drained:
        """Send the waiting records, including those of processes that have exited.

        Records are removed once `send` returns true.
        """
        ...

    def size(self) -> int:
        """Return the total size of the waiting records in bytes."""
        ...

    def release(self) -> None:
        """Make the records appended so far available to any process that drains."""
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

    def release(self) -> None:
        """Do nothing."""


class FileSpool:
    """A spool with one file per process, in a `folder` that processes and replicas share.

    Each process locks the file that it writes, and any process may drain an unlocked file.

    A line is the record's CRC-32 in hexadecimal, a space, and the record, which must not contain a line break. Files
    are readable only by their owner.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """Set the folder, which is created when first needed. `most_bytes` limits the total size of its files."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._descriptor = -1  # descriptor of the file that this process writes; -1 if none is open

    def append(self, records: Sequence[bytes]) -> int:
        """See Spool."""
        with self._lock:
            return self._append(records)

    def _append(self, records: Sequence[bytes]) -> int:
        room = self._most_bytes - self.size()
        lines: list[bytes] = []
        for record in records:
            line = _line(record)
            room -= len(line)
            if room < 0:
                break
            lines.append(line)
        if lines:
            self._write(b"".join(lines))
        return len(lines)

    def drain(self, send: Send) -> Drained:
        """Send the waiting records, as described in Spool. The drain ends at the first file that `send` does not
        deliver completely, and the next drain starts with that file.

        Raises OSError.
        """
        self.release()
        sent = damaged = 0
        for path in self._files():
            with _locked(path) as file:
                if file is None:
                    continue
                for records, bad in _batches(file):
                    if records and not send(records):
                        return Drained(sent, damaged, complete=False)
                    sent, damaged = sent + len(records), damaged + bad
                path.unlink(missing_ok=True)
        return Drained(sent, damaged)

    def size(self) -> int:
        """See Spool."""
        total = 0
        for path in self._files():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def _files(self) -> list[Path]:
        try:
            return sorted(self._folder.glob(f"*{_SUFFIX}"))
        except OSError:
            return []

    def _write(self, data: bytes) -> None:
        if self._descriptor < 0:
            self._descriptor = self._opened()
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fsync(self._descriptor)
        except OSError:
            with contextlib.suppress(OSError):  # on a full disk, remove the incomplete record
                os.ftruncate(self._descriptor, end)
            raise

    def _opened(self) -> int:
        """Create a file. It gets its final name only once it is locked, so that no other process drains it first."""
        if not self._folder.exists():
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _give(self._folder, like=self._folder.parent)
        path = self._folder / f"{uuid7()}{_SUFFIX}"
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _give(descriptor, like=self._folder)
            hidden.rename(path)
            _sync(self._folder)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def release(self) -> None:
        """Unlock this process's file, as described in Spool."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


def _line(record: bytes) -> bytes:
    if b"\n" in record:
        raise ValueError("A record must not contain a line break.")
    return b"%08x %s\n" % (zlib.crc32(record), record)


def _batches(file: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """Yield the file's records in batches, each with its number of damaged lines."""
    records: list[bytes] = []
    damaged = 0
    for line in file:
        record = line[9:-1]
        if line.endswith(b"\n") and line[:9] == b"%08x " % zlib.crc32(record):
            records.append(record)
        else:
            damaged += 1
        if len(records) == BATCH:
            yield records, damaged
            records, damaged = [], 0
    yield records, damaged


@contextmanager
def _locked(path: Path) -> Iterator[BinaryIO | None]:
    """Open and lock the file. Yields None if it no longer exists, or if another process is writing or draining it."""
    try:
        file = path.open("r+b")
    except OSError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.fstat(file.fileno()).st_nlink > 0  # otherwise, another process has just drained it
        except OSError:
            free = False
        yield file if free else None


def _give(what: Path | int, *, like: Path) -> None:
    """Give the file the same owner as another path, if permitted, so that the service can send records written by
    root.
    """
    owner = like.stat()
    with contextlib.suppress(PermissionError):
        os.chown(what, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    """Sync the folder to disk, so that new names in it are durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
