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
from auditlane.query.live.resume_token import Resume
from auditlane.query.live.seen_offsets import PartitionKey, SeenOffsets, union, unseen, upto

PAGE: Final = 500
HOUR_MS: Final = 3_600_000  # an insert that is late by more than this is not looked for


@dataclass(slots=True)
class StreamedEvent:
    """An event as JSON, whether it is in conflict, where it is in Kafka, and where the stream is once it is given.

    `text` is what the first stream to give it made of it: those of one channel give the same.
    """

    line: str
    conflict: bool
    place: PartitionKey
    offset: int
    resume: Resume
    text: str = ""


@dataclass(frozen=True, slots=True)
class EventSlice:
    """Part of a way: its events in order, where it ends, and whether that is the end of the way."""

    events: list[StreamedEvent]
    resume: Resume
    ended: bool


class Follower:
    """Reads for one tenant and filter at a time; thread-safe. Raises what reading raises."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._conflicts = Conflicts(executor, database)

    def home(self, scope: TenantScope, *, at_ms: int) -> list[PartitionKey]:
        """The partitions that hold events of the tenant that were ingested in the hour before."""
        rows = self._executor.rows(sql.compile_home(self._database, scope, since_ms=at_ms - HOUR_MS))
        return [(_text(row["topic"]), int(row["partition"])) for row in rows]

    def on(
        self,
        scope: TenantScope,
        filter_: Filter,
        start: Resume,
        goal: Resume,
        *,
        occurred: tuple[int, int] | None = None,
        everywhere: bool = False,
    ) -> EventSlice:
        """The next stretch of the way to `goal`. `occurred` bounds when the events on it can have occurred.

        `everywhere`: also in partitions that the goal does not know, where the tenant was quiet for long.
        """
        # Another process may have shown more already than this one has seen.
        seen = {place: union(start.seen.get(place), one) for place, one in goal.seen.items()}
        goal = Resume(max(start.at_ms, goal.at_ms), {**start.seen, **seen} if everywhere else seen)
        quiet = start.seen.keys() - seen.keys() if everywhere else set()
        runs = {
            place: unseen(start.seen.get(place), None if place in quiet else goal.seen[place])
            for place in sorted(goal.seen)
        }
        open_ = {place: some for place, some in runs.items() if some or everywhere}
        if not open_ and not everywhere:
            return EventSlice([], goal, ended=True)
        statement = sql.compile_arrived(
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
    rows: list[dict[str, Any]], conflicting: Set[Key], start: Resume, goal: Resume, quiet: Set[PartitionKey]
) -> EventSlice:
    seen: dict[PartitionKey, SeenOffsets] = dict(start.seen)
    events = []
    before: PartitionKey | None = None
    for row in rows:
        place, offset = (_text(row["topic"]), int(row["partition"])), int(row["place_offset"])
        if before is not None and place != before and before in goal.seen and before not in quiet:
            seen[before] = goal.seen[before]
        before = place
        seen[place] = _given(seen.get(place), None if place in quiet else goal.seen.get(place), offset)
        resume = Resume(start.at_ms, dict(seen))
        events.append(StreamedEvent(_text(row["line"]), key_of(row) in conflicting, place, offset, resume))
    if len(rows) < PAGE:
        beyond = {place: one for place, one in seen.items() if place in quiet or place not in goal.seen}
        return EventSlice(events, Resume(goal.at_ms, {**goal.seen, **beyond}), ended=True)
    return EventSlice(events, Resume(start.at_ms, seen), ended=False)


def _given(seen: SeenOffsets | None, goal: SeenOffsets | None, offset: int) -> SeenOffsets:
    """Where a partition is once what is at `offset` was given.

    Without a goal it was quiet for long, so that nothing is under way to a gap.
    """
    if goal:
        return upto(seen, goal, offset)
    old = seen or SeenOffsets()
    return SeenOffsets(offset, old.gaps) if offset > old.top else old.with_([offset])


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
