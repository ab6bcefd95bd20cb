"""Tracks which offsets of a partition have been seen, so that no event is skipped or sent twice.

A worker stores the ranges of a partition in order, but each range as one insert per month, and a replica may show a
later insert before an earlier one. The state is therefore not a single offset, but the highest offset and the gaps
below it. Most gaps never close, since they are dead letters. Only the newest gaps are kept and read again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from auditlane.query.filters import OffsetRange

MAX_GAPS: Final = 64  # maximum number of gaps kept per partition
SETTLED_S: Final = 10.0  # minimum age of a gap that may be dropped to make room for a newer one
_NO_END: Final = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class SeenOffsets:
    """The offsets of a partition that have been seen: all up to `top`, except the gaps, which are disjoint and
    sorted.
    """

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


@dataclass(slots=True)
class PartitionTracker:
    """Tracks the visible offsets of one partition."""

    seen: SeenOffsets = field(default_factory=SeenOffsets)
    # When each gap was first seen, including gaps above `seen.top`.
    _first_seen: list[tuple[OffsetRange, float]] = field(default_factory=list)

    def observe(self, offsets: list[int], now: float) -> None:
        """Record that these offsets became visible.

        If there are more than `MAX_GAPS` young gaps, offsets beyond them do not count as seen yet, since an insert of
        the missing months may be in progress. Polls return them again until the gaps close or are `SETTLED_S` old.
        """
        whole = self.seen.with_offsets(offsets)
        self._first_seen = [(gap, self._first_seen_at(gap, now)) for gap in whole.gaps]
        kept = list(self._first_seen)
        while len(kept) > MAX_GAPS and now - kept[0][1] >= SETTLED_S:
            del kept[0]
        # Seen offsets stay seen, even if a partly filled gap became several gaps.
        inside = sum(first <= self.seen.top for (first, _), _ in kept)
        most = max(MAX_GAPS, inside)
        top = kept[most][0][0] - 1 if len(kept) > most else whole.top
        self.seen = SeenOffsets(top, tuple(gap for gap, _ in kept[:most]))

    def _first_seen_at(self, gap: OffsetRange, now: float) -> float:
        """Return the time at which the gap, or the larger gap that contained it, was first seen."""
        at = bisect_right(self._first_seen, gap[0], key=lambda entry: entry[0][0]) - 1
        return self._first_seen[at][1] if at >= 0 and gap[1] <= self._first_seen[at][0][1] else now


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
