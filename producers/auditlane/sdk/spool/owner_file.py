"""A set's lock, and counters that survive the process that owns it.

The owner holds an exclusive lock on the set's file `owner` until it ends. The file is mapped into memory, so that
counting needs no system call and SIGKILL does not lose any count. The file consists of a header and one slot per
tenant.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

NAME: Final = "owner"
_MAGIC: Final = b"auditlow"
_VERSION: Final = 1
_WORD: Final = 8
_HEADER_WORDS: Final = 8
_LOW: Final = 2  # positions in words, after the magic and version
_SWEPT: Final = 3
_SLOT_WORDS: Final = 20
_NAME_BYTES: Final = 104  # one byte for the length, and at most 103 characters
_EMITTED: Final = 13  # positions of a slot's counters, in words
_SETTLED: Final = 14
_SPILLED: Final = 15
_SINCE: Final = 16
_LAST: Final = 17
_SAVED: Final = 18
_LATEST_US: Final = 1 << 52  # the year 2112
_MOST_EVENTS: Final = 1 << 48
_FIRST_SLOTS: Final = 128
_MOST_SLOTS: Final = 65_536
_HEADER_BYTES: Final = _HEADER_WORDS * _WORD
_SLOT_BYTES: Final = _SLOT_WORDS * _WORD
_held: set[OwnerFile] = set()  # held locks, which a forked child must not keep


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A tenant's events that were only in memory when their process ended. Times are microseconds since 1970.

    Of the `emitted` events that were in memory, `settled` were acknowledged or are in a losses file, and `spilled` were
    written to the set's segments.
    """

    tenant: str
    emitted: int
    settled: int
    spilled: int
    since_us: int
    until_us: int


