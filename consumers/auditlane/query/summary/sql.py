"""Statements for summaries. `query.sql.where` compiles the conditions of their filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.event import Severity
from auditlane.query.clickhouse.statements import (
    AS_TEXT,
    BY_PARTITION,
    EVENTS,
    NULLABLE,
    Parameters,
    Statement,
    select,
    statement,
)
from auditlane.query.filters import Filter
from auditlane.query.language.tree import Field
from auditlane.query.sql import are_shared, is_access, narrows, where

SEVERE: Final = (Severity.High, Severity.Critical, Severity.Error)
# The value that a filter on `actor` matches: the name, or the id if there is no name.
_ACTOR: Final = "if(ifNull(e.actor_name, '') = '', e.actor_id, assumeNotNull(e.actor_name))"
# Only what ClickHouse keeps in memory about the parts, since the partition key is computed from `occurred_at`.
_PARTS: Final = (
    "SELECT _part AS part, toUnixTimestamp64Micro(min(occurred_at)) AS first,"  # noqa: S608 - placeholders
    f" toUnixTimestamp64Micro(max(occurred_at)) AS last FROM {{database:Identifier}}.{EVENTS} GROUP BY part"
)
TOTAL: Final = "total"  # the places of rows in the statistics
ACTIONS: Final = "actions"
ACTORS: Final = "actors"
_METADATA_ROWS: Final = 1_000_000  # the granules at the ends of a time range are read, a few for each part
# All parts of a query read one snapshot of the table.
_SHARED_SNAPSHOT: Final = {"enable_shared_storage_snapshot_in_query": 1}


def compile_facet(database: str, scope: TenantScope, filter_: Filter, field: Field, limit: int) -> Statement:
    """Compile a query for the most frequent values of a field. Each row contains `value`, which is empty for events
    without a value, and `events`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    tail = f"GROUP BY value ORDER BY events DESC, value LIMIT {parameters.add('UInt32', limit)}"
    return select(f"{_value(parameters, field)} AS value, count() AS events", conditions, tail, parameters)


