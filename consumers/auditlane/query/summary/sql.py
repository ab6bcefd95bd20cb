"""The statements of summaries, with the conditions that `query.sql.where` compiles from a filter."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.event import Severity
from auditlane.query.clickhouse.statements import AS_TEXT, NULLABLE, Parameters, Statement, select
from auditlane.query.filters import Filter
from auditlane.query.language.tree import Field
from auditlane.query.sql import where

SEVERE: Final = (Severity.High, Severity.Critical, Severity.Error)
# A value that a filter on `actor` matches: the name, or the id if there is no name.
_ACTOR: Final = "if(ifNull(e.actor_name, '') = '', e.actor_id, assumeNotNull(e.actor_name))"


def compile_facet(database: str, scope: TenantScope, filter_: Filter, field: Field, limit: int) -> Statement:
    """Compile a field's most frequent values. Rows: `value`, which is empty for events without a value, and
    `events`.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    tail = f"GROUP BY value ORDER BY events DESC, value LIMIT {parameters.add('UInt32', limit)}"
    return select(f"{_value(parameters, field)} AS value, count() AS events", conditions, tail, parameters)


def compile_extent(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """Compile the time range of matching events. One row: `events`, and `first` and `last` in microseconds."""
    parameters = Parameters(database)
    micros = "toUnixTimestamp64Micro({}(e.occurred_at))"
    columns = f"count() AS events, {micros.format('min')} AS first, {micros.format('max')} AS last"
    return select(columns, where(parameters, scope, filter_), "", parameters)


def compile_histogram(database: str, scope: TenantScope, filter_: Filter, edges: list[int]) -> Statement:
    """Compile a histogram. Rows: `edge`, the start of a bucket in microseconds, and `events`; no row if empty."""
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    bucket = f"roundDown(toUnixTimestamp64Micro(e.occurred_at), {parameters.add('Array(Int64)', edges)})"
    conditions.append(f"e.occurred_at >= {parameters.time(edges[0])}")
    conditions.append(f"e.occurred_at < {parameters.time(edges[-1])}")
    return select(f"{bucket} AS edge, count() AS events", conditions, "GROUP BY edge ORDER BY edge", parameters)


def compile_numbers(database: str, scope: TenantScope, filter_: Filter, today: datetime) -> Statement:
    """Compile counts of matching events.

    One row: `today` (events since that time), `events` (all) and `severe` (events with a severity in SEVERE).
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    severe = parameters.add("Array(String)", [severity.value for severity in SEVERE])
    columns = (
        f"countIf(e.occurred_at >= {parameters.time(today)}) AS today, count() AS events, "
        f"countIf(toString(e.severity) IN {severe}) AS severe"
    )
    return select(columns, conditions, "", parameters)


def compile_actor_counts(database: str, scope: TenantScope, filter_: Filter, actors: list[str]) -> Statement:
    """Compile the number of events that a filter on `actor` finds for each of these actors. Rows: `value`, `events`."""
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
