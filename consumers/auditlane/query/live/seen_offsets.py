"""Tracks which offsets of a tenant's events have been seen, so that no event is skipped or sent twice.

A worker stores the ranges of a partition in order, each with one insert per period (a month, or a day). Offsets are
therefore tracked for each partition and period, where inserts become visible in order, unless a replica shows a later
one before an earlier one. The state is the highest offset and the gaps below it. Most gaps never close, since they
contain the offsets of other tenants and of dead letters. Only the newest gaps are kept and read again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final, TypeAlias

from auditlane.query.filters import OffsetRange

PartitionPeriod: TypeAlias = tuple[str, int, int]  # (topic id, partition, `Partitioning.period` of `occurred_at`)

MAX_GAPS: Final = 64  # number of gaps above which the oldest settled ones are dropped
MAX_YOUNG_GAPS: Final = 640  # maximum number of gaps that are not settled
SETTLED_S: Final = 10.0  # age at which a gap counts as settled
_NO_END: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class SeenOffsets:
    """The offsets that have been seen: all up to `top`, except the gaps, which are disjoint and sorted."""

    top: int = -1
    gaps: tuple[OffsetRange, ...] = ()

    def contains(self, offset: int) -> bool:
        return offset <= self.top and not any(first <= offset <= last for first, last in self.gaps)

    def with_offsets(self, offsets: Iterable[int]) -> SeenOffsets:
        """Return the seen offsets with these added."""
        found = sorted(set(offsets))
        inside = [offset for offset in found if offset <= self.top]
        gaps = [piece for gap in self.gaps for piece in _without(gap, inside)]
        top = self.top
        for offset in found:
            if offset > top:
                if offset > top + 1:
                    gaps.append((top + 1, offset - 1))
                top = offset
        return SeenOffsets(top, tuple(gaps))

    def clipped(self, top: int) -> SeenOffsets:
        """Return the seen offsets up to `top`."""
        return SeenOffsets(min(self.top, top), _clip(self.gaps, 0, top))


def unseen(seen: SeenOffsets | None, new: SeenOffsets | None) -> list[OffsetRange]:
    """Return the offsets that are seen in `new` but not in `seen`. Without `new`, all offsets that may still appear are
    returned.
    """
    old = seen or SeenOffsets()
    top = new.top if new else _NO_END
    ranges = [*old.gaps, (old.top + 1, top)] if top > old.top else list(old.gaps)
    for gap in new.gaps if new else ():
        ranges = [piece for range_ in ranges for piece in _minus(range_, gap)]
    return [range_ for range_ in ranges if range_[0] <= range_[1]]


def union(one: SeenOffsets | None, other: SeenOffsets | None) -> SeenOffsets:
    """Return the offsets seen in at least one of the two."""
    if one is None or other is None:
        return one or other or SeenOffsets()
    top = max(one.top, other.top)
    lacking = [[*each.gaps, *([(each.top + 1, top)] if each.top < top else [])] for each in (one, other)]
    ranges = [(max(a, c), min(b, d)) for a, b in lacking[0] for c, d in lacking[1] if a <= d and c <= b]
    return SeenOffsets(top, tuple(ranges))


def seen_through(seen: SeenOffsets | None, new: SeenOffsets, offset: int) -> SeenOffsets:
    """Return the offsets of `new` up to `offset`, and those of `seen` above it."""
    old = seen or SeenOffsets()
    if offset >= old.top:
        return new.clipped(offset)
    return SeenOffsets(old.top, (*_clip(new.gaps, 0, offset), *_clip(old.gaps, offset + 1, old.top)))


@dataclass(frozen=True, slots=True)
class _Gap:
    """A gap, when it was first seen, and whether a single insert contained the events on both sides."""

    range: OffsetRange
    since: float
    within_insert: bool


@dataclass(slots=True)
class OffsetTracker:
    """Tracks the visible offsets of a tenant in one partition and period. `changed` is when an offset was last
    added.
    """

    seen: SeenOffsets = field(default_factory=SeenOffsets)
    changed: float = 0.0
    _gaps: list[_Gap] = field(default_factory=list)  # includes gaps above `seen.top`

    def observe(self, found: Mapping[int, int], now: float) -> None:
        """Record that these offsets became visible, each with its event's `ingested_at` in milliseconds.

        A worker validates a range at one time, and an insert becomes visible as a whole. So no event can follow in a
        gap between two events with the same time. If there are more than `MAX_GAPS` gaps, these are dropped first, then
        those that are `SETTLED_S` old. If more than `MAX_YOUNG_GAPS` are left, offsets beyond them do not count as seen
        yet. Polls return them again until the gaps close or are settled.
        """
        whole = self.seen.with_offsets(found)
        gaps = [self._gap(range_, found, now) for range_ in whole.gaps]
        for droppable in (lambda gap: gap.within_insert, lambda gap: now - gap.since >= SETTLED_S):
            gaps = _dropped(gaps, len(gaps) - MAX_GAPS, droppable)
        self._gaps, self.changed = gaps, now
        # Seen offsets stay seen, even if a partly filled gap became several gaps.
        inside = sum(gap.range[0] <= self.seen.top for gap in gaps)
        most = max(MAX_YOUNG_GAPS, inside)
        top = gaps[most].range[0] - 1 if len(gaps) > most else whole.top
        self.seen = SeenOffsets(top, tuple(gap.range for gap in gaps[:most]))

    def _gap(self, range_: OffsetRange, found: Mapping[int, int], now: float) -> _Gap:
        """Return the gap with the time at which it, or the larger gap that contained it, was first seen."""
        first, last = range_
        before, after = found.get(first - 1), found.get(last + 1)
        within_insert = before is not None and before == after
        at = bisect_right(self._gaps, first, key=lambda gap: gap.range[0]) - 1
        if at >= 0 and last <= (old := self._gaps[at]).range[1]:
            return _Gap(range_, old.since, within_insert or old.within_insert)
        return _Gap(range_, now, within_insert)


def _dropped(gaps: list[_Gap], surplus: int, droppable: Callable[[_Gap], bool]) -> list[_Gap]:
    """Return the gaps without the lowest `surplus` that may be dropped."""
    if surplus <= 0:
        return gaps
    dropped = set(islice((at for at, gap in enumerate(gaps) if droppable(gap)), surplus))
    return [gap for at, gap in enumerate(gaps) if at not in dropped]


def _without(gap: OffsetRange, offsets: list[int]) -> list[OffsetRange]:
    pieces, first = [], gap[0]
    for offset in offsets:
        if gap[0] <= offset <= gap[1]:
            if first < offset:
                pieces.append((first, offset - 1))
            first = offset + 1
    return [*pieces, (first, gap[1])] if first <= gap[1] else pieces


def _minus(range_: OffsetRange, gap: OffsetRange) -> list[OffsetRange]:
    if gap[1] < range_[0] or range_[1] < gap[0]:
        return [range_]
    return [piece for piece in ((range_[0], gap[0] - 1), (gap[1] + 1, range_[1])) if piece[0] <= piece[1]]


def _clip(gaps: tuple[OffsetRange, ...], first: int, last: int) -> tuple[OffsetRange, ...]:
    return tuple((max(a, first), min(b, last)) for a, b in gaps if a <= last and first <= b)
