"""Statements for summaries. `query.sql.where` compiles the conditions of their filters."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.event import Severity
from auditlane.query.clickhouse.statements import AS_TEXT, NULLABLE, Parameters, Statement, select, statement
from auditlane.query.filters import Filter
from auditlane.query.language.tree import Field
from auditlane.query.sql import are_shared, narrows, where

SEVERE: Final = (Severity.High, Severity.Critical, Severity.Error)
# The value that a filter on `actor` matches: the name, or the id if there is no name.
_ACTOR: Final = "if(ifNull(e.actor_name, '') = '', e.actor_id, assumeNotNull(e.actor_name))"


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


def compile_histogram(database: str, scope: TenantScope, filter_: Filter, edges: list[int]) -> Statement:
    """Compile a query for a histogram. Each row contains `edge`, the start of a bucket in microseconds, and `events`.
    There are no rows for empty buckets.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    bucket = f"roundDown(toUnixTimestamp64Micro(e.occurred_at), {parameters.add('Array(Int64)', edges)})"
    conditions.append(f"e.occurred_at >= {parameters.time(edges[0])}")
    conditions.append(f"e.occurred_at < {parameters.time(edges[-1])}")
    return select(f"{bucket} AS edge, count() AS events", conditions, "GROUP BY edge ORDER BY edge", parameters)


def compile_numbers(
    database: str, scope: TenantScope, filter_: Filter, today: datetime, before: datetime | None = None
) -> Statement:
    """Compile a query that counts matching events.

    Its single row contains `today` (events since that time), `events` (all events) and `severe` (events with a severity
    in SEVERE). `events_before` and `severe_before` are the same counts for the period that begins at `before`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, replace(filter_, since=before or filter_.since))
    during = _during(parameters, filter_.since)
    severe = f"toString(e.severity) IN {parameters.add('Array(String)', [severity.value for severity in SEVERE])}"
    columns = (
        f"countIf({during} AND e.occurred_at >= {parameters.time(today)}) AS today, "
        f"countIf({during}) AS events, countIf({during} AND {severe}) AS severe, "
        f"countIf(NOT {during}) AS events_before, countIf(NOT {during} AND {severe}) AS severe_before"
    )
    return select(columns, conditions, "", parameters)


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
    bucket = f"roundDown(toUnixTimestamp64Micro(e.occurred_at), {parameters.add('Array(Int64)', edges)})"
    columns = f"{place} AS place, {bucket} AS edge, countIf({during}) AS events, countIf(NOT {during}) AS before"
    return select(columns, conditions, "GROUP BY place, edge", parameters)


def _during(parameters: Parameters, since: datetime | None) -> str:
    """Compile the condition that an event is in the period of the filter rather than the preceding one."""
    return f"e.occurred_at >= {parameters.time(since)}" if since else "true"


def compile_actor_counts(database: str, scope: TenantScope, filter_: Filter, actors: list[str]) -> Statement:
    """Compile a query for the number of events that a filter on `actor` finds, for each of these actors. Each row
    contains `value` and `events`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    wanted = parameters.add("Array(String)", actors)
    found = f"arrayFilter(one -> has({wanted}, one), arrayDistinct([e.actor_id, ifNull(e.actor_name, '')]))"
    return select(f"arrayJoin({found}) AS value, count() AS events", conditions, "GROUP BY value", parameters)


def _value(parameters: Parameters, field: Field) -> str:
    if field.group:
        return f"e.{field.group}[{parameters.text(field.name)}]"
    if field.name == "actor":
        return _ACTOR
    text = AS_TEXT.get(field.name, f"e.{field.name}")
    return f"toString(ifNull({text}, ''))" if field.name in NULLABLE else f"toString({text})"
