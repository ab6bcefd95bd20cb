"""Compiles an `AuditQuery` to SQL. A column's value is the value that a row has under Frontegg's name for that
column.
"""

from __future__ import annotations

import ipaddress
import math
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.frontegg import ACTORS, MARK, NAMES, OURS
from auditlane.contract.lenient_time import parse_time
from auditlane.query.clickhouse.statements import AS_TEXT, JSON_LINE, PLACE, Parameters, Statement, select
from auditlane.query.export.formats import Form, Format
from auditlane.query.export.sql import CELLS, FORMULA
from auditlane.query.filters import MAX_WORDS, Filter
from auditlane.query.frontegg.query_params import AuditQuery, Condition
from auditlane.query.sql import where
from auditlane.runtime.errors import InvalidFilter

SEVERE: Final = (Severity.High, Severity.Critical, Severity.Error)
WEEK: Final = timedelta(days=7)
_TIMES: Final = frozenset({"occurred_at", "ingested_at"})
_ENUMS: Final = {
    "severity": {severity.value.lower(): severity.value for severity in Severity},
    "outcome": {outcome.value.lower(): outcome.value for outcome in Outcome},
}
_BEGINS: Final = {
    "hour": "toStartOfHour",
    "day": "toStartOfDay",
    "week": "toMonday",
    "month": "toStartOfMonth",
}
_MILLISECOND: Final = timedelta(milliseconds=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def compile_page(database: str, scope: TenantScope, query: AuditQuery) -> Statement:
    """Compile a query for a page of events. Each row contains `line`, the event as JSON."""
    parameters = Parameters(database)
    conditions = _where(parameters, scope, query)
    tail = f"LIMIT {parameters.add('UInt32', query.count)} OFFSET {parameters.add('UInt64', query.offset)}"
    return select(f"{JSON_LINE} AS line", conditions, f"{_order(parameters, query)} {tail}", parameters)


def compile_count(database: str, scope: TenantScope, query: AuditQuery) -> Statement:
    """Compile a query that counts matching events. Its single row contains `rows` and `bound`, the newest `ingested_at`
    in milliseconds.
    """
    parameters = Parameters(database)
    columns = "count() AS rows, toUnixTimestamp64Milli(max(e.ingested_at)) AS bound"
    return select(columns, _where(parameters, scope, query), "", parameters)


def compile_export(database: str, scope: TenantScope, query: AuditQuery, form: Form, *, bound_ms: int) -> Statement:
    """Compile a query for the events up to the bound, in the order of the query, with the columns that
    `Exporter.started` needs.
    """
    parameters = Parameters(database)
    conditions = _where(parameters, scope, query)
    conditions.append(f"e.ingested_at <= fromUnixTimestamp64Milli({parameters.add('Int64', bound_ms)}, 'UTC')")
    cells = [_cell(parameters, column.name) for column in form.columns]
    if form.format is Format.csv:
        safe = (f"if(match({cell}, '{FORMULA}'), concat('\\'', {cell}), {cell})" for cell in cells)
        shown = f"formatRow('CSV', {', '.join(safe)}) AS line"
    else:
        shown = ", ".join(f"CAST(toValidUTF8({cell}), 'Nullable(String)') AS c{n}" for n, cell in enumerate(cells))
    statement = select(f"{shown}, {PLACE}", conditions, _order(parameters, query), parameters)
    return statement if form.format.lines else replace(statement, settings=statement.settings | CELLS)


def compile_stats(database: str, scope: TenantScope, query: AuditQuery, now: datetime) -> Statement:
    """Compile a query for two counts. Its single row contains `today`, the events since midnight (UTC), and `severe`,
    the SEVERE events of the last seven days.
    """
    parameters = Parameters(database)
    midnight = parameters.time(now.replace(hour=0, minute=0, second=0, microsecond=0))
    week = parameters.time(now - WEEK)
    severe = parameters.add("Array(String)", [severity.value for severity in SEVERE])
    conditions = [*_where(parameters, scope, query), f"e.occurred_at >= {week}"]
    today = f"countIf(e.occurred_at >= {midnight}) AS today"
    return select(f"{today}, countIf(toString(e.severity) IN {severe}) AS severe", conditions, "", parameters)


def compile_top(database: str, scope: TenantScope, query: AuditQuery, *, limit: int) -> Statement:
    """Compile a query for the most frequent resources. Each row contains `name` and `rows`."""
    parameters = Parameters(database)
    tail = f"GROUP BY name ORDER BY rows DESC, name LIMIT {parameters.add('UInt32', limit)}"
    conditions = [*_where(parameters, scope, query), "e.resource != ''"]
    return select("e.resource AS name, count() AS rows", conditions, tail, parameters)


def compile_over_time(database: str, scope: TenantScope, query: AuditQuery, *, every: str) -> Statement:
    """Compile a query that counts events by hour, day, week or month (UTC). Each row contains `name`, the interval's
    start, and `rows`.
    """
    parameters = Parameters(database)
    begin = f"toDateTime({_BEGINS[every]}(e.occurred_at, 'UTC'), 'UTC')"
    begins = f"formatDateTime({begin}, '%Y-%m-%dT%H:%i:%S.000Z', 'UTC') AS name"
    conditions = _where(parameters, scope, query)
    return select(f"{begins}, count() AS rows", conditions, "GROUP BY name ORDER BY name LIMIT 10000", parameters)


def _where(parameters: Parameters, scope: TenantScope, query: AuditQuery) -> list[str]:
    words = tuple(dict.fromkeys(query.text.split()))
    if len(words) > MAX_WORDS:
        raise InvalidFilter(f"'filter' has more than {MAX_WORDS} words.", field="filter", fix="Use fewer words.")
    conditions = where(parameters, scope, Filter(words=words, include_access=query.include_access))
    return [*conditions, *(_condition(parameters, condition) for condition in query.conditions)]


def _order(parameters: Parameters, query: AuditQuery) -> str:
    column = NAMES.get(query.sort_by, "")
    way = "DESC" if query.descending else "ASC"
    by = f"e.{column}" if column in AS_TEXT else _text(parameters, query.sort_by)
    first = "" if column == "occurred_at" else f"{by} {way}, "
    last = way if column == "occurred_at" else "DESC"
    return f"ORDER BY {first}e.occurred_at {last}, e.event_id {last}, e.content_hash {last}"


def _condition(parameters: Parameters, condition: Condition) -> str:
    if condition.operator == "not in":
        return f"NOT ({_condition(parameters, Condition(condition.name, 'in', condition.values))})"
    if condition.operator == "contains":
        text = _text(parameters, condition.name)
        found = [f"positionCaseInsensitiveUTF8({text}, {parameters.text(value)}) > 0" for value in condition.values]
        return f"({' OR '.join(found)})"
    column = NAMES.get(condition.name, "")
    if column in _TIMES or (condition.name == "time" and condition.operator != "in"):
        return _timed(parameters, column or "occurred_at", condition)
    if condition.operator == "in":
        return _any_of(parameters, column, condition)
    return f"({' OR '.join(_compared(parameters, column, condition, value) for value in condition.values)})"


def _any_of(parameters: Parameters, column: str, condition: Condition) -> str:
    """Compile the condition that a column equals one of the values.

    A value that the column cannot store, such as an invalid address, is looked up in the metadata, where the gateway
    keeps it.
    """
    typed = _TYPED.get(column)
    if typed is None:
        text, values = _text(parameters, condition.name), parameters.add("Array(String)", list(condition.values))
        is_one = f"{text} IN {values}"
        return (
            is_one if condition.name in NAMES else f"({is_one} OR {_in_list(parameters, condition.name, text, values)})"
        )
    left, kind, read = typed
    held = {value: read(value) for value in condition.values}
    fitting = [value for value in held.values() if value is not None]
    rest = [value for value, fits in held.items() if fits is None]
    found = [f"{left} IN {parameters.add(f'Array({kind})', fitting)}"] if fitting else []
    if rest:
        key = parameters.text(condition.name)
        found.append(f"e.metadata[{key}] IN {parameters.add('Array(String)', rest)}")
    return f"ifNull({' OR '.join(found)}, 0)"


def _in_list(parameters: Parameters, name: str, text: str, values: str) -> str:
    """Compile the condition that a list, stored as marked JSON, contains one of the values."""
    marked = f"JSONExtract(e.metadata[{parameters.text(MARK)}], 'Array(String)')"
    members = f"JSONExtract({text}, 'Array(String)')"
    is_list = f"startsWith({text}, '[') AND has({marked}, {parameters.text(name)})"
    return f"({is_list} AND hasAny({members}, {values}))"


def _compared(parameters: Parameters, column: str, condition: Condition, value: str) -> str:
    if column == "severity":
        ranks = [name.lower() for name in Severity]
        if value.lower() not in ranks:
            raise _unfit(condition.name, value, "Use one of: " + ", ".join(Severity) + ".")
        return f"toInt8(e.severity) {condition.operator} {parameters.add('Int8', ranks.index(value.lower()))}"
    text = _text(parameters, condition.name)
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):  # a word such as "infinity" is compared as text
        return f"{text} {condition.operator} {parameters.text(value)}"
    return f"ifNull(toFloat64OrNull({text}) {condition.operator} {parameters.add('Float64', number)}, 0)"


