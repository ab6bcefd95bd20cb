"""Finds events in conflict. An event is in conflict if the tenant has another event with the same id and time but
different content.

Conflicts are looked up only for the events on a page, by the sorting key of the table. The whole log is never searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import PLACE, Parameters, Statement, select
from auditlane.query.copies import Key, Row, key_of, shared
from auditlane.query.filters import Filter
from auditlane.query.sql import of_tenant, where, within_base_filter

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Conflicts:
    """Looks up conflicts for one tenant at a time. Thread-safe. Raises the same errors as `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database

    def stored(self, scope: TenantScope, rows: Sequence[Row], *, seconds: float | None = None) -> list[Row]:
        """Return the contents that are stored under the keys of these rows, as described in `compile_contents`.

        This does not take a query slot from the tenant, since it is part of the query that read the rows.
        """
        if not rows:
            return []
        statement = compile_contents(self._database, scope, map(key_of, rows))
        return list(self._executor.rows(statement, seconds=seconds))

    def among(self, scope: TenantScope, rows: Sequence[Row]) -> set[Key]:
        """Return those keys of these rows that several stored events share. Rows have the columns `statements.KEY`."""
        return shared(self.stored(scope, rows))


def in_conflict(parameters: Parameters, scope: TenantScope, filter_: Filter) -> str:
    """Compile the condition that an event is in conflict, for a statement over all events that match a filter.

    Evaluating it takes another pass over the keys in the time range of the filter, to find the few keys that several
    events share.
    """
    conditions = "\n  AND ".join(where(parameters, scope, Filter(filter_.since, filter_.until)))
    return (
        "(e.occurred_at, e.event_id) GLOBAL IN (SELECT e.occurred_at, e.event_id"
        f"\nFROM {{database:Identifier}}.log AS e\nWHERE {conditions}"
        "\nGROUP BY e.tenant_id, e.occurred_at, e.event_id HAVING count() > 1"
        # aggregates in key order, so that no group stays in memory
        "\nSETTINGS optimize_aggregation_in_order = 1)"
    )


def compile_contents(database: str, scope: TenantScope, keys: Iterable[Key]) -> Statement:
    """Compile a query for the contents stored under these keys. The result may include other combinations of their
    times and ids.

    Returns one row per identity with `statements.PLACE`, the highest `rank`, and whether the first copy is `visible`
    under the base filter. The table has every copy, so no deduplication is needed.
    """
    times, ids = zip(*keys, strict=True)
    parameters = Parameters(database)
    conditions = [of_tenant(parameters, scope)]
    # Separate conditions per column let ClickHouse use the primary key and the index on ids.
    written = [f"{_EPOCH + timedelta(microseconds=micros):%Y-%m-%d %H:%M:%S.%f}" for micros in sorted(set(times))]
    conditions.append("e.occurred_at IN " + parameters.add("Array(DateTime64(6, 'UTC'))", written))
    conditions.append(f"e.event_id IN {parameters.add('Array(UUID)', sorted(set(ids)))}")
    group = "GROUP BY e.occurred_at, e.event_id, e.content_hash"
    visible = f"argMax({within_base_filter(parameters, scope)}, e.first_wins)"
    columns = f"{PLACE}, max(e.first_wins) AS rank, {visible} AS visible"
    return select(columns, conditions, group, parameters, of="copies")
