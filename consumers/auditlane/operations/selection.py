"""Decides which offsets a replay or a verification covers, based on the request, Kafka's bounds and the commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from auditlane.contract.partition import Partition


@dataclass(frozen=True, slots=True)
class Slice:
    """Offsets `first` to `last`, inclusive, of one partition.

    If `first` or `last` is None, that side is open. If the partition is None, the slice applies to every partition.
    """

    partition: int | None = None
    first: int | None = None
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """The requested offsets. Every condition narrows the selection. Without slices, it covers all offsets, and without
    tenants, all tenants.

    Times are Kafka timestamps in milliseconds since 1970. `until_ms` is exclusive.
    """

    slices: tuple[Slice, ...] = ()
    since_ms: int | None = None
    until_ms: int | None = None
    tenants: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets of a partition in Kafka. `low` is the first offset that Kafka holds, and `high` is the one after the
    last that is visible to a read-committed reader.

    `since` and `until` are the first offsets at or after the times in the selection (`high` if none are), or None if
    the selection has no such time. `consumed` is true if the workers read the topic. Until there is a commit,
    `begins` is the offset at which they would start, or None if it was not determined.
    """

    partition: Partition
    topic_id: str
    low: int
    high: int
    committed: int | None = None
    since: int | None = None
    until: int | None = None
    consumed: bool = True
    begins: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of one partition, from `first` (inclusive) to `end` (exclusive).

    The requested offsets `[asked, first)` are no longer in Kafka, and `pending` offsets after the end have not been
    completed by the workers. `whole` is true if the span ends at the workers' position or at the end of the log, and
    not at the request's limit. Every offset below `already_committed` is stored or has a dead letter.
    `already_committed` is None if the workers do not read the topic.
    """

    partition: Partition
    topic_id: str
    first: int
    end: int
    asked: int
    pending: int = 0
    whole: bool = True
    already_committed: int | None = None

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True)
class Plan:
    """Spans that do not overlap, ordered by partition and offset, and notes about the offsets that are left out."""

    spans: tuple[Span, ...]
    notes: tuple[str, ...]

    @property
    def offsets(self) -> int:
        return sum(len(span) for span in self.spans)


def plan(selection: Selection, bounds: Sequence[Bounds], *, below_commit: bool) -> Plan:
    """Plan the spans of a topic.

    With `below_commit`, each span ends at the offset committed by the live group, since workers may be writing later
    messages. Raises ValueError if the selection names a partition that does not exist.
    """
    numbers = {one.partition.number for one in bounds}
    slices = selection.slices or (Slice(),)
    unknown = sorted({one.partition for one in slices if one.partition is not None} - numbers)
    if unknown:
        raise ValueError(f"there is no partition {', '.join(map(str, unknown))}; the topic has {len(numbers)}")
    spans: list[Span] = []
    notes: list[str] = []
    for bound in sorted(bounds, key=lambda one: one.partition):
        limit, why = _limit(bound, below_commit=below_commit)
        mine = [_span(one, bound, limit) for one in slices if one.partition in (None, bound.partition.number)]
        found = _merged(mine)
        spans += found
        if any(span.pending for span in found):
            notes.append(why)
        notes += [
            f"{span.partition}: Kafka no longer holds offsets {span.asked}-{span.first - 1}."
            for span in found
            if selection.slices and span.asked < span.first <= bound.low
        ]
    return Plan(tuple(spans), tuple(notes))


def _limit(bound: Bounds, *, below_commit: bool) -> tuple[int, str]:
    """Return the end of the offsets that may be covered, and a note about the offsets beyond it."""
    if not below_commit:
        return bound.high, ""
    done = bound.begins if bound.committed is None else bound.committed
    if done is None:
        return bound.low, f"{bound.partition}: omitted, as the workers have committed no offset."
    why = (
        f"{bound.partition}: offsets from {done} on are not completed by the workers yet; run the command again later."
    )
    return min(bound.high, done), why


def _span(asked: Slice, bound: Bounds, limit: int) -> Span:
    wanted_first = max(asked.first or 0, bound.since or 0)
    ends = [one for one in (None if asked.last is None else asked.last + 1, bound.until) if one is not None]
    wanted_end = min([bound.high, *ends])
    first = max(wanted_first, min(bound.low, wanted_end))
    end = max(first, min(wanted_end, limit))
    pending = max(0, wanted_end - max(limit, first))
    return Span(
        bound.partition,
        bound.topic_id,
        first,
        end,
        min(wanted_first, first),
        pending,
        whole=end >= limit and not ends,
        already_committed=(bound.committed or 0) if bound.consumed else None,
    )


def _merged(spans: Iterable[Span]) -> list[Span]:
    """Merge overlapping and adjacent spans of one partition."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.first, one.end)):
        if merged and span.first <= merged[-1].end:
            before = merged[-1]
            merged[-1] = replace(
                before,
                end=max(before.end, span.end),
                asked=min(before.asked, span.asked),
                pending=max(before.pending, span.pending),
                whole=before.whole or span.whole,
            )
        else:
            merged.append(span)
    return merged
