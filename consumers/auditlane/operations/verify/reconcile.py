"""Decides the status of each offset by comparing sorted arrays of messages, rows and dead letters. Performs no I/O."""

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
    """The status of an offset with a message or a row.

    Offsets with neither, such as transaction markers and compacted messages, have no status, since nothing is lost.
    """

    stored = 0
    dead_lettered = 1
    duplicate = 2  # another message already stored the same event; a merge keeps the first
    missing = 3
    extra = 4  # a row without a message
    differs = 5  # a row whose values differ from its message's; found only if contents are compared


WRONG: Final = frozenset({OffsetStatus.missing, OffsetStatus.extra, OffsetStatus.differs})


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent offsets with the same status. `count` is lower than the distance if offsets in between have no
    message.
    """

    first: int
    last: int
    count: int
    status: OffsetStatus
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """Distinct `offsets` in ascending order, with their `statuses`. `doubled` contains offsets that are stored more
    than once.

    A `missing` offset may turn out to be a duplicate later.
    """

    offsets: Offsets
    statuses: Codes
    doubled: Offsets

    def of(self, status: OffsetStatus) -> Offsets:
        """Return the offsets with this status."""
        found: Offsets = self.offsets[self.statuses == status]
        return found

    def with_status(self, offsets: Offsets, status: OffsetStatus) -> Compared:
        """Return a copy in which these offsets have another status. All of them must be in this object."""
        statuses = self.statuses.copy()
        statuses[np.searchsorted(self.offsets, offsets)] = status
        return Compared(self.offsets, statuses, self.doubled)


def compare(messages: Offsets, stored: Offsets, letters: Offsets) -> Compared:
    """Compare offsets of the same part of a partition. Each array is in ascending order. `stored` may contain
    duplicates.

    An offset with both a row and a dead letter counts as stored: it was validated twice with different results, and
    nothing is lost.
    """
    rows, counts = np.unique(stored, return_counts=True)
    offsets = np.union1d(messages, rows)
    has_message, has_row, has_letter = (np.isin(offsets, one, kind="sort") for one in (messages, rows, letters))
    statuses = np.full(len(offsets), OffsetStatus.missing, dtype=np.uint8)
    statuses[has_letter] = OffsetStatus.dead_lettered
    statuses[has_row] = OffsetStatus.stored
    statuses[~has_message] = OffsetStatus.extra
    return Compared(offsets, statuses, rows[counts > 1])


def runs(compared: Compared) -> Iterator[Run]:
    """Yield the statuses in order, run-length encoded."""
    if len(compared.offsets) == 0:
        return
    starts = np.concatenate(([0], np.flatnonzero(np.diff(compared.statuses)) + 1))
    ends = np.concatenate((starts[1:], [len(compared.offsets)])) - 1
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        yield Run(
            int(compared.offsets[start]),
            int(compared.offsets[end]),
            end - start + 1,
            OffsetStatus(int(compared.statuses[start])),
        )


@dataclass(slots=True)
class SpanSummary:
    """The accumulated result of one span. Counts are exact. Lists are truncated to `limit` entries.

    `wrong` contains the runs that are missing, extra or different.
    """

    limit: int
    counts: dict[OffsetStatus, int] = field(default_factory=lambda: dict.fromkeys(OffsetStatus, 0))
    doubled_count: int = 0
    doubled: list[int] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    wrong: list[Run] = field(default_factory=list)
    _last: Run | None = None

    def add(self, compared: Compared, reasons: Mapping[int, str] | None = None) -> None:
        """Add the next offsets. `reasons` contains why an offset is missing, or which of its fields differ."""
        for status in OffsetStatus:
            self.counts[status] += int((compared.statuses == status).sum())
        self.doubled_count += len(compared.doubled)
        self.doubled += compared.doubled[: self.limit - len(self.doubled)].tolist()
        for run in runs(compared):
            for part in _by_reason(run, compared, reasons) if reasons and run.status in WRONG else [run]:
                self._take(part)

    def _take(self, run: Run) -> None:
        before = self._last
        joins = before is not None and (before.status, before.reason) == (run.status, run.reason)
        if joins and before is not None:
            run = Run(before.first, run.last, before.count + run.count, run.status, run.reason)
        for into in (self.runs, self.wrong) if run.status in WRONG else (self.runs,):
            if joins and into and into[-1] is before:
                into[-1] = run
            elif not joins and len(into) < self.limit:
                into.append(run)
        self._last = run


def _by_reason(run: Run, compared: Compared, reasons: Mapping[int, str]) -> Iterator[Run]:
    """Split a run wherever the reason changes."""
    low, high = np.searchsorted(compared.offsets, [run.first, run.last + 1])
    for reason, group in groupby(compared.offsets[low:high].tolist(), key=lambda offset: reasons.get(offset, "")):
        offsets = list(group)
        yield Run(offsets[0], offsets[-1], len(offsets), run.status, reason)


@dataclass(frozen=True, slots=True)
class Origin:
    """A topic's partition that rows name as their origin, and the number of these rows."""

    topic: str
    topic_id: str
    partition: int
    rows: int


def orphaned_rows(
    origins: Iterable[Origin], topics: Mapping[str, tuple[str, int]], consumed: Callable[[str], bool]
) -> tuple[list[Origin], list[Origin]]:
    """Return extra rows, and rows beyond retention, among those outside the partitions of `topics`.

    `topics` maps each name to the topic's id and its number of partitions. Rows of a topic that the workers read, and
    that was deleted or recreated since, are beyond retention. All other rows are extra, since no worker can have
    written them.
    """
    extra: list[Origin] = []
    beyond: list[Origin] = []
    for origin in origins:
        topic_id, partitions = topics.get(origin.topic, ("", 0))
        if origin.topic_id == topic_id and origin.partition < partitions:
            continue
        (beyond if consumed(origin.topic) and origin.topic_id != topic_id else extra).append(origin)
    return extra, beyond
