"""Read a tenant's log in their words: rows of a page with the total, and the two numbers over their table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import row_of
from auditlane.query.clickhouse.concurrency import TenantConcurrency
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.frontegg import sql
from auditlane.query.frontegg.query_params import AuditQuery
from auditlane.query.models import Event
from auditlane.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Stats:
    """How many events since midnight (UTC), and how many severe ones in seven days."""

    today: int
    severe: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """How many events of each of the commonest resources, and in each stretch of time, by its beginning."""

    resources: dict[str, int]
    times: dict[str, int]


class FronteggReader:
    """Reads from any number of threads; connects when it is first asked something. Raises what `executor` does."""

    def __init__(self, settings: Settings, concurrency: TenantConcurrency | None = None) -> None:
        self._database = settings.clickhouse_database
        self._executor = QueryExecutor.for_pages(settings, concurrency=concurrency)

    def page(self, scope: TenantScope, query: AuditQuery, *, vendor: str) -> tuple[list[dict[str, Any]], int]:
        """(rows, how many there are on all pages)."""
        rows = self._executor.rows(sql.compile_page(self._database, scope, query), scope.tenant)
        if len(rows) < query.count and (rows or not query.offset):
            total = query.offset + len(rows)  # the last page: nothing is left to count
        else:
            total = int(self._executor.rows(sql.compile_count(self._database, scope, query), scope.tenant)[0]["rows"])
        return [row_of(_event(row["line"]), vendor=vendor) for row in rows], total

    def stats(self, scope: TenantScope, now: datetime) -> Stats:
        """The numbers as of `now`."""
        row = self._executor.rows(sql.compile_stats(self._database, scope, now), scope.tenant)[0]
        return Stats(int(row["today"]), int(row["severe"]))

    def metrics(self, scope: TenantScope, query: AuditQuery, *, every: str) -> Metrics:
        """Counts of what is asked for; `every` is hour, day, week or month."""
        top = self._executor.rows(sql.compile_top(self._database, scope, query, limit=query.count), scope.tenant)
        times = self._executor.rows(sql.compile_over_time(self._database, scope, query, every=every), scope.tenant)
        return Metrics(_counts(top), _counts(times))

    def close(self) -> None:
        """Close the connections."""
        self._executor.close()


def _event(line: bytes) -> dict[str, Any]:
    return Event.model_validate_json(line.decode(errors="replace")).model_dump(mode="json")


def _counts(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {row["name"].decode(errors="replace"): int(row["rows"]) for row in rows}
