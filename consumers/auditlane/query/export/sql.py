"""The statements of an export, on the conditions that `query.sql.where` makes of a filter."""

from __future__ import annotations

from typing import Final, Literal

from auditlane.access.scope import TenantScope
from auditlane.query.columns import AS_TEXT, COLUMNS, FREE_TEXT, JSON_LINE
from auditlane.query.filters import Filter
from auditlane.query.sql import NEWEST_FIRST, where
from auditlane.query.statements import Parameters, Statement, select

Format = Literal["jsonl", "csv"]

# A spreadsheet runs a cell that begins so as a formula; the full-width forms count in some locales.
_FORMULA: Final = r"^[=+\\-@\\t\\r\\n＝＋－＠]"


def compile_export(
    database: str, scope: TenantScope, filter_: Filter, *, bound_ms: int, format_: Format, neutralise: bool
) -> Statement:
    """Every event that was ingested up to the bound, newest first, as `line`: a line of the file with its end."""
    parameters = Parameters(database)
    conditions = where(parameters, scope, filter_)
    conditions.append(f"e.ingested_at <= fromUnixTimestamp64Milli({parameters.add('Int64', bound_ms)}, 'UTC')")
    line = JSON_LINE if format_ == "jsonl" else _csv_line(neutralise=neutralise)
    return select(f"{line} AS line", conditions, NEWEST_FIRST, parameters)


def _csv_line(*, neutralise: bool) -> str:
    cells = []
    for name in COLUMNS:
        text = AS_TEXT.get(name, f"e.{name}")
        if name in ("metadata", "fields"):
            text = f"toJSONString({text})"
        elif neutralise and name in FREE_TEXT:
            text = f"if(match(ifNull({text}, ''), '{_FORMULA}'), concat('\\'', {text}), {text})"
        cells.append(text)
    return f"formatRow('CSV', {', '.join(cells)})"
