"""Which events are in conflict: another one of the tenant claims the same id and time with different content.

Looked up for the events that are shown, by the keys that the store is sorted by; the whole log is never searched for
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.columns import KEY
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import Parameters, Statement, select
from auditlane.query.cursor import Position
from auditlane.query.filters import Filter
from auditlane.query.sql import where

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
Key = tuple[int, str]  # what an event without conflict has alone: when it occurred (microseconds), its id


def adjacent(rows: Iterable[Mapping[str, Any]], before: Position | None = None) -> set[Key]:
    """The keys of several among rows of a list by time that leaves none out, in either direction; no look-up is needed,
    since such rows lie side by side. `before` is the row that the first of them comes after."""
    keys = [*([(before.occurred_us, before.event_id)] if before else []), *map(key_of, rows)]
    return {one for one, following in pairwise(keys) if one == following}


class Conflicts:
    """Looks conflicts up for one tenant at a time; thread-safe. Raises what reading raises."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database

    def among(self, scope: TenantScope, rows: Sequence[Mapping[str, Any]], *, seconds: float | None = None) -> set[Key]:
        """Of these rows' keys those that more than one stored event has; rows have the columns `columns.KEY`.

        It takes no turn of the tenant's: it belongs to what the rows were read for.
        """
        if not rows:
            return set()
        statement = compile_conflicts(self._database, scope, map(key_of, rows))
        return set(map(key_of, self._executor.rows(statement, seconds=seconds)))


def key_of(row: Mapping[str, Any]) -> Key:
    """A row's key."""
    id_ = row["id"]
    return int(row["occurred_us"]), id_.decode() if isinstance(id_, bytes) else str(id_)


def in_conflict(parameters: Parameters, scope: TenantScope, filter_: Filter) -> str:
    """Whether an event is in conflict, for a statement over all that a filter matches: one further pass over the keys
    of its stretch of time, which gives the few that several events have."""
    conditions = "\n  AND ".join(where(parameters, scope, Filter(filter_.since, filter_.until)))
    return (
        "(e.occurred_at, e.event_id) GLOBAL IN (SELECT e.occurred_at, e.event_id"
        f"\nFROM {{database:Identifier}}.log AS e\nWHERE {conditions}"
        "\nGROUP BY e.tenant_id, e.occurred_at, e.event_id HAVING count() > 1"
        "\nSETTINGS optimize_aggregation_in_order = 1)"  # the keys come in this order, so that none need be remembered
    )


def compile_conflicts(database: str, scope: TenantScope, keys: Iterable[Key]) -> Statement:
    """Rows `columns.KEY`: every key of several events, among these keys and any other pair of their times and ids."""
    times, ids = zip(*keys, strict=True)
    parameters = Parameters(database)
    conditions = where(parameters, scope, Filter())
    # Each column by itself, since the primary key is searched with such conditions.
    written = [f"{_EPOCH + timedelta(microseconds=one):%Y-%m-%d %H:%M:%S.%f}" for one in sorted(set(times))]
    conditions.append("e.occurred_at IN " + parameters.add("Array(DateTime64(6, 'UTC'))", written))
    conditions.append(f"e.event_id IN {parameters.add('Array(UUID)', sorted(set(ids)))}")
    return select(KEY, conditions, "GROUP BY e.occurred_at, e.event_id HAVING count() > 1", parameters)
