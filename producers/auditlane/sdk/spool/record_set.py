"""Reads, settles and deletes one set's records. The set belongs to this process or to one that has ended."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from auditlane.runtime.files import write_text
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.frames import (
    HEADER_BYTES,
    VERSION,
    Damage,
    Found,
    Record,
    Torn,
    scan,
    seed_of,
    version_of,
)
from auditlane.sdk.spool.ledger import Ledger
from auditlane.sdk.spool.losses import DAMAGED, Loss, combined, dumped, loaded, loaded_saved
from auditlane.sdk.spool.owner_file import OwnerFile

SEGMENT: Final = ".segment"
_LOST: Final = ".lost"


class NewerVersion(Exception):
    """Raised if a newer version of auditlane wrote the set in another format."""


@dataclass(slots=True, eq=False)
class Segment:
    """One file of a set. `open` is the number of its records that are not done. Of these, `waiting` have to be sent,
    and `held` must not be sent yet.
    """

    number: int
    path: Path
    size: int = HEADER_BYTES
    first: int = 0  # number of its first record, or 0 if it has none
    last: int = 0
    open: int = 0
    waiting: int = 0
    held: int = 0
    since_us: int = 0  # time of the oldest record that is waiting or held, or earlier; only valid if there is one
    sealed: bool = True

    def add(self, number: int, at_us: int, waiting: bool) -> None:
        """Count a record that was emitted at `at_us`, in microseconds since 1970."""
        if not self.first:
            self.first = number
        self.last = number
        self.open += 1
        if waiting:
            self.add_waiting(at_us)

    def add_waiting(self, at_us: int) -> None:
        """Count a record as waiting."""
        self.since_us = min(self.since_us, at_us) if self.waiting or self.held else at_us
        self.waiting += 1


class RecordSet:
    """One set's records. The caller must hold a lock against other threads, and the set's lock."""

    def __init__(self, path: Path, owner: OwnerFile) -> None:
        self.path = path
        self.owner = owner
        self.ledger = Ledger(owner.low)
        self.seed = seed_of(path.name)
        self.segments: dict[int, Segment] = {}  # in the order of their numbers
        self.size = 0  # total size of all segments in bytes
        self.losses: dict[str, list[Loss]] = {}  # losses to report, by file name
        self.given_up: list[int] = []  # numbers of waiting records that could not be read
        self._cursor: _Cursor | None = None
        self._returned = 0  # number of the last record returned by `next_waiting`

    @classmethod
    def adopt(cls, path: Path, owner: OwnerFile) -> tuple[RecordSet, dict[str, int]]:
        """Return the set of a process that has ended, and each tenant's highest `nth`.

        Bytes that are not valid records are saved elsewhere, and the caller must report their loss. Raises NewerVersion
        or OSError.
        """
        made = cls(path, owner)
        nth: dict[str, int] = {}
        previous: Segment | None = None
        for file in sorted(path.glob(f"*{SEGMENT}")):
            data = file.read_bytes()
            if (version_of(data) or VERSION) > VERSION:
                raise NewerVersion
            segment = made.segments[int(file.stem, 16)] = Segment(int(file.stem, 16), file, len(data))
            made.size += len(data)
            follows = previous is None or segment.number == previous.number + 1
            made._load(segment, data, nth, follows=follows)
            previous = segment
        for file in sorted(path.glob(f"*{_LOST}")):
            data = file.read_bytes()
            made.losses[file.name] = loaded(data)
            owner.saved(loaded_saved(data))  # the process may have been killed before it stored them
        return made, nth

    def next_waiting(self) -> tuple[Segment, Record] | None:
        """Return the oldest record that is waiting to be sent, or None. Unreadable records count as lost."""
        if self._returned and self.ledger.is_waiting(self._returned):
            self._cursor = None  # the caller did not send it
        for segment in list(self.segments.values()):
            while segment.waiting:
                if self._cursor is None or self._cursor.segment is not segment:
                    self._cursor = _Cursor(segment, self.seed)
                for found in self._cursor:
                    if isinstance(found, Damage):
                        self._set_aside(segment, *self._cursor.piece(found))
                    elif isinstance(found, Found) and self.ledger.is_waiting(found.record.number):
                        self._returned = found.record.number
                        return segment, found.record
                self._cursor = None
                if segment.waiting:
                    self._give_up(segment)
        return None

    def hold(self, number: int, segment: Segment) -> None:
        """Hold a waiting record until `release`."""
        if self.ledger.hold(number):
            segment.waiting -= 1
            segment.held += 1

    def release(self) -> None:
        """Make all held records wait again."""
        self.ledger.release()
        for segment in self.segments.values():
            segment.waiting += segment.held
            segment.held = 0
        self._cursor = None

    def sent(self, number: int, segment: Segment) -> None:
        """Mark a waiting record as handed to the Kafka client."""
        if self.ledger.is_waiting(number):
            self.ledger.sent(number)
            segment.waiting -= 1

    def failed(self, number: int, segment: Segment, at_us: int) -> None:
        """Mark a record as waiting again, after its delivery failed."""
        before = self.ledger.waiting
        self.ledger.failed(number)
        if self.ledger.waiting > before:
            segment.add_waiting(at_us)
            self._forget_cursor(segment)

    def oldest_us(self) -> int:
        """Return the time of the oldest record that is waiting or held, in microseconds since 1970, or 0. It may be
        earlier by the time that a segment covers.
        """
        times = [segment.since_us for segment in list(self.segments.values()) if segment.waiting or segment.held]
        return min(times, default=0)

    def done(self, number: int, segment: Segment) -> bool:
        """Mark a record as done, because Kafka has it or it was given up. Returns whether it was open."""
        ledger = self.ledger
        waiting, held, low = ledger.waiting, ledger.held, ledger.low
        if not ledger.done(number):
            return False
        segment.open -= 1
        if ledger.waiting < waiting:
            segment.waiting -= 1
        elif ledger.held < held:
            segment.held -= 1
        if ledger.low != low:
            self.owner.low = ledger.low
        return True

    def all_done(self, numbers: Sequence[int], segment: Segment) -> bool:
        """Mark records of a segment as done if each was sent and is not done. Otherwise, do nothing and return
        False.
        """
        if not self.ledger.all_done(numbers):
            return False
        count = len(numbers)
        segment.open -= count
        self.owner.low = self.ledger.low
        return True

    def reclaim(self) -> bool:
        """Delete segments whose records are all done. Returns whether any was deleted."""
        done = [segment for segment in list(self.segments.values()) if segment.sealed and not segment.open]
        for segment in done:
            self.delete(segment)
        return bool(done)

    def records(self, segment: Segment) -> Iterator[Record]:
        """Yield the records in a segment's file."""
        for found in _Cursor(segment, self.seed):
            if isinstance(found, Found):
                yield found.record

    def delete(self, segment: Segment) -> None:
        """Delete a segment and everything in it."""
        self._forget_cursor(segment)
        del self.segments[segment.number]
        self.size -= segment.size
        segment.path.unlink(missing_ok=True)

    def lost(self, name: str, losses: Iterable[Loss], slots: Iterable[int] = ()) -> None:
        """Save losses in a file with this name until they are `reported`. From then on, they are no longer counted in
        these slots of the owner file, one for each lost event.

        Raises OSError if they could not be saved.
        """
        rows, saved = list(losses), self.owner.saved_with(slots)
        write_text(self.path / (name + _LOST), dumped(rows, saved))
        self.owner.saved(saved)
        self.losses[name + _LOST] = rows

    def reported(self, name: str) -> None:
        """Delete a losses file after its losses have been reported."""
        del self.losses[name]
        (self.path / name).unlink(missing_ok=True)

    def leave(self) -> None:
        """Unlock the set, and delete its files if it is empty."""
        if self.ledger.open or self.losses:
            self.owner.close()
            return
        for segment in list(self.segments.values()):
            self.delete(segment)
        self.owner.remove()
        try:
            self.path.rmdir()
        except OSError:  # a file that this program did not write
            return

    def _forget_cursor(self, segment: Segment) -> None:
        if self._cursor is not None and self._cursor.segment is segment:
            self._cursor = None

    def _load(self, segment: Segment, data: bytes, nth: dict[str, int], *, follows: bool) -> None:
        """Add a segment's records. Unless the segment `follows` the previous one, the records between them count as
        done.
        """
        low, damages = self.ledger.low, 0
        for found in scan(data, self.seed):
            if isinstance(found, Found):
                record = found.record
                nth[record.tenant] = max(record.nth, nth.get(record.tenant, 0))
                if damages and record.number > low:
                    missing = record.number - self.ledger.last - 1 if follows else damages
                    self._lose(segment, max(missing, 1), record.emitted_us)
                damages, follows = 0, True
                if record.number > max(low, self.ledger.last):
                    self.ledger.add(record.number, waiting=True)
                    segment.add(record.number, record.emitted_us, waiting=True)
            elif isinstance(found, Damage):
                damages += 1
                self._set_aside(segment, data[found.start : found.end], found.start)
        if damages:
            self._lose(segment, damages, 0)

    def _lose(self, segment: Segment, count: int, at_us: int) -> None:
        rows = self.losses.setdefault(f"{segment.path.name}{_LOST}", [])
        if not at_us:
            with contextlib.suppress(FileNotFoundError):
                at_us = int(segment.path.stat().st_mtime * 1e6)
        rows[:] = combined([*rows, Loss("", count, at_us, at_us, DAMAGED)])  # one event reports them

    def _give_up(self, segment: Segment) -> None:
        """Count waiting records as lost if their segment's file does not contain them."""
        rest = self.ledger.waiting_between(segment.first - 1, segment.last + 1)
        for number in rest:
            self.done(number, segment)
        self.given_up += rest
        self._lose(segment, len(rest), 0)

    def _set_aside(self, segment: Segment, data: bytes, start: int) -> None:
        folder.set_aside(self.path.parent, folder.DAMAGED, f"{self.path.stem}-{segment.path.stem}-{start}", data)


class _Cursor:
    """Reads a segment from the start. The segment may grow meanwhile."""

    def __init__(self, segment: Segment, seed: int) -> None:
        self.segment = segment
        self._seed = seed
        self._base = 0
        self._data = b""
        self._items = iter(scan(b"", seed))
        self._position = HEADER_BYTES

    def __iter__(self) -> Iterator[Found | Damage]:
        while True:
            for found in self._items:
                if isinstance(found, Torn):
                    break
                self._position = self._base + found.end
                yield found
            before = self._base, len(self._data)
            self._base, self._data = self._position, _read(self.segment.path, self._position)
            self._items = iter(scan(self._data, self._seed, 0))
            if not self._data or before == (self._base, len(self._data)):  # nothing new was written
                return

    def piece(self, damage: Damage) -> tuple[bytes, int]:
        """Return bytes that are not a record, and their position in the file."""
        return self._data[damage.start : damage.end], self._base + damage.start


def _read(path: Path, start: int) -> bytes:
    """Return the rest of a file, which is empty if another process has deleted the file."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(max(os.fstat(file.fileno()).st_size - start, 0))
    except FileNotFoundError:
        return b""
