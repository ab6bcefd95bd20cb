"""Computes summaries of one tenant's events."""

from __future__ import annotations

import operator
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

from auditlane.access.scope import TenantScope
from auditlane.contract.event_groups import EventGroups, PeriodBefore, Span, ValueGroup
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.filters import Filter
from auditlane.query.language.tree import Field
from auditlane.query.sql import narrows
from auditlane.query.summary import sql
from auditlane.query.summary.buckets import edges, fitting
from auditlane.query.summary.comparison import start_before
from auditlane.query.summary.groups import NONE, OTHERS, Counted, none_query, others_query, value_query
from auditlane.query.summary.models import Bucket, Count, Facet, Histogram, Stats, StatsBefore
from auditlane.query.summary.stored_parts import StoredPart, without_copies
from auditlane.runtime.errors import QueryTooLarge

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
WEEK: Final = timedelta(days=7)
# Each count costs 2.5 ms of CPU time, as much as a histogram over this many rows.
_ROWS_PER_COUNT: Final = 150_000
_BLOCKS: Final = {"max_block_size": 65_409}  # ClickHouse's default, faster than the small blocks of pages and exports
TOP: Final = 10  # number of actions and of actors in the statistics


class Summaries:
    """Computes summaries through `executor`. Raises the same errors as `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str, *, rows_per_count: int = _ROWS_PER_COUNT) -> None:
        """Count rows instead of events, where both are the same, if there are more than `rows_per_count` in a bucket of
        a histogram.
        """
        self._executor = executor
        self._database = database
        self._rows_per_count = rows_per_count
        self._one_snapshot: bool | None = None  # not known yet

    def facet(self, scope: TenantScope, filter_: Filter, field: Field, *, limit: int) -> Facet:
        """Return the most frequent values of the field among the matching events."""
        rows = self._rows(scope, sql.compile_facet(self._database, scope, filter_, field, limit))
        return Facet(field=field.path, data=[_count(row) for row in rows])

    def histogram(self, scope: TenantScope, filter_: Filter, *, zone: ZoneInfo, max_buckets: int) -> Histogram:
        """Count events in about `max_buckets` buckets.

        If the time range of the filter is open, it extends to the first or last event.
        """
        ends = self._ends(scope, filter_)
        if ends is None:
            return Histogram(interval=fitting(_EPOCH, _EPOCH, max_buckets).name, tz=zone.key, events=0, data=[])
        width = fitting(*ends, max_buckets)
        starts = edges(*ends, width, zone)
        places = _micros(starts)
        found = self._histogram(scope, filter_, places)
        data = [
            Bucket(start=_text(start), end=_text(end), events=found.get(place, 0))
            for start, end, place in zip(starts, starts[1:], places, strict=False)
        ]
        return Histogram(interval=width.name, tz=zone.key, events=sum(bucket.events for bucket in data), data=data)

    def groups(
        self,
        scope: TenantScope,
        filter_: Filter,
        field: Field,
        *,
        zone: ZoneInfo,
        limit: int,
        max_buckets: int,
        compare: bool,
        now: datetime,
    ) -> EventGroups:
        """Count events by at most `limit` values of the field. Each value is also counted over time, in about
        `max_buckets` buckets.

        An open start of the time range extends to the first event. An open end extends to the last event or `now`. With
        `compare`, the preceding period is also counted. Raises InvalidFilter if there is no such period.
        """
        before = start_before(filter_.since, filter_.until, now) if compare else None
        ranking = sql.compile_ranking(self._database, scope, filter_, field, before, limit)
        ranked = {_decoded(row["value"]): row for row in self._rows(scope, ranking)}
        since, until = self._ends(scope, filter_) or (filter_.since or now, filter_.until or now)
        until = until if filter_.until else max(until, now)
        width = fitting(since, until, max_buckets)
        starts = edges(since, until, width, zone)
        places = _micros(starts)
        statement = sql.compile_groups(self._database, scope, filter_, field, ["", *ranked], before, places)
        counted = Counted(self._rows(scope, statement), places[:-1], compared=compare)
        queries = {value: value_query(field, value, row, filter_) for value, row in ranked.items()}
        data = [
            ValueGroup(value=value, **counted.group(place, query).model_dump())
            for place, (value, query) in enumerate(queries.items(), start=NONE + 1)
        ]
        others = counted.group(OTHERS, others_query(field, [*queries.values()]))
        none = counted.group(NONE, none_query(field))
        numbers = next(iter(ranked.values()), {"values": 0, "new": 0, "vanished": 0})
        texts = [_text(start) for start in starts]
        return EventGroups(
            field=field.path,
            tz=zone.key,
            interval=width.name,
            events=sum(group.events for group in (*data, others, none)),
            before=before and PeriodBefore(start=_text(before), end=_text(filter_.since), events=counted.before()),
            values=numbers["values"],
            new=numbers["new"] if compare else None,
            vanished=numbers["vanished"] if compare else None,
            buckets=[Span(start=start, end=end) for start, end in pairwise(texts)],
            data=sorted(data, key=lambda group: (-group.events, -(group.before or 0), group.value.encode())),
            others=others,
            none=none,
        )

    def stats(
        self, scope: TenantScope, filter_: Filter, *, zone: ZoneInfo, now: datetime, compare: bool = False
    ) -> Stats:
        """Return the figures for the time range of the filter. The default is the seven days before `now`.

        The day starts at midnight in the zone. With `compare`, the figures for the preceding period are included.
        Raises InvalidFilter if there is no such period.
        """
        today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        bounded = filter_.since is not None or filter_.until is not None
        counted = filter_ if bounded else replace(filter_, since=now - WEEK)
        start = start_before(counted.since, counted.until, now) if compare else None
        statement = sql.compile_stats(self._database, scope, counted, today, start, top=TOP)
        rows = defaultdict[str, list[dict[str, Any]]](list)
        for row in self._rows(scope, statement):
            rows[_decoded(row["place"])].append(row)
        numbers = rows[sql.TOTAL][0] if rows[sql.TOTAL] else Counter[str]()
        before = start and StatsBefore(
            start=_text(start),
            end=_text(counted.since),
            events=numbers["events_before"],
            severe=numbers["severe_before"],
        )
        actions, actors = ([_count(row) for row in rows[place] if row["events"]] for place in (sql.ACTIONS, sql.ACTORS))
        return Stats(
            tz=zone.key,
            today=numbers["today"],
            events=numbers["events"],
            severe=numbers["severe"],
            before=before,
            actions=actions,
            actors=self._as_filtered(scope, counted, actors),
        )

    def _histogram(self, scope: TenantScope, filter_: Filter, edges: list[int]) -> dict[int, int]:
        """Return the number of events in each bucket that has any, by its start.

        If the filter has no conditions on events, and they are many, rows are counted where the table has no copies.
        """
        if not narrows(scope, filter_) and self._reads_one_snapshot():
            rows = []
            with suppress(QueryTooLarge):  # this ClickHouse reads the rows themselves for it
                rows = self._rows(scope, sql.compile_parts(self._database, scope, filter_))
            once = without_copies(_parts(rows), edges)
            if any(once) and sum(row["rows"] for row in rows) > self._rows_per_count * sum(once):
                rows = self._rows(scope, sql.compile_split_histogram(self._database, scope, filter_, edges, once))
                if all(map(operator.ge, without_copies(_parts(rows), edges), once)):  # no part was added since then
                    found = Counter[int]()
                    for row in rows:
                        found[row["edge"]] += row["events"]
                    return found
        rows = self._rows(scope, sql.compile_histogram(self._database, scope, filter_, edges))
        return {row["edge"]: row["events"] for row in rows}

    def _reads_one_snapshot(self) -> bool:
        """Return whether all subqueries of a statement read the same snapshot of the table."""
        if self._one_snapshot is None:
            one_server = self._executor.event_table(self._database) == "events"
            self._one_snapshot = one_server and bool(self._executor.rows(sql.compile_shared_snapshot(self._database)))
        return self._one_snapshot

    def _ends(self, scope: TenantScope, filter_: Filter) -> tuple[datetime, datetime] | None:
        """Return the start and end of the time range, or None if there are no events. An open end extends to the first
        or last event.
        """
        since, until = filter_.since, filter_.until
        if since is not None and until is not None:
            return since, until
        row = self._rows(scope, sql.compile_extent(self._database, scope, filter_))[0]
        if not row["events"]:
            return None
        first, last = (_EPOCH + timedelta(microseconds=row[name]) for name in ("first", "last"))
        return since or first, until or last + _TICK

    def _as_filtered(self, scope: TenantScope, filter_: Filter, actors: list[Count]) -> list[Count]:
        """Count the events that a filter on `actor` finds for each actor. It also finds those that have another name,
        and the actor as their id.
        """
        wanted = [actor.value for actor in actors if actor.value]
        rows = self._rows(scope, sql.compile_other_names(self._database, scope, filter_, wanted)) if wanted else []
        more = {count.value: count.events for count in map(_count, rows)}
        counted = [Count(value=actor.value, events=actor.events + more.get(actor.value, 0)) for actor in actors]
        return sorted(counted, key=lambda actor: -actor.events)

    def _rows(self, scope: TenantScope, statement: Statement) -> list[dict[str, Any]]:
        summary = replace(statement, settings=statement.settings | _BLOCKS, is_summary=True)
        return self._executor.rows(summary, scope.tenant)


def _parts(rows: list[dict[str, Any]]) -> list[StoredPart]:
    return [StoredPart(_decoded(row["part"]), row["first"], row["last"]) for row in rows if row["part"]]


def _count(row: dict[str, Any]) -> Count:
    return Count(value=_decoded(row["value"]) or None, events=row["events"])


def _decoded(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _micros(times: list[datetime]) -> list[int]:
    return [(at - _EPOCH) // _TICK for at in times]


def _text(at: datetime | None) -> str:
    return at.isoformat().replace("+00:00", "Z") if at else ""
