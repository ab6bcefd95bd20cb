"""Statements for ClickHouse, with their SQL, parameters and settings, and the columns of an event.

Values are sent as parameters, never in the SQL text. Columns are always written as `e.column`, because ClickHouse would
resolve a bare name to an alias of the same name in the select list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from auditlane.contract.event import BASE_FIELDS

# Every column that a reader sees, always in this order; columns that senders cannot set come last.
COLUMNS: Final = (*BASE_FIELDS, "fields", "ingested_at", "provenance", "provenance_id", "content_hash")

NULLABLE: Final = frozenset(
    {"actor_name", "on_behalf_of", "resource_id", "description", "ip", "user_agent", "request_id", "before", "after"}
)
FREE_TEXT: Final = (
    *("action", "actor_id", "actor_type", "actor_name", "on_behalf_of", "resource", "resource_id", "description"),
    *("user_agent", "request_id", "source", "before", "after"),
)
AS_TEXT: Final = {
    "event_id": "toString(e.event_id)",
    "occurred_at": "formatDateTime(e.occurred_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "ingested_at": "formatDateTime(e.ingested_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "outcome": "toString(e.outcome)",
    "severity": "toString(e.severity)",
    # ClickHouse stores IPv4 addresses as IPv4-mapped IPv6 addresses.
    "ip": r"replaceRegexpOne(toString(e.ip), '^::ffff:([0-9]+[.])', '\\1')",
    "provenance": "toString(e.provenance)",
    "content_hash": "lower(hex(e.content_hash))",
}
# Every column as text or null, under its name.
NAMED: Final = ", ".join(f"{AS_TEXT.get(name, f'e.{name}')} AS {name}" for name in COLUMNS)
# An event as one JSON object, and the same in a query over one that selects `NAMED`.
JSON_LINE: Final = f"formatRow('JSONEachRow', {NAMED})"
JSON_LINE_OF_NAMED: Final = f"formatRow('JSONEachRow', {', '.join(COLUMNS)})"
# The key that conflicting events share. With the content hash, it is a row's `Position` in a list by time.
KEY: Final = "toUnixTimestamp64Micro(e.occurred_at) AS occurred_us, toString(e.event_id) AS id"
PLACE: Final = f"{AS_TEXT['content_hash']} AS content, {KEY}"
# Placeholder for the table with every stored copy of an event. `QueryExecutor` fills it in: a cluster has a distributed
# table.
EVENTS: Final = "{events:Identifier}"
# Placeholder for the function that returns the period of a time, which depends on the partitions of that table.
TO_PERIOD: Final = "{toPeriod}"
# The columns that are the same in all copies of an event: its identity, and those that the content hash covers as they
# are stored. It covers others only if the producer set them.
SHARED: Final = frozenset(
    {"tenant_id", "occurred_at", "event_id", "content_hash", "action", "actor_id", "actor_type", "actor_name"}
    | {"on_behalf_of", "resource", "resource_id", "outcome", "severity", "description", "ip", "user_agent"}
    | {"before", "after", "metadata"}
)
_COLUMN: Final = re.compile(r"\be\.(\w+)")
# Of the copies of an event, the one with the highest rank is the first that reached Kafka.
RANK: Final = "e.first_wins AS rank"


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` placeholders, their values, and the ClickHouse settings that affect the output.

    A `shared` statement serves all tenants at once, so the limit on rows read by a tenant's query does not apply.
    `rows_read` is a separate limit for this statement, or 0. `sharded_sql` replaces `sql` if the events are on several
    shards, unless it is empty. A statement that `is_summary` reads and adds up all the time, so that more threads than
    cores would only slow it down.
    """

    sql: str
    parameters: dict[str, Any]
    settings: dict[str, Any]
    shared: bool = False
    rows_read: int = 0
    sharded_sql: str = ""
    is_summary: bool = False


# All copies of an event are in one partition, so a partition with a single part needs no comparison.
BY_PARTITION: Final = {"do_not_merge_across_partitions_select_final": 1}
_OUTPUT: Final = {
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "format_csv_null_representation": "",
    "output_format_csv_crlf_end_of_line": 1,
    # Read lines as bytes: a row with invalid text must not fail the others.
    "output_format_arrow_string_as_string": 0,
    "output_format_arrow_compression_method": "none",
}


class Parameters:
    """Collects values and gives each a placeholder.

    Strings are sent as arrays, whose quoting supports any character.
    """

    def __init__(self, database: str) -> None:
        self.values: dict[str, Any] = {"database": database}

    def add(self, kind: str, value: Any) -> str:
        """Add a value of the ClickHouse type `kind`, and return its placeholder."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{kind}}}"

    def text(self, value: str) -> str:
        """Add a string, and return an expression for it."""
        return self.add("Array(String)", [value]) + "[1]"

    def hash(self, digits: str) -> str:
        """Add a content hash (32 hexadecimal digits), and return an expression for it."""
        return f"toFixedString(unhex({self.text(digits)}), 16)"

    def time(self, value: datetime | int) -> str:
        """Add a time (a datetime or microseconds), and return an expression for it."""
        micros = value if isinstance(value, int) else _micros(value)
        return f"fromUnixTimestamp64Micro({self.add('Int64', micros)}, 'UTC')"


def select(
    columns: str,
    conditions: list[str],
    tail: str,
    parameters: Parameters,
    *,
    before: str = "",
    of: Literal["events", "copies"] = "events",
) -> Statement:
    """Build a SELECT over events. Each event is included once, as in the view `log`, or with all of its stored copies.

    `conditions` start with the conditions of `sql.where`. `before` precedes the SELECT, and `tail` follows the WHERE.
    """
    source = f"{before}SELECT {columns}\nFROM {{database:Identifier}}.{EVENTS} AS e"
    if of == "copies":
        return statement(f"{source}\nWHERE {_all(conditions)}\n{tail}", parameters)
    # A condition that all copies of an event share selects rows before FINAL compares them, which costs most.
    shared = [condition for condition in conditions if is_shared(condition)]
    others = [condition for condition in conditions if not is_shared(condition)]
    after = f"\nWHERE {_all(others)}" if others else ""
    compiled = statement(f"{source} FINAL\nPREWHERE {_all(shared)}{after}\n{tail}", parameters)
    # On a Distributed table, shards would compute the columns, and `formatRow` would not find the names given here.
    view = f"{before}SELECT {columns}\nFROM {{database:Identifier}}.log AS e\nWHERE {_all(conditions)}\n{tail}"
    return replace(compiled, settings=compiled.settings | BY_PARTITION, sharded_sql=view)


def is_shared(condition: str) -> bool:
    """Return whether a compiled condition holds either for all copies of an event or for none."""
    return SHARED.issuperset(_COLUMN.findall(condition))


def _all(conditions: Sequence[str]) -> str:
    return "\n  AND ".join(conditions)


def statement(sql: str, parameters: Parameters, *, shared: bool = False) -> Statement:
    """Build a statement with the output settings that the reader of its result expects."""
    return Statement(sql, parameters.values, dict(_OUTPUT), shared)


def _micros(value: datetime) -> int:
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
