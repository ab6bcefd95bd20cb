"""Read what became visible between two states of a tenant's partitions, page by page, each event with its state."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.conflicts import Conflicts, Key, key_of
from auditlane.query.filters import Filter
from auditlane.query.live import sql
from auditlane.query.live.resume_token import StreamPosition
from auditlane.query.live.seen_offsets import PartitionKey, SeenOffsets, seen_through, union, unseen

PAGE: Final = 500
HOUR_MS: Final = 3_600_000  # an insert that is late by more than this is not looked for


@dataclass(slots=True)
class StreamedEvent:
    """An event as JSON, whether it is in conflict, where it is in Kafka, and where the stream is once it is given.

    `text` is what the first stream to give it made of it: those of one channel give the same.
    """

    line: str
    conflict: bool
    partition: PartitionKey
    offset: int
    position: StreamPosition
    text: str = ""


@dataclass(frozen=True, slots=True)
class EventSlice:
    """Part of a way: its events in order, where it ends, and whether that is the end of the way."""

    events: list[StreamedEvent]
    position: StreamPosition
    ended: bool


class Follower:
    """Reads for one tenant and filter at a time; thread-safe. Raises what reading raises."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._conflicts = Conflicts(executor, database)

    def partitions_of(self, scope: TenantScope, *, at_ms: int) -> list[PartitionKey]:
        """The partitions that hold events of the tenant that were ingested in the hour before."""
        rows = self._executor.rows(sql.compile_partitions(self._database, scope, since_ms=at_ms - HOUR_MS))
        return [(_text(row["topic"]), int(row["partition"])) for row in rows]

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
        """The next stretch of the way to `goal`. `occurred` bounds when the events on it can have occurred.

        `everywhere`: also in partitions that the goal does not know, where the tenant was quiet for long.
        """
        # Another process may have shown more already than this one has seen.
        seen = {partition: union(start.seen.get(partition), one) for partition, one in goal.seen.items()}
        goal = StreamPosition(max(start.at_ms, goal.at_ms), {**start.seen, **seen} if everywhere else seen)
        quiet = start.seen.keys() - seen.keys() if everywhere else set()
        ranges = {
            partition: unseen(start.seen.get(partition), None if partition in quiet else goal.seen[partition])
            for partition in sorted(goal.seen)
        }
        open_ = {partition: some for partition, some in ranges.items() if some or everywhere}
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
    quiet: Set[PartitionKey],
) -> EventSlice:
    seen: dict[PartitionKey, SeenOffsets] = dict(start.seen)
    events = []
    before: PartitionKey | None = None
    for row in rows:
        partition, offset = (_text(row["topic"]), int(row["partition"])), int(row["place_offset"])
        if before is not None and partition != before and before in goal.seen and before not in quiet:
            seen[before] = goal.seen[before]
        before = partition
        seen[partition] = _given(seen.get(partition), None if partition in quiet else goal.seen.get(partition), offset)
        position = StreamPosition(start.at_ms, dict(seen))
        events.append(StreamedEvent(_text(row["line"]), key_of(row) in conflicting, partition, offset, position))
    if len(rows) < PAGE:
        beyond = {partition: one for partition, one in seen.items() if partition in quiet or partition not in goal.seen}
        return EventSlice(events, StreamPosition(goal.at_ms, {**goal.seen, **beyond}), ended=True)
    return EventSlice(events, StreamPosition(start.at_ms, seen), ended=False)


def _given(seen: SeenOffsets | None, goal: SeenOffsets | None, offset: int) -> SeenOffsets:
    """Where a partition is once what is at `offset` was given.

    Without a goal it was quiet for long, so that nothing is under way to a gap.
    """
    if goal:
        return seen_through(seen, goal, offset)
    old = seen or SeenOffsets()
    return SeenOffsets(offset, old.gaps) if offset > old.top else old.with_offsets([offset])


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
