"""Finds events in conflict. An event is in conflict if another event of the tenant has the same id and time but
different content.

Conflicts are looked up only for the events on a page, by the table's sorting key. The whole log is never searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import KEY, Parameters, Statement, select
from auditlane.query.filters import Filter
from auditlane.query.sort import Position
from auditlane.query.sql import where

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[int, str]  # (occurred_at in microseconds, event id): unique unless events are in conflict


def adjacent(rows: Iterable[Mapping[str, Any]], before: Position | None = None) -> set[Key]:
    """Return the keys that occur more than once among the rows of a complete, time-sorted list.

    This needs no query, since such rows are adjacent. `before` is the row before the first.
    """
    keys = [*([(before.occurred_us, before.event_id)] if before else []), *map(key_of, rows)]
    return {key for key, following in pairwise(keys) if key == following}


class Conflicts:
    """Looks up conflicts for one tenant at a time. Thread-safe. Raises the same errors as `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database

    def among(self, scope: TenantScope, rows: Sequence[Mapping[str, Any]], *, seconds: float | None = None) -> set[Key]:
        """Return those keys in the rows that several stored events share. The rows have the columns `statements.KEY`.

        The search takes none of the tenant's query slots, since it is part of the query that read the rows.
        """
        if not rows:
            return set()
        statement = compile_conflicts(self._database, scope, map(key_of, rows))
        return set(map(key_of, self._executor.rows(statement, seconds=seconds)))


def key_of(row: Mapping[str, Any]) -> Key:
    """Return a row's key."""
    id_ = row["id"]
    return int(row["occurred_us"]), id_.decode() if isinstance(id_, bytes) else str(id_)


def in_conflict(parameters: Parameters, scope: TenantScope, filter_: Filter) -> str:
    """Compile the condition that an event is in conflict, for a statement over all events that a filter matches.

    Evaluating it takes another pass over the keys in the filter's time range, to find the few keys that several events
    share.
    """
    conditions = "\n  AND ".join(where(parameters, scope, Filter(filter_.since, filter_.until)))
    return (
        "(e.occurred_at, e.event_id) GLOBAL IN (SELECT e.occurred_at, e.event_id"
        f"\nFROM {{database:Identifier}}.log AS e\nWHERE {conditions}"
        "\nGROUP BY e.tenant_id, e.occurred_at, e.event_id HAVING count() > 1"
        # aggregates in key order, so that no group has to stay in memory
        "\nSETTINGS optimize_aggregation_in_order = 1)"
    )


def compile_conflicts(database: str, scope: TenantScope, keys: Iterable[Key]) -> Statement:
    """Compile a search for keys that several events share. Each row contains `statements.KEY`.

    The result contains such keys among `keys`, but may also contain other pairs of their times and ids.
    """
    times, ids = zip(*keys, strict=True)
    parameters = Parameters(database)
    conditions = where(parameters, scope, Filter())
    # A condition for each column lets ClickHouse use the primary key.
    written = [f"{_EPOCH + timedelta(microseconds=micros):%Y-%m-%d %H:%M:%S.%f}" for micros in sorted(set(times))]
    conditions.append("e.occurred_at IN " + parameters.add("Array(DateTime64(6, 'UTC'))", written))
    conditions.append(f"e.event_id IN {parameters.add('Array(UUID)', sorted(set(ids)))}")
    return select(KEY, conditions, "GROUP BY e.occurred_at, e.event_id HAVING count() > 1", parameters)
