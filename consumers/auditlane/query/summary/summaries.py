"""Computes summaries of one tenant's events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.fields import BASE
from auditlane.query.filters import Filter
from auditlane.query.language.tree import Field
from auditlane.query.summary import sql
from auditlane.query.summary.buckets import edges, fitting
from auditlane.query.summary.models import Bucket, Count, Facet, Histogram, Stats

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
WEEK: Final = timedelta(days=7)
TOP: Final = 10  # number of actions and actors in the statistics


class Summaries:
    """Computes summaries through `executor`. Raises the errors of `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database

    def facet(self, scope: TenantScope, filter_: Filter, field: Field, *, limit: int) -> Facet:
        """Return the field's most frequent values among the matching events."""
        rows = self._rows(scope, sql.compile_facet(self._database, scope, filter_, field, limit))
        return Facet(field=field.path, data=[_count(row) for row in rows])

    def histogram(self, scope: TenantScope, filter_: Filter, *, zone: ZoneInfo, max_buckets: int) -> Histogram:
        """Count events in about `max_buckets` buckets.

        An open end of the filter's time range extends to the first or last event.
        """
        since, until = filter_.since, filter_.until
        if since is None or until is None:
            row = self._rows(scope, sql.compile_extent(self._database, scope, filter_))[0]
            if not row["events"]:
                return Histogram(interval=fitting(_EPOCH, _EPOCH, max_buckets).name, tz=zone.key, events=0, data=[])
            since = since or _EPOCH + timedelta(microseconds=row["first"])
            until = until or _EPOCH + timedelta(microseconds=row["last"]) + _TICK
        width = fitting(since, until, max_buckets)
        starts = edges(since, until, width, zone)
        places = [(start - _EPOCH) // _TICK for start in starts]
        rows = self._rows(scope, sql.compile_histogram(self._database, scope, filter_, places))
        found = {row["edge"]: row["events"] for row in rows}
        data = [
            Bucket(start=_text(start), end=_text(end), events=found.get(place, 0))
            for start, end, place in zip(starts, starts[1:], places, strict=False)
        ]
        return Histogram(interval=width.name, tz=zone.key, events=sum(bucket.events for bucket in data), data=data)

    def stats(self, scope: TenantScope, filter_: Filter, *, zone: ZoneInfo, now: datetime) -> Stats:
        """Return the figures of the filter's time range; without one, of the seven days before `now`.

        The day starts at midnight in the zone.
        """
        today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
        bounded = filter_.since is not None or filter_.until is not None
        counted = filter_ if bounded else replace(filter_, since=now - WEEK)
        numbers = self._rows(scope, sql.compile_numbers(self._database, scope, counted, today))[0]
        actions, actors = (
            self.facet(scope, counted, Field(name, BASE[name]), limit=TOP).data for name in ("action", "actor")
        )
        return Stats(tz=zone.key, **numbers, actions=actions, actors=self._as_filtered(scope, counted, actors))

    def _as_filtered(self, scope: TenantScope, filter_: Filter, actors: list[Count]) -> list[Count]:
        """Count what the filter `actor` finds: an id also occurs in events that have a name."""
        wanted = [actor.value for actor in actors if actor.value]
        rows = self._rows(scope, sql.compile_actor_counts(self._database, scope, filter_, wanted)) if wanted else []
        found = {count.value: count.events for count in map(_count, rows)}
        counted = [Count(value=actor.value, events=found.get(actor.value, actor.events)) for actor in actors]
        return sorted(counted, key=lambda actor: -actor.events)

    def _rows(self, scope: TenantScope, statement: Statement) -> list[dict[str, Any]]:
        return self._executor.rows(statement, scope.tenant)


def _count(row: dict[str, Any]) -> Count:
    value = row["value"]
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return Count(value=text or None, events=row["events"])


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
