"""Reads the events that became visible between two positions of a stream, one page at a time."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.conflicts import Conflicts
from auditlane.query.copies import Key, key_of
from auditlane.query.filters import Filter
from auditlane.query.live import sql
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.seen_offsets import PartitionPeriod, SeenOffsets, seen_through, union, unseen

PAGE: Final = 500
HOUR_MS: Final = 3_600_000  # events inserted later than this after their ingestion are not streamed


@dataclass(slots=True)
class StreamedEvent:
    """An event as JSON, with its conflict flag, its position in Kafka, and the position of the stream after it.

    `text` caches the text to send, which is the same for all streams of a channel.
    """

    line: str
    conflict: bool
    place: PartitionPeriod
    offset: int
    position: StreamPosition
    text: str = ""


@dataclass(frozen=True, slots=True)
class EventSlice:
    """Consecutive events, the position after them, and whether that position is the goal."""

    events: list[StreamedEvent]
    position: StreamPosition
    ended: bool


class Follower:
    """Reads events for one tenant and filter at a time. Thread-safe. Raises the same errors as `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._conflicts = Conflicts(executor, database)

    def next_slice(
        self,
        scope: TenantScope,
        filter_: Filter,
        start: StreamPosition,
        goal: StreamPosition,
        *,
        occurred: tuple[int, int] | None = None,
        everywhere: bool = False,
    ) -> EventSlice:
        """Return the next events before `goal`. `occurred` is the time range in which the events occurred, if known.

        With `everywhere`, partitions and periods missing from the goal are included. The tenant had no recent events in
        them.
        """
        # Another process may have sent more events than this one has seen.
        seen = {place: union(start.seen.get(place), offsets) for place, offsets in goal.seen.items()}
        goal = StreamPosition(max(start.at_ms, goal.at_ms), {**start.seen, **seen} if everywhere else seen)
        quiet = start.seen.keys() - seen.keys() if everywhere else set()
        ranges = {
            place: unseen(start.seen.get(place), None if place in quiet else goal.seen[place])
            for place in sorted(goal.seen)
        }
        open_ = {place: unread for place, unread in ranges.items() if unread or everywhere}
        if not open_ and not everywhere:
            return EventSlice([], goal, ended=True)
        statement = sql.compile_events_at(
            self._database,
            scope,
            filter_,
            open_,
            since_ms=start.at_ms - HOUR_MS,
            occurred=occurred,
            elsewhere_until_ms=goal.at_ms if everywhere else None,
            limit=PAGE,
        )
        rows = self._executor.rows(statement)
        return _slice_of(rows, self._conflicts.among(scope, rows), start, goal, quiet)


def _slice_of(
    rows: list[dict[str, Any]],
    conflicting: Set[Key],
    start: StreamPosition,
    goal: StreamPosition,
    quiet: Set[PartitionPeriod],
) -> EventSlice:
    seen: dict[PartitionPeriod, SeenOffsets] = dict(start.seen)
    events = []
    for row in rows:
        place = _text(row["topic"]), int(row["partition"]), int(row["period"])
        offset = int(row["place_offset"])
        seen[place] = _seen_after(seen.get(place), None if place in quiet else goal.seen.get(place), offset)
        position = StreamPosition(start.at_ms, dict(seen))
        events.append(StreamedEvent(_text(row["line"]), key_of(row) in conflicting, place, offset, position))
    if len(rows) < PAGE:
        beyond = {key: offsets for key, offsets in seen.items() if key in quiet or key not in goal.seen}
        return EventSlice(events, StreamPosition(goal.at_ms, {**goal.seen, **beyond}), ended=True)
    return EventSlice(events, StreamPosition(start.at_ms, seen), ended=False)


def _seen_after(seen: SeenOffsets | None, goal: SeenOffsets | None, offset: int) -> SeenOffsets:
    """Return the offsets of a partition and period that count as seen after the event at `offset` has been sent.

    Without a goal, the tenant had no recent events, so no insert can fill a gap any more.
    """
    if goal:
        return seen_through(seen, goal, offset)
    old = seen or SeenOffsets()
    return SeenOffsets(offset, old.gaps) if offset > old.top else old.with_offsets([offset])


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
