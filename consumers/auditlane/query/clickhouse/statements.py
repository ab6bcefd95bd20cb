"""What is sent to ClickHouse: SQL, its parameters, its settings. Values travel as parameters, never in the text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL with `{name:Type}` placeholders, the values for them, and ClickHouse settings that its output depends on.

    `shared`: it reads for all tenants at once, so the rows that a tenant's query may read are no bound for it.
    """

    sql: str
    parameters: dict[str, Any]
    settings: dict[str, Any]
    shared: bool = False


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

    def hash(self, digits: str) -> str:
        """A content hash, as 32 hexadecimal digits."""
        return f"toFixedString(unhex({self.text(digits)}), 16)"

    def time(self, value: datetime | int) -> str:
        """A moment; a number is microseconds."""
        micros = value if isinstance(value, int) else _micros(value)
        return f"fromUnixTimestamp64Micro({self.add('Int64', micros)}, 'UTC')"


def select(
    columns: str,
    conditions: list[str],
    tail: str,
    parameters: Parameters,
    *,
    before: str = "",
    source: Literal["log", "events"] = "log",
) -> Statement:
    """One statement over the view, or the table, which has some events twice; `conditions` are what `sql.where` gave,
    and more; `before` stands in front of it."""
    all_of_them = "\n  AND ".join(conditions)
    sql = f"{before}SELECT {columns}\nFROM {{database:Identifier}}.{source} AS e\nWHERE {all_of_them}\n{tail}"
    return statement(sql, parameters)


def statement(sql: str, parameters: Parameters, *, shared: bool = False) -> Statement:
    """The text with its values, answered in the form that results are read in."""
    return Statement(sql, parameters.values, dict(_OUTPUT), shared)


def _micros(value: datetime) -> int:
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
