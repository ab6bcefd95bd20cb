"""Reads a tenant's log for Frontegg's clients: pages of rows with the total, and the figures for their dashboard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import row_of
from auditlane.contract.stored_event import Event
from auditlane.query.clickhouse.executor import Observe, QueryExecutor, TenantConcurrency
from auditlane.query.frontegg import sql
from auditlane.query.frontegg.query_params import AuditQuery
from auditlane.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Stats:
    """The number of events since midnight (UTC), and of severe events in the last seven days."""

    today: int
    severe: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """The numbers of events for the most frequent resources, and for each interval, identified by its start."""

    resources: dict[str, int]
    times: dict[str, int]


class FronteggReader:
    """Reads pages and statistics. Connects on the first query. Thread-safe.

    Raises the same errors as `QueryExecutor.rows`.
    """

    def __init__(
        self, settings: Settings, concurrency: TenantConcurrency | None = None, observe: Observe | None = None
    ) -> None:
        self._database = settings.clickhouse_database
        self._executor = QueryExecutor.for_pages(settings, concurrency=concurrency, observe=observe)

    def page(self, scope: TenantScope, query: AuditQuery, *, vendor: str) -> tuple[list[dict[str, Any]], int]:
        """Return the rows of a page, and the total number of rows."""
        rows = self._executor.rows(sql.compile_page(self._database, scope, query), scope.tenant)
        if len(rows) < query.count and (rows or not query.offset):
            total = query.offset + len(rows)  # the last page, so no count is needed
        else:
            total = int(self._executor.rows(sql.compile_count(self._database, scope, query), scope.tenant)[0]["rows"])
        return [row_of(_event(row["line"]), vendor=vendor) for row in rows], total

    def stats(self, scope: TenantScope, query: AuditQuery, now: datetime) -> Stats:
        """Return the figures of the matching events as of `now`."""
        row = self._executor.rows(sql.compile_stats(self._database, scope, query, now), scope.tenant)[0]
        return Stats(int(row["today"]), int(row["severe"]))

    def metrics(self, scope: TenantScope, query: AuditQuery, *, every: str) -> Metrics:
        """Count the matching events. `every` is hour, day, week or month."""
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