def compile_extent(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """Compile a query for the time range of the matching events. Its single row contains `first` and `last` in
    microseconds, and `events`, which is 0 if no events match.
    """
    parameters = Parameters(database)
    micros = "toUnixTimestamp64Micro({}(e.occurred_at))"
    columns = f"count() AS events, {micros.format('min')} AS first, {micros.format('max')} AS last"
    conditions = where(parameters, scope, filter_)
    if not are_shared(scope, filter_):
        return select(columns, conditions, "", parameters)
    if narrows(scope, filter_):
        return select(columns, conditions, "", parameters, of="copies")
    ends = [
        select("e.occurred_at", conditions, f"ORDER BY e.occurred_at {way} LIMIT 1", parameters, of="copies")
        for way in ("ASC", "DESC")
    ]
    rows = " UNION ALL ".join(f"({end.sql})" for end in ends)
    return statement(f"SELECT {columns} FROM ({rows}) AS e", parameters)  # noqa: S608 - placeholders


def compile_histogram(database: str, scope: TenantScope, filter_: Filter, edges: Sequence[int]) -> Statement:
    """Compile a query for a histogram. Each row contains `edge`, the start of a bucket in microseconds, and `events`.
    There are no rows for empty buckets.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    conditions.append(f"e.occurred_at >= {parameters.time(edges[0])}")
    conditions.append(f"e.occurred_at < {parameters.time(edges[-1])}")
    return select(f"{_bucket(parameters, edges)} AS edge, count() AS events", conditions, "GROUP BY edge", parameters)


def compile_parts(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """Compile a query for the parts of the table, with one row for each: `part` (its name), and `first` and `last` (the
    times of its rows in microseconds).

    A row without a name contains `rows`, the number of the tenant's rows in the time range of the filter. All of this
    comes from ClickHouse's metadata and index. If it does not, the limit on rows read ends the query.
    """
    parameters = Parameters(database)
    of_period = where(parameters, scope, Filter(filter_.since, filter_.until))
    rows = select("'' AS part, 0 AS first, 0 AS last, count() AS rows", of_period, "", parameters, of="copies")
    compiled = statement(f"SELECT *, 0 AS rows FROM ({_PARTS})\nUNION ALL\n{rows.sql}", parameters)  # noqa: S608
    return replace(compiled, rows_read=_METADATA_ROWS)


def compile_shared_snapshot(database: str) -> Statement:
    """Compile a query that returns a row if ClickHouse can read one snapshot of a table in all parts of a statement."""
    sql = "SELECT 1 AS found FROM system.settings WHERE name = 'enable_shared_storage_snapshot_in_query'"
    return statement(sql, Parameters(database), shared=True)


def compile_split_histogram(
    database: str, scope: TenantScope, filter_: Filter, edges: Sequence[int], without_copies: Sequence[bool]
) -> Statement:
    """Compile a query for a histogram. The filter has no conditions except a time range and `include_access`.

    In buckets without copies, rows are counted, for which ClickHouse reads little more than its index, and those about
    access to the log are subtracted. In the others, events are counted. Each row contains `edge` and `events`, to be
    added up, or a `part`, `first` and `last` as in `compile_parts`, from the same snapshot of the table.
    """
    parameters = Parameters(database)
    times = parameters.add("Array(Int64)", list(edges))
    bucket = f"roundDown(toUnixTimestamp64Micro(e.occurred_at), {times})"

    def between(first: int, end: int) -> str:
        start, stop = (f"fromUnixTimestamp64Micro({times}[{edge + 1}], 'UTC')" for edge in (first, end))
        return f"(e.occurred_at >= {start} AND e.occurred_at < {stop})"

    def within(kind: bool) -> str:
        runs = [[*run] for is_, run in groupby(range(len(without_copies)), without_copies.__getitem__) if is_ is kind]
        return f"({' OR '.join(between(run[0], run[-1] + 1) for run in runs)})"

    every_row = where(parameters, scope, replace(filter_, include_access=True))
    counts = [
        select(
            f"{times}[{place + 1}] AS edge, toInt64(count()) AS events",
            [*every_row, between(place, place + 1)],
            "",
            parameters,
            of="copies",
        )
        for place, is_without in enumerate(without_copies)
        if is_without
    ]
    if not filter_.include_access:
        access = [*every_row, within(True), is_access(parameters)]
        counts.append(
            select(f"{bucket} AS edge, -toInt64(count()) AS events", access, "GROUP BY edge", parameters, of="copies")
        )
    if not all(without_copies):
        conditions = [*where(parameters, scope, filter_), within(False)]
        counts.append(select(f"{bucket} AS edge, toInt64(count()) AS events", conditions, "GROUP BY edge", parameters))
    union = "\nUNION ALL\n".join(one.sql for one in counts)
    parts = f"SELECT 0 AS edge, toInt64(0) AS events, part, first, last FROM ({_PARTS})"  # noqa: S608 - placeholders
    sql = f"SELECT *, '' AS part, 0 AS first, 0 AS last FROM ({union})\nUNION ALL\n{parts}"  # noqa: S608 - placeholders
    compiled = statement(sql, parameters)
    return replace(compiled, settings=compiled.settings | BY_PARTITION | _SHARED_SNAPSHOT)


def compile_stats(
    database: str, scope: TenantScope, filter_: Filter, today: datetime, before: datetime | None = None, *, top: int
) -> Statement:
    """Compile a query for the number of matching events, and for the most frequent actions and actors among them.

    Each row contains the counts `today` (events since that time), `events` (all events) and `severe` (events with a
    severity in SEVERE). `events_before` and `severe_before` are the same counts for the period that begins at `before`.
    The row with the `place` TOTAL is about all events. There are at most `top` rows each with the place ACTIONS and
    ACTORS, which are about the events with a `value`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, replace(filter_, since=before or filter_.since))
    during = _during(parameters, filter_.since)
    severe = f"toString(e.severity) IN {parameters.add('Array(String)', [severity.value for severity in SEVERE])}"
    columns = (
        f"multiIf(grouping(action) = 0, '{ACTIONS}', grouping(actor) = 0, '{ACTORS}', '{TOTAL}') AS place, "
        f"if(place = '{ACTIONS}', action, actor) AS value, toString(e.action) AS action, {_ACTOR} AS actor, "
        f"countIf({during} AND e.occurred_at >= {parameters.time(today)}) AS today, "
        f"countIf({during}) AS events, countIf({during} AND {severe}) AS severe, "
        f"countIf(NOT {during}) AS events_before, countIf(NOT {during} AND {severe}) AS severe_before"
    )
    tail = (
        "GROUP BY GROUPING SETS ((), (action), (actor)) "
        f"ORDER BY place, events DESC, value LIMIT {parameters.add('UInt32', top)} BY place"
    )
    return select(columns, conditions, tail, parameters)


