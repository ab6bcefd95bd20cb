"""Records that could not be sent, kept in files until a process sends them.

A record is appended durably and may be sent more than once, so what reads it must know it by an id of its own.
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

BATCH: Final = 500  # records that are sent together
_SUFFIX: Final = ".spool"

Send = Callable[[Sequence[bytes]], bool]
"""Sends records; true when they are where they belong, every one, so that the file need not be kept for them."""


@dataclass(frozen=True, slots=True)
class Drained:
    """What a drain came to. `damaged` lines were no records: one at the end of a file is what a crash cut short."""

    sent: int = 0
    damaged: int = 0
    complete: bool = True


class Spool(Protocol):
    """Where records wait. Thread-safe."""

    def append(self, records: Sequence[bytes]) -> int:
        """Keep the records, in their order; returns how many there was room for. Durable when it returns.

        Raises OSError: then none of them is kept.
        """
        ...

    def drain(self, send: Send) -> Drained:
        """Send what waits, also what other processes left. A record is gone once `send` said that it took it."""
        ...

    def size(self) -> int:
        """Bytes that wait."""
        ...


class NoSpool:
    """Keeps nothing."""

    def append(self, records: Sequence[bytes]) -> int:
        """There is room for none."""
        return 0

    def drain(self, send: Send) -> Drained:
        """There is nothing."""
        return Drained()

    def size(self) -> int:
        """Nothing waits."""
        return 0


class FileSpool:
    """One file a process in `folder`, which processes and replicas share: each holds the lock of the file that it
    writes, and a file without a locker is anybody's to drain.

    A line is a CRC-32 of the record in hexadecimal, a space, and the record, which holds no line break. Files are
    readable by their owner alone.
    """

    def __init__(self, folder: Path, *, most_bytes: int) -> None:
        """`most_bytes` bounds all files of the folder together. The folder is made when it is needed."""
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._descriptor = -1  # of the file that this process writes

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
        """See Spool. Ends at the first file that `send` did not take whole; the next drain begins with it.

        Raises OSError.
        """
        self._release()
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
            with contextlib.suppress(OSError):  # a disk that is full: half a record is none
                os.ftruncate(self._descriptor, end)
            raise

    def _opened(self) -> int:
        """A new file, which has its name only once it is locked: nobody drains it before."""
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

    def _release(self) -> None:
        """From now on the file of this process is as everybody's."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1


def _line(record: bytes) -> bytes:
    if b"\n" in record:
        raise ValueError("A record has no line break.")
    return b"%08x %s\n" % (zlib.crc32(record), record)


def _batches(file: BinaryIO) -> Iterator[tuple[list[bytes], int]]:
    """The records of a file, some at a time, each with how many lines beside them are none."""
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
    """The file; None when it is gone, or another process writes or drains it."""
    try:
        file = path.open("r+b")
    except OSError:
        yield None
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = os.fstat(file.fileno()).st_nlink > 0  # else somebody drained it just now
        except OSError:
            free = False
        yield file if free else None


def _give(what: Path | int, *, like: Path) -> None:
    """To the owner of another path, where we may: what root wrote is for the service to send."""
    owner = like.stat()
    with contextlib.suppress(PermissionError):
        os.chown(what, owner.st_uid, owner.st_gid)


def _sync(folder: Path) -> None:
    """Make a new name in the folder durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
