"""Compiles the statement of an export. `query.sql.where` compiles the conditions of its filter.

ClickHouse formats lines (CSV, JSON Lines, and the input for OCSF) as `line`. Other formats have the columns `c0`, `c1`,
…
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.statements import AS_TEXT, FREE_TEXT, PLACE, Parameters, Statement, select
from auditlane.query.conflicts import in_conflict
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import FORMULA_STARTS, Form, Format
from auditlane.query.export.sentences import INPUTS, MARKER
from auditlane.query.filters import Filter
from auditlane.query.sort import NEWEST_FIRST, Position, beside
from auditlane.query.sql import where

_ESCAPES: Final = {"\t": "\\t", "\r": "\\r", "\n": "\\n", "-": "\\-"}
# For a quoted SQL string, so backslashes are doubled.
FORMULA: Final = "^[{}]".format("".join(_ESCAPES.get(start, start) for start in FORMULA_STARTS)).replace("\\", "\\\\")
_NUMBER: Final = "^[+-]?[0-9.]+([eE][+-]?[0-9]+)?$"
# Cells are valid UTF-8; lines are read as bytes.
CELLS: Final = {"output_format_arrow_string_as_string": 1}
Conflict = Callable[[], str]  # compiles the condition that an event is in conflict


def compile_export(
    database: str,
    scope: TenantScope,
    filter_: Filter,
    form: Form,
    *,
    bound_ms: int,
    after: Position | None = None,
) -> Statement:
    """Compile the statement that selects the events that were ingested up to the bound, newest first.

    With `after`, only events older than that position are selected. The last columns, `statements.PLACE`, give the
    row's position.
    """
    parameters = Parameters(database)
    conflict = partial(in_conflict, parameters, scope, filter_)
    conditions = where(parameters, scope, filter_)
    conditions.append(f"e.ingested_at <= fromUnixTimestamp64Milli({parameters.add('Int64', bound_ms)}, 'UTC')")
    if after is not None:
        conditions.append(beside(parameters, after))
    if form.format in (Format.jsonl, Format.ocsf):
        shown = f"{_json_line(parameters, form.columns, conflict)} AS line"
    elif form.format is Format.csv:
        shown = f"{_csv_line(parameters, form, conflict)} AS line"
    else:
        compiled = _typed if form.format is Format.parquet else _text
        if form.format is Format.xlsx:
            compiled = partial(_sheet, form.zone)
        cells = [compiled(parameters, column, conflict) for column in form.columns]
        shown = ", ".join(f"{cell} AS c{place}" for place, cell in enumerate(cells))
    if form.sentence_place is not None:
        inputs = [f"{_value(parameters, Column(name, name), conflict)} AS {name}" for name in form.sentences.fields]
        inputs.append("e.fields AS fields")
        shown += f", toValidUTF8(formatRow('JSONEachRow', {', '.join(inputs)})) AS {INPUTS}"
    statement = select(f"{shown}, {PLACE}", conditions, NEWEST_FIRST, parameters)
    if form.format is Format.csv:
        return replace(statement, settings=statement.settings | {"format_csv_delimiter": form.separator.character})
    return statement if form.format.lines else replace(statement, settings=statement.settings | CELLS)


def _json_line(parameters: Parameters, columns: tuple[Column, ...], conflict: Conflict) -> str:
    """Compile the row as a JSON object, as in the list API. `fields` contains only custom fields with a value."""
    base = [column for column in columns if not column.custom and not column.metadata_key]
    members = [f"{_value(parameters, column, conflict)} AS {column.name}" for column in base]
    keys = [column.metadata_key for column in columns if column.metadata_key]
    if keys and not any(column.name == "metadata" for column in base):
        names = parameters.add("Array(String)", keys)
        members.append(f"mapFilter((name, value) -> has({names}, name), e.metadata) AS metadata")
    custom = [column.name for column in columns if column.custom]
    if custom and not any(column.name == "fields" for column in columns):
        names = parameters.add("Array(String)", custom)
        members.append(f"mapFilter((name, value) -> has({names}, name), e.fields) AS fields")
    return f"formatRow('JSONEachRow', {', '.join(members)})"


def _csv_line(parameters: Parameters, form: Form, conflict: Conflict) -> str:
    cells = []
    for column in form.columns:
        text = _value(parameters, column, conflict)
        if column.is_time and form.local_times:
            text = f"formatDateTime(e.{column.name}, '%Y-%m-%d %H:%i:%S', {parameters.add('String', form.zone)})"
        elif column.is_map:
            text = f"toJSONString({text})"
        elif not form.raw_formulas and (
            column.custom or column.metadata_key or column.name in (*FREE_TEXT, "provenance_id")
        ):
            runs = f"match(ifNull({text}, ''), '{FORMULA}')"
            if column.number:
                runs += f" AND NOT match(ifNull({text}, ''), '{_NUMBER}')"
            text = f"if({runs}, concat('\\'', {text}), {text})"
        cells.append(text)
    return f"formatRow('CSV', {', '.join(cells)})"


def _typed(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    """Compile a Parquet cell: a time, a map, a boolean for the conflict, or UTF-8 text or NULL otherwise."""
    if column.is_map:
        pair = "toValidUTF8(toString(name)), toValidUTF8(value)"
        return f"CAST(mapApply((name, value) -> ({pair}), e.{column.name}), 'Map(String, String)')"
    if column.is_time:
        return f"e.{column.name}"
    if column.is_conflict:
        return _value(parameters, column, conflict)
    return f"CAST(toValidUTF8({_value(parameters, column, conflict)}), 'Nullable(String)')"


def _text(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    """Compile a PDF cell: text or NULL. A conflict is `true` or empty."""
    text = f"if({conflict()}, 'true', '')" if column.is_conflict else _value(parameters, column, conflict)
    text = f"toJSONString({text})" if column.is_map else text
    return f"CAST(toValidUTF8({text}), 'Nullable(String)')"


def _sheet(zone: str, parameters: Parameters, column: Column, conflict: Conflict) -> str:
    """Compile a workbook cell: a local time in days since 1899-12-30, a boolean, or text or NULL otherwise."""
    if column.is_time:
        at = f"toTimeZone(e.{column.name}, {parameters.add('String', zone)})"
        return f"(toUnixTimestamp64Milli(toDateTime64({at}, 3)) / 1000 + timezoneOffset({at})) / 86400 + 25569"
    return (_value if column.is_conflict else _text)(parameters, column, conflict)


def _value(parameters: Parameters, column: Column, conflict: Conflict) -> str:
    if column.is_conflict:
        return f"CAST({conflict()}, 'Bool')"
    if column.is_sentence:
        return f"'{MARKER}'"
    if column.custom or column.metadata_key:
        column_map = "e.fields" if column.custom else "e.metadata"
        key = parameters.text(column.metadata_key or column.name)
        return f"if(mapContains({column_map}, {key}), {column_map}[{key}], NULL)"
    return AS_TEXT.get(column.name, f"e.{column.name}")