def compile_ranking(
    database: str, scope: TenantScope, filter_: Filter, field: Field, before: datetime | None, limit: int
) -> Statement:
    """Compile a query for the values with the most events, in the period of the filter or the preceding one, which
    begins at `before`.

    Each row contains a `value`, and the totals of all values: `values`, `new` (only in the filter's period) and
    `vanished` (only in the preceding one). For the field `actor`, it also contains the numbers of events with and
    without a name (`named`, `unnamed`).
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, replace(filter_, since=before or filter_.since))
    during = _during(parameters, filter_.since)
    now, then = f"countIf({during})", f"countIf(NOT {during})"
    named = "ifNull(e.actor_name, '') != ''" if field.path == "actor" else "true"
    columns = (
        f"{_value(parameters, field)} AS value, countIf({named}) AS named, countIf(NOT {named}) AS unnamed, "
        f"count() OVER () AS values, countIf({then} = 0) OVER () AS new, countIf({now} = 0) OVER () AS vanished"
    )
    order = f"ORDER BY greatest({now}, {then}) DESC, {now} DESC, value LIMIT {parameters.add('UInt32', limit)}"
    return select(columns, conditions, f"GROUP BY value HAVING value != '' {order}", parameters)


def compile_groups(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    field: Field,
    values: list[str],
    before: datetime | None,
    edges: list[int],
) -> Statement:
    """Compile a query that counts groups over time.

    Each row contains a `place`, an `edge`, `events` and `before`. The place is the position of the value in `values`,
    starting at 1, or 0 for any other value. The edge is the start of a bucket in microseconds. The column `before` is
    set in the first bucket only, and is the number of events in the preceding period, which begins at the parameter
    `before`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, replace(filter_, since=before or filter_.since))
    during = _during(parameters, filter_.since)
    place = f"indexOf({parameters.add('Array(String)', values)}, {_value(parameters, field)})"
    bucket = _bucket(parameters, edges)
    columns = f"{place} AS place, {bucket} AS edge, countIf({during}) AS events, countIf(NOT {during}) AS before"
    return select(columns, conditions, "GROUP BY place, edge", parameters)


def _bucket(parameters: Parameters, edges: Sequence[int]) -> str:
    """Compile the start of an event's bucket, in microseconds."""
    return f"roundDown(toUnixTimestamp64Micro(e.occurred_at), {parameters.add('Array(Int64)', list(edges))})"


def _during(parameters: Parameters, since: datetime | None) -> str:
    """Compile the condition that an event is in the period of the filter rather than the preceding one."""
    return f"e.occurred_at >= {parameters.time(since)}" if since else "true"


def compile_other_names(database: str, scope: TenantScope, filter_: Filter, actors: list[str]) -> Statement:
    """Compile a query for the number of events with one of these actors as their id but another name. Each row contains
    `value` (the id) and `events`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    conditions += [
        f"e.actor_id IN {parameters.add('Array(String)', actors)}",
        "ifNull(e.actor_name, '') NOT IN ('', e.actor_id)",
    ]
    return select("e.actor_id AS value, count() AS events", conditions, "GROUP BY value", parameters)


def _value(parameters: Parameters, field: Field) -> str:
    if field.group:
        return f"e.{field.group}[{parameters.text(field.name)}]"
    if field.name == "actor":
        return _ACTOR
    text = AS_TEXT.get(field.name, f"e.{field.name}")
    return f"toString(ifNull({text}, ''))" if field.name in NULLABLE else f"toString({text})"
