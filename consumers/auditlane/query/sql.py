"""Compile (TenantScope, Filter, Position) to SQL over the view `log`. Values travel as parameters, never in the text.

The text depends only on which filters are there. Columns are always written `e.column`, because ClickHouse would take a
bare name for the alias of the same name in the select list.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.query.cursor import Position
from auditlane.query.filters import Filter

# Every column that a reader sees, in this order, everywhere.
COLUMNS: Final = (*BASE_FIELDS, "fields", "ingested_at")

NEWEST_FIRST: Final = "ORDER BY e.occurred_at DESC, e.event_id DESC"
_OLDEST_FIRST: Final = "ORDER BY e.occurred_at, e.event_id"
_NULLABLE: Final = frozenset(
    {"actor_name", "on_behalf_of", "resource_id", "description", "ip", "user_agent", "request_id", "before", "after"}
)
FREE_TEXT: Final = (
    *("action", "actor_id", "actor_type", "actor_name", "on_behalf_of", "resource", "resource_id", "description"),
    *("user_agent", "request_id", "source", "before", "after"),
)
# Where free text is looked for, as one string each; the separator keeps a word from matching across two columns.
_SEARCHED: Final = "concat({})".format(
    ", '\\n', ".join(
        [
            *(f"ifNull(e.{name}, '')" if name in _NULLABLE else f"e.{name}" for name in FREE_TEXT),
            "toString(e.outcome)",
            "toString(e.severity)",
            "toString(e.event_id)",
            "ifNull(toString(e.ip), '')",
            "arrayStringConcat(mapValues(e.metadata), '\\n')",
            "arrayStringConcat(mapValues(e.fields), '\\n')",
        ]
    )
)
AS_TEXT: Final = {
    "event_id": "toString(e.event_id)",
    "occurred_at": "formatDateTime(e.occurred_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "ingested_at": "formatDateTime(e.ingested_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "outcome": "toString(e.outcome)",
    "severity": "toString(e.severity)",
    # ClickHouse holds IPv4 as an IPv6-mapped address.
    "ip": r"replaceRegexpOne(toString(e.ip), '^::ffff:([0-9]+[.])', '\\1')",
}
JSON_LINE: Final = "formatRow('JSONEachRow', {})".format(
    ", ".join(f"{AS_TEXT.get(name, f'e.{name}')} AS {name}" for name in COLUMNS)
)


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` placeholders, the values for them, and ClickHouse settings that its output depends on."""

    sql: str
    parameters: dict[str, Any]
    settings: dict[str, Any]


_OUTPUT: Final = {
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "format_csv_null_representation": "",
    "output_format_csv_crlf_end_of_line": 1,
    # The lines are bytes to us: one row of broken text must not stop the others.
    "output_format_arrow_string_as_string": 0,
    "output_format_arrow_compression_method": "none",
}


class Parameters:
    """Hands out placeholder names; every string goes as an array, whose quoting carries any character."""

    def __init__(self, database: str) -> None:
        self.values: dict[str, Any] = {"database": database}

    def add(self, kind: str, value: Any) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        return self.add("Array(String)", [value]) + "[1]"


def compile_page(
    database: str, scope: TenantScope, filter_: Filter, *, position: Position | None, limit: int
) -> Statement:
    """At most `limit` events next to the position: newest first, or nearest first when the page is the newer side.

    Rows: `line` (the event as JSON), `occurred_us` and `id`, of which a position is made.
    """
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    if position is not None:
        conditions.append(beside(parameters, position))
    order = _OLDEST_FIRST if position is not None and position.newer else NEWEST_FIRST
    return select(
        f"{JSON_LINE} AS line, toUnixTimestamp64Micro(e.occurred_at) AS occurred_us, toString(e.event_id) AS id",
        conditions,
        f"{order} LIMIT {parameters.add('UInt32', limit)}",
        parameters,
    )


