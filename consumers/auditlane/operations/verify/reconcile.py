"""What became of each offset: sorted arrays of messages, rows and dead letters compared; decides, reads nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.operations.stored_offsets import Offsets

Codes = npt.NDArray[np.uint8]


class OffsetStatus(IntEnum):
    """What became of an offset that holds a message or a row. Offsets with neither (transaction markers, what was
    compacted away) have none and are no loss."""

    stored = 0
    dead_lettered = 1
    duplicate = 2  # its event is stored, from another message; a merge keeps the first
    missing = 3
    extra = 4  # a row without a message
    differs = 5  # a row that does not hold what its message does; found only where contents are compared


WRONG: Final = frozenset({OffsetStatus.missing, OffsetStatus.extra, OffsetStatus.differs})


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring offsets of one fate; `count` is less than the distance where some between them hold nothing."""

    first: int
    last: int
    count: int
    fate: OffsetStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """`offsets` ascending, each once, with the fate of each; `doubled` are offsets stored more than once. What is
    `missing` so far may turn out to be a duplicate."""

    offsets: Offsets
    fates: Codes
    doubled: Offsets

    def of(self, fate: OffsetStatus) -> Offsets:
        found: Offsets = self.offsets[self.fates == fate]
        return found

    def with_status(self, offsets: Offsets, fate: OffsetStatus) -> Compared:
        """With these offsets, each of them one of ours, of another fate."""
        fates = self.fates.copy()
        fates[np.searchsorted(self.offsets, offsets)] = fate
        return Compared(self.offsets, fates, self.doubled)


def compare(messages: Offsets, stored: Offsets, letters: Offsets) -> Compared:
    """All three are ascending and of the same stretch of one partition; `stored` may hold an offset several times.

    What is stored counts as stored, also where a dead letter says otherwise: it was decided twice and nothing is lost.
    """
    rows, counts = np.unique(stored, return_counts=True)
    offsets = np.union1d(messages, rows)
    has_message, has_row, has_letter = (np.isin(offsets, one, kind="sort") for one in (messages, rows, letters))
    fates = np.full(len(offsets), OffsetStatus.missing, dtype=np.uint8)
    fates[has_letter] = OffsetStatus.dead_lettered
    fates[has_row] = OffsetStatus.stored
    fates[~has_message] = OffsetStatus.extra
    return Compared(offsets, fates, rows[counts > 1])


def runs(compared: Compared) -> Iterator[Run]:
    """The fates run-length encoded, in order."""
    if len(compared.offsets) == 0:
        return
    starts = np.concatenate(([0], np.flatnonzero(np.diff(compared.fates)) + 1))
    ends = np.concatenate((starts[1:], [len(compared.offsets)])) - 1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield Run(
            int(compared.offsets[start]),
            int(compared.offsets[end]),
            end - start + 1,
            OffsetStatus(int(compared.fates[start])),
        )


@dataclass(slots=True)
class Tally:
    """One partition's result while it grows: exact counts, and lists that are cut at `limit` entries. `wrong` are the
    runs of `runs` that are missing or extra, or differ."""

    limit: int
    counts: dict[OffsetStatus, int] = field(default_factory=lambda: dict.fromkeys(OffsetStatus, 0))
    doubled_count: int = 0
    doubled: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    wrong: list[Run] = field(default_factory=list)
    _last: Run | None = None

    def add(self, compared: Compared, reasons: Mapping[int, str] | None = None) -> None:
        """Take what follows; `reasons` say why an offset is missing, or in which fields it differs."""
        for fate in OffsetStatus:
            self.counts[fate] += int((compared.fates == fate).sum())
        self.doubled_count += len(compared.doubled)
        self.doubled += compared.doubled[: self.limit - len(self.doubled)].tolist()
        for run in runs(compared):
            for part in _by_reason(run, compared, reasons) if reasons and run.fate in WRONG else [run]:
                self._take(part)

    def _take(self, run: Run) -> None:
        before = self._last
        joins = before is not None and (before.fate, before.reason) == (run.fate, run.reason)
        if joins and before is not None:
            run = Run(before.first, run.last, before.count + run.count, run.fate, run.reason)
        for into in (self.runs, self.wrong) if run.fate in WRONG else (self.runs,):
            if joins and into and into[-1] is before:
                into[-1] = run
            elif not joins and len(into) < self.limit:
                into.append(run)
        self._last = run


def _by_reason(run: Run, compared: Compared, reasons: Mapping[int, str]) -> Iterator[Run]:
    """The run, parted where the reason changes."""
    low, high = np.searchsorted(compared.offsets, [run.first, run.last + 1])
    for reason, group in groupby(compared.offsets[low:high].tolist(), key=lambda offset: reasons.get(offset, "")):
        offsets = list(group)
        yield Run(offsets[0], offsets[-1], len(offsets), run.fate, reason)


@dataclass(frozen=True, slots=True)
class Origin:
    """Rows that name the same place in Kafka."""

    topic: str
    topic_id: str
    partition: int
    rows: int


def orphaned_rows(
    origins: Iterable[Origin], topics: Mapping[str, tuple[str, int]], consumed: Callable[[str], bool]
) -> tuple[list[Origin], list[Origin]]:
    """(extra, beyond retention) of the rows that are of no partition of `topics` (name -> id, partitions).

    Rows of a topic that the workers read and that was deleted, or deleted and created again, are beyond retention;
    no worker can have written the others.
    """
    extra: list[Origin] = []
    beyond: list[Origin] = []
    for one in origins:
        topic_id, partitions = topics.get(one.topic, ("", 0))
        if one.topic_id == topic_id and one.partition < partitions:
            continue
        (beyond if consumed(one.topic) and one.topic_id != topic_id else extra).append(one)
    return extra, beyond