def _timed(parameters: Parameters, column: str, condition: Condition) -> str:
    """Compile a time comparison.

    A value in whole milliseconds covers that entire millisecond, since times are shown in milliseconds.
    """
    found = []
    for value in condition.values:
        time = parse_time(value)
        if time is None:
            raise _unfit(condition.name, value, "Write it as RFC 3339, such as 2026-01-31T13:45:00Z.")
        width = _MILLISECOND if time.microsecond % 1000 == 0 else _MICROSECOND
        since, until = f"e.{column} >= {parameters.time(time)}", f"e.{column} < {parameters.time(time + width)}"
        found.append(
            {
                "in": f"({since} AND {until})",
                ">": f"NOT {until}",
                ">=": since,
                "<": f"NOT {since}",
                "<=": until,
            }[condition.operator]
        )
    return f"({' OR '.join(found)})"


def _text(parameters: Parameters, name: str) -> str:
    """Compile the text of a row under this name. It is empty if the row has none."""
    if column := NAMES.get(name):
        return f"ifNull({AS_TEXT.get(column, f'e.{column}')}, '')"
    key = parameters.text(name)
    beside = "ifNull(e.actor_name, '')" if name in ACTORS else f"e.fields[{key}]"
    return f"if(mapContains(e.metadata, {key}), e.metadata[{key}], {beside})"


