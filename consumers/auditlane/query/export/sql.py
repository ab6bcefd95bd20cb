"""The statement of an export, on the conditions that `query.sql.where` makes of a filter.

Lines (CSV, JSON Lines) are made by ClickHouse, as `line`; other formats get a column `c0`, `c1`, … for each of theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.columns import AS_TEXT, FREE_TEXT, PLACE
from auditlane.query.clickhouse.statements import Parameters, Statement, select
from auditlane.query.conflicts import in_conflict
from auditlane.query.cursor import Position
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import FORMULA_STARTS, Form, Format
from auditlane.query.filters import Filter
from auditlane.query.ordering import NEWEST_FIRST, beside
from auditlane.query.sql import where

_ESCAPES: Final = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "-": "\\-"}
# Inside of a quoted SQL text, where a backslash is written twice.
FORMULA: Final = "^[{}]".format("".join(_ESCAPES.get(one, one) for one in FORMULA_STARTS)).replace("\\", "\\\\")
_NUMBER: Final = "^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"
# Cells are valid UTF-8; lines are bytes to us.
CELLS: Final = {"output_format_arrow_string_as_string": 1}
_TIMES: Final = ("occurred_at", "ingested_at")
Conflict = Callable[[], str]  # makes the expression: whether an event is in conflict


def compile_export(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    form: Form,
    *,
    bound_ms: int,
    after: Position | None = None,
) -> Statement:
    """Every event that was ingested up to the bound, newest first; with `after`, those that are older than it.

    The last columns, `columns.PLACE`, are the row's position.
    """
    parameters = Parameters(database)
    conflict = partial(in_conflict, parameters, scope, filter_)
    conditions = where(parameters, scope, filter_)
    conditions.append(f"e.ingested_at <= fromUnixTimestamp64Milli({parameters.add('Int64', bound_ms)}, 'UTC')")
    if after is not None:
        conditions.append(beside(parameters, after))
    if form.format is Format.jsonl:
        shown = f"{_json_line(parameters, form.columns, conflict)} AS line"
    elif form.format is Format.csv:
        shown = f"{_csv_line(parameters, form, conflict)} AS line"
    else:
        cell = _typed if form.format is Format.parquet else _text
        cells = [cell(parameters, column, conflict) for column in form.columns]
        shown = ", ".join(f"{one} AS c{place}" for place, one in enumerate(cells))
    statement = select(f"{shown}, {PLACE}", conditions, NEWEST_FIRST, parameters)
    return statement if form.format.lines else replace(statement, settings=statement.settings | CELLS)


def _json_line(parameters: Parameters, columns: tuple[Column, ...], conflict: Conflict) -> str:
    """An object as the list has it: custom fields in `fields`, those that have a value."""
    members = [f"{_value(parameters, one, conflict)} AS {one.name}" for one in columns if not one.custom]
    custom = [one.name for one in columns if one.custom]
    if custom and not any(one.name == "fields" for one in columns):
        names = parameters.add("Array(String)", custom)
        members.append(f"mapFilter((name, value) -> has({names}, name), e.fields) AS fields")
    return f"formatRow('JSONEachRow', {', '.join(members)})"


def _csv_line(parameters: Parameters, form: Form, conflict: Conflict) -> str:
    cells = []
    for column in form.columns:
        text = _value(parameters, column, conflict)
        if column.is_map:
            text = f"toJSONString({text})"
        elif not form.raw_formulas and (column.custom or column.name in (*FREE_TEXT, "provenance_id")):
            runs = f"match(ifNull({text}, ''), '{FORMULA}')"
            if column.number:
                runs += f" AND NOT match(ifNull({text}, ''), '{_NUMBER}')"
            text = f"if({runs}, concat('\\'', {text}), {text})"
        cells.append(text)
    return f"formatRow('CSV', {', '.join(cells)})"


def _typed(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    """A cell as Parquet has it: times as such, maps as maps, whether it is in conflict, all else as text that is UTF-8,
    or NULL."""
    if column.is_map:
        pair = "toValidUTF8(toString(name)), toValidUTF8(value)"
        return f"CAST(mapApply((name, value) -> ({pair}), e.{column.name}), 'Map(String, String)')"
    if column.name in _TIMES and not column.custom:
        return f"e.{column.name}"
    if column.is_conflict:
        return conflict()
    return f"CAST(toValidUTF8({_value(parameters, column, conflict)}), 'Nullable(String)')"


def _text(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    """A cell as a page has it: text, or NULL. Only what is in conflict says so."""
    text = f"if({conflict()}, 'true', '')" if column.is_conflict else _value(parameters, column, conflict)
    text = f"toJSONString({text})" if column.is_map else text
    return f"CAST(toValidUTF8({text}), 'Nullable(String)')"


def _value(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    if column.is_conflict:
        return f"CAST({conflict()}, 'Bool')"
    if column.custom:
        key = parameters.text(column.name)
        return f"if(mapContains(e.fields, {key}), e.fields[{key}], NULL)"
    return AS_TEXT.get(column.name, f"e.{column.name}")