def compile_one(database: str, scope: TenantScope, event_id: str) -> Statement:
    """The event with this id (the newest, should an emitter have used the id for several times), as `line`."""
    parameters = Parameters(database)
    tenant = parameters.text(scope.tenant)
    id_ = parameters.add("UUID", event_id)
    # The inner look-up reads one narrow column of the tenant's rows; the view then reads a single key.
    source = "{database:Identifier}.events"
    times = f"e.occurred_at IN (SELECT occurred_at FROM {source} WHERE tenant_id = {tenant} AND event_id = {id_})"  # noqa: S608 - placeholders
    conditions = [f"e.tenant_id = {tenant}", f"e.event_id = {id_}", times]
    return select(f"{JSON_LINE} AS line", conditions, f"{NEWEST_FIRST} LIMIT 1", parameters)


def compile_count(database: str, scope: TenantScope, filter_: Filter) -> Statement:
    """One row: `rows`, and `bound`, the newest ingested_at among them in milliseconds."""
    parameters = Parameters(database)
    columns = "count() AS rows, toUnixTimestamp64Milli(max(e.ingested_at)) AS bound"
    return select(columns, where(parameters, scope, filter_), "", parameters)


def select(columns: str, conditions: list[str], tail: str, parameters: Parameters) -> Statement:
    """One statement over the view; `conditions` are what `where` gave, and more."""
    all_of_them = "\n  AND ".join(conditions)
    sql = f"SELECT {columns}\nFROM {{database:Identifier}}.log AS e\nWHERE {all_of_them}\n{tail}"
    return Statement(sql, parameters.values, dict(_OUTPUT))


def where(parameters: Parameters, scope: TenantScope, filter_: Filter) -> list[str]:
    """What a filter means: conditions of which all must hold, the tenant's first; values go to `parameters`."""
    conditions = [f"e.tenant_id = {parameters.text(scope.tenant)}"]
    if filter_.since is not None:
        conditions.append(f"e.occurred_at >= {_time(parameters, _micros(filter_.since))}")
    if filter_.until is not None:
        conditions.append(f"e.occurred_at < {_time(parameters, _micros(filter_.until))}")
    conditions += [_equals(parameters, column, values) for column, values in filter_.equals.items()]
    for group, keys in (("metadata", filter_.metadata), ("fields", filter_.fields)):
        for key, values in keys.items():
            array = parameters.add("Array(String)", list(values))
            conditions.append(f"e.{group}[{parameters.text(key)}] IN {array}")
    conditions += [f"positionCaseInsensitiveUTF8({_SEARCHED}, {parameters.text(word)}) > 0" for word in filter_.words]
    return conditions


def _equals(parameters: Parameters, column: str, values: tuple[str, ...]) -> str:
    if column == "actor":
        array = parameters.add("Array(String)", list(values))
        return f"(e.actor_id IN {array} OR ifNull(e.actor_name, '') IN {array})"
    given = [value for value in values if value or column not in _NULLABLE]
    if column == "ip":
        condition = f"e.ip IN {parameters.add('Array(IPv6)', given)}"
    elif column == "event_id":
        condition = f"e.event_id IN {parameters.add('Array(UUID)', given)}"
    else:
        left = f"toString(e.{column})" if column in ("outcome", "severity") else f"e.{column}"
        condition = f"{left} IN {parameters.add('Array(String)', given)}"
    if len(given) == len(values):
        return condition
    # An empty value: stored as NULL, or as the empty text that a writer sent.
    absent = f"e.{column} IS NULL" if column == "ip" else f"ifNull(e.{column}, '') = ''"
    return f"({condition} OR {absent})" if given else absent


def beside(parameters: Parameters, position: Position) -> str:
    """Strictly beyond the position. Only ClickHouse compares ids: its order of UUIDs is its own."""
    at, id_ = _time(parameters, position.occurred_us), parameters.add("UUID", position.event_id)
    sign = ">" if position.newer else "<"
    # The first comparison is the one that the primary key is searched with.
    return f"e.occurred_at {sign}= {at} AND (e.occurred_at {sign} {at} OR e.event_id {sign} {id_})"


def _time(parameters: Parameters, micros: int) -> str:
    return f"fromUnixTimestamp64Micro({parameters.add('Int64', micros)}, 'UTC')"


def _micros(value: datetime) -> int:
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