def _cell(parameters: Parameters, name: str) -> str:
    """Compile the text like `_text`, including values that the column could not store. Not for use in filters, since it
    reads all metadata.
    """
    text = _text(parameters, name)
    if name in OURS or name not in NAMES:
        return text
    key = parameters.text(name)
    return f"if(mapContains(e.metadata, {key}), e.metadata[{key}], {text})"


def _uuid(value: str) -> str | None:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        return None


def _address(value: str) -> str | None:
    address = parse_ip(value)
    if isinstance(address, ipaddress.IPv4Address):
        return f"::ffff:{address}"
    return str(address) if address else None


# Typed columns: expression, type, and a function that parses a value and returns None if the column cannot hold it.
_TYPED: Final[dict[str, tuple[str, str, Callable[[str], str | None]]]] = {
    "event_id": ("e.event_id", "UUID", _uuid),
    "ip": ("e.ip", "IPv6", _address),
    "severity": ("toString(e.severity)", "String", lambda value: _ENUMS["severity"].get(value.lower())),
    "outcome": ("toString(e.outcome)", "String", lambda value: _ENUMS["outcome"].get(value.lower())),
}


def _unfit(name: str, value: str, fix: str) -> InvalidFilter:
    return InvalidFilter(f"{name[:100]!r} cannot be compared with {value[:60]!r}.", field=name[:100], fix=fix)