class OwnerFile:
    """An owner file locked by this process. Not thread-safe."""

    def __init__(self, path: Path, descriptor: int, size: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self._map = mmap.mmap(descriptor, size)  # has a duplicate of the descriptor, which shares its lock
        self._words = memoryview(self._map).cast("Q")
        self._slots: dict[str, int] = {}
        _held.add(self)

    @classmethod
    def create(cls, folder: Path) -> OwnerFile:
        """Create and lock the owner file of a new set. Raises OSError."""
        path = folder / NAME
        hidden = path.with_suffix(".new")
        descriptor = os.open(hidden, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Written rather than only extended: a store into a page without disk space would end the process.
            content = struct.pack("<8sQ", _MAGIC, _VERSION).ljust(_HEADER_BYTES + _FIRST_SLOTS * _SLOT_BYTES, b"\0")
            _write(descriptor, content)
            hidden.rename(path)
            return cls(path, descriptor, len(content))
        except BaseException:
            os.close(descriptor)
            raise

    @classmethod
    def adopt(cls, folder: Path) -> OwnerFile | None:
        """Lock the owner file of a process that has ended. Returns None if the process is alive or the file does not
        exist.

        A damaged file counts as empty. Raises PermissionError if the file belongs to another user.
        """
        path = folder / NAME
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            stat = os.fstat(descriptor)
            if stat.st_nlink == 0:  # another process has just removed it
                raise BlockingIOError
            whole = os.pread(descriptor, 16, 0) == struct.pack("<8sQ", _MAGIC, _VERSION)
            if not whole or stat.st_size < _HEADER_BYTES:
                os.ftruncate(descriptor, 0)
                _write(descriptor, bytes(_HEADER_BYTES))
            return cls(path, descriptor, max(stat.st_size if whole else 0, _HEADER_BYTES) // _WORD * _WORD)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise

    @property
    def low(self) -> int:
        """The record number up to which Kafka has all of the set's records."""
        return self._words[_LOW]

    @low.setter
    def low(self, number: int) -> None:
        self._words[_LOW] = number

    def swept(self, at_us: int) -> None:
        """Record that every event emitted before this time was settled or written to a segment."""
        self._words[_SWEPT] = at_us

    def emitted(self, tenant: str, at_us: int) -> int:
        """Count an event that is only in memory, and return its tenant's slot."""
        slot = self._slots.get(tenant)
        if slot is None:
            slot = self._new_slot(tenant)
        words = self._words
        if words[slot + _EMITTED] == words[slot + _SETTLED] + words[slot + _SPILLED] + words[slot + _SAVED]:
            words[slot + _SINCE] = at_us
        if at_us > words[slot + _LAST]:
            words[slot + _LAST] = at_us
        words[slot + _EMITTED] += 1
        return slot

    def withdrawn(self, slot: int) -> None:
        """Stop counting an event that was not accepted."""
        self._words[slot + _EMITTED] -= 1

    def settled(self, slot: int) -> None:
        """Count an event that Kafka has acknowledged."""
        self._words[slot + _SETTLED] += 1

    def next_spilled(self, slot: int) -> int:
        """Return the number for the tenant's next event that is written from memory to a segment."""
        return self._words[slot + _SPILLED] + 1

    def spilled(self, slot: int) -> None:
        """Count an event that was written from memory to a segment."""
        self._words[slot + _SPILLED] += 1

    def saved_with(self, slots: Iterable[int]) -> dict[int, int]:
        """Return each slot's number of losses in files once those of `slots`, one for each loss, are saved too."""
        return {slot: self._words[slot + _SAVED] + count for slot, count in Counter(slots).items()}

    def saved(self, counts: Mapping[int, int]) -> None:
        """Store each slot's number of losses in files, unless it is already higher."""
        for slot, count in counts.items():
            if _HEADER_WORDS <= slot < len(self._words) - _SAVED:
                self._words[slot + _SAVED] = max(self._words[slot + _SAVED], count)

    def correct_spilled(self, nth: Mapping[str, int]) -> None:
        """Correct the counts for records that the process wrote but did not count before it was killed. `nth` contains
        each tenant's highest `nth`.
        """
        for slot, tenant in self._named():
            self._words[slot + _SPILLED] = max(self._words[slot + _SPILLED], nth.get(tenant, 0))

    def unsettled(self) -> list[Unsettled]:
        """Return all tenants' counters, except those that cannot be correct."""
        found = []
        for slot, tenant in self._named():
            emitted, settled, spilled, since, last, saved = self._words[slot + _EMITTED : slot + _SAVED + 1].tolist()
            if last > _LATEST_US or emitted > _MOST_EVENTS:
                continue  # damaged
            since = min(max(since, self._words[_SWEPT]), last)
            found.append(Unsettled(tenant, emitted, settled + saved, spilled, since, last))
        return found

    def remove(self) -> None:
        """Delete the file and unlock it."""
        self._path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Unlock the file."""
        _held.discard(self)
        with contextlib.suppress(BufferError):  # a thread of the forked child's parent was reading a slot
            self._words.release()
            self._map.close()
        os.close(self._descriptor)

    def _named(self) -> Iterator[tuple[int, str]]:
        for slot in range(_HEADER_WORDS, len(self._words) - _SLOT_WORDS + 1, _SLOT_WORDS):
            raw = bytes(self._words[slot : slot + _EMITTED])
            tenant = raw[1 : 1 + raw[0]].decode("ascii", "replace")
            if not tenant and not self._words[slot + _EMITTED]:
                return
            yield slot, tenant

    def _new_slot(self, tenant: str) -> int:
        """Return a slot for a new tenant, or the nameless slot if there is no space for another."""
        position = _HEADER_WORDS + len(self._slots) * _SLOT_WORDS
        if tenant and position + 2 * _SLOT_WORDS > len(self._words) and not self._grow():
            return self._slots.get("") or self._new_slot("")
        name = tenant.encode()
        if len(name) >= _NAME_BYTES:
            raise ValueError("The name of the tenant is too long for its slot.")
        self._map[position * _WORD : position * _WORD + _NAME_BYTES] = (bytes([len(name)]) + name).ljust(
            _NAME_BYTES, b"\0"
        )
        self._slots[tenant] = position
        return position

    def _grow(self) -> bool:
        size = len(self._words) * _WORD
        if size >= _HEADER_BYTES + _MOST_SLOTS * _SLOT_BYTES or "" in self._slots:
            return False
        more = size - _HEADER_BYTES
        try:
            os.lseek(self._descriptor, 0, os.SEEK_END)
            _write(self._descriptor, bytes(more))
            larger = mmap.mmap(self._descriptor, size + more)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, size)
            return False
        self._words.release()
        self._map.close()
        self._map, self._words = larger, memoryview(larger).cast("Q")
        return True


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _after_fork() -> None:
    """Close the parent's files in a forked child. They stay locked for the parent."""
    for owner in list(_held):
        owner.close()


os.register_at_fork(after_in_child=_after_fork)
