"""The set to which this process writes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import time
from pathlib import Path
from typing import Final

from auditlane.runtime.files import sync_folder
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.frames import HEADER_BYTES, frame, header
from auditlane.sdk.spool.owner_file import OwnerFile
from auditlane.sdk.spool.record_set import SEGMENT, RecordSet, Segment

_REUSED_BYTES: Final = 65_536  # minimum size of a file to be emptied once all of its records are done
_SLOW_S: Final = 0.005  # duration of a write after which the next ones release the interpreter's lock
_STALLED_S: Final = 0.05  # the same for a write that releases it, which may also wait for the lock
_RELEASED_S: Final = 1.0  # for how long they do
_sync = getattr(os, "fdatasync", os.fsync)
# Like os.write, but keeps the interpreter's lock.
_write_at_once = ctypes.PyDLL(None).write
_write_at_once.argtypes = ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t
_write_at_once.restype = ctypes.c_ssize_t


class OwnSet(RecordSet):
    """The set to which this process writes. The caller must hold a lock. A signal handler that interrupts `append` may
    call only `append(…, alone=True)`.
    """

    def __init__(self, path: Path, owner: OwnerFile, *, segment_bytes: int, syncs: bool) -> None:
        super().__init__(path, owner)
        self._segment_bytes = segment_bytes
        self._syncs = syncs
        self._active: Segment | None = None
        self._descriptor = -1  # the active segment's file descriptor
        self._numbered = 0  # records
        self._created = 0  # segments
        self._released_until = 0.0  # monotonic time until which writes release the interpreter's lock
        self.dirty = False  # whether records were written since the last `sync`

    @classmethod
    def create(cls, parent: Path, *, segment_bytes: int, syncs: bool) -> OwnSet:
        """Create a set. With `syncs`, files are synced on creation and when full. Raises OSError."""
        path = folder.create_set(parent)
        made = cls(path, OwnerFile.create(path), segment_bytes=segment_bytes, syncs=syncs)
        if syncs:
            sync_folder(parent)
        return made

    def append(
        self,
        tenant: str,
        event_id: str,
        topic: str,
        key: bytes,
        value: bytes,
        headers: tuple[tuple[str, bytes], ...],
        emitted_us: int,
        nth: int = 0,
        alone: bool = False,
        waiting: bool = False,
        unencoded: bool = False,
    ) -> tuple[int, Segment]:
        """Write a record, and return its number and segment. With `alone`, it is written to a separate segment.

        If this raises OSError, nothing was written.
        """
        number = self._numbered = self._numbered + 1  # one statement, so that a signal handler cannot take the number
        data = frame((number, nth, emitted_us, tenant, event_id, topic, key, value, headers, unencoded), self.seed)
        if alone:
            segment = self._written_alone(data)
        else:
            active, size = self._active, len(data)
            if active is not None and active.open and active.size + size <= self._segment_bytes:
                segment = active
            else:
                segment = self._prepared(size)
            try:
                self._write(data)
            except OSError:
                with contextlib.suppress(OSError):
                    self.seal()  # nothing may follow an incomplete record
                raise
            segment.size += size
            self.size += size
            self.dirty = True
        self.ledger.add(number, waiting)
        segment.add(number, emitted_us, waiting)
        return number, segment

    def _write(self, data: bytes) -> None:
        """Append all bytes to the active segment, or none of them. Raises OSError.

        The write takes about a microsecond, since it only copies the bytes to the kernel. If it released the
        interpreter's lock, the delivery's thread would often get the lock, and `emit` would have to wait for it. If the
        disk is so slow that the kernel makes writers wait, the next writes release the lock until the disk is fast
        again, so that other threads can run.
        """
        began = time.monotonic()
        if released := began < self._released_until:
            _append(self._descriptor, data)
        else:
            written = _write_at_once(self._descriptor, data, len(data))
            if written < len(data):  # os.write raises the error
                _append(self._descriptor, data, max(written, 0))
        ended = time.monotonic()
        if ended - began > (_STALLED_S if released else _SLOW_S):
            self._released_until = ended + _RELEASED_S

    def seal(self) -> None:
        """Make the next record start a new segment. Raises OSError."""
        if self._active is None:
            return
        try:
            if self._syncs and self.dirty:
                self.sync()
        finally:
            descriptor, self._descriptor = self._descriptor, -1
            self._active.sealed = True
            self._active = None
            os.close(descriptor)

    def sync(self) -> None:
        """Sync the active segment to disk. Raises OSError."""
        self.dirty = False
        if self._descriptor >= 0:
            _sync(self._descriptor)

    def duplicate(self) -> int:
        """Return a duplicate descriptor of the active segment, which can be synced without the lock. Returns -1 if
        there is no segment.
        """
        return os.dup(self._descriptor) if self._descriptor >= 0 else -1

    def leave(self) -> None:
        """Unlock the set, and delete its files if it is empty."""
        self.close_inherited()
        super().leave()

    def close_inherited(self) -> None:
        """Close the active segment in a forked child, while the parent continues to write to it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._active = None

    def _prepared(self, size: int) -> Segment:
        """Return the active segment, with room for `size` bytes."""
        active = self._active
        if active is not None and not active.open and active.size >= _REUSED_BYTES:
            os.ftruncate(self._descriptor, HEADER_BYTES)
            self.size -= active.size - HEADER_BYTES
            active.size, active.first = HEADER_BYTES, 0
            self._forget_cursor(active)
        if active is not None and active.size > HEADER_BYTES and active.size + size > self._segment_bytes:
            self.seal()
            active = None
        if active is None:
            self._descriptor, active = self._created_segment()
            active.sealed = False
            self._active = active
        return active

    def _created_segment(self) -> tuple[int, Segment]:
        number = self._created = self._created + 1
        path = self.path / f"{number:08x}{SEGMENT}"
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        try:
            _append(descriptor, header())
            if self._syncs:
                sync_folder(self.path)
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        made = self.segments[number] = Segment(number, path)
        self.size += made.size
        return descriptor, made

    def _written_alone(self, data: bytes) -> Segment:
        descriptor, segment = self._created_segment()
        try:
            _append(descriptor, data)
            segment.size += len(data)
            self.size += len(data)
            if self._syncs:
                _sync(descriptor)
        except BaseException:
            self.delete(segment)
            raise
        finally:
            os.close(descriptor)
        return segment


def _append(descriptor: int, data: bytes, written: int = 0) -> None:
    """Append all bytes to a file, or none of them. `written` of them already are. Raises OSError."""
    try:
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except OSError:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
        raise
