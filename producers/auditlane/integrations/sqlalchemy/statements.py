"""Determines what kind of change a bulk statement makes, and to how many rows."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Executable, Result
from sqlalchemy.orm import ORMExecuteState

from auditlane.integrations.sqlalchemy.changes import Kind

_MOST_SQL: Final = 1_000  # maximum length of a statement in characters


def kind_of(execution: ORMExecuteState) -> Kind | None:
    """Return the kind of change that a statement makes. Returns None unless it is an INSERT, UPDATE or DELETE on a
    mapped class."""
    if not execution.is_orm_statement:
        return None
    if execution.is_update:
        return "updated"
    if execution.is_delete:
        return "deleted"
    return "created" if execution.is_insert else None


def with_row_count(execution: ORMExecuteState, result: Result[Any]) -> tuple[int | None, Result[Any]]:
    """Return the number of rows that a statement changed, and its result.

    With RETURNING, counting requires reading the rows. The returned result contains them again.
    """
    if execution.is_executemany and not execution.is_delete:  # each item is one row
        return len(execution.parameters or ()), result
    if getattr(execution.statement, "_returning", ()):  # SQLAlchemy has no public name for it
        kept = result.freeze()
        return len(kept.data), kept()
    rows = getattr(result, "rowcount", -1)
    return (rows if rows >= 0 else None), result


def sql_of(statement: Executable) -> str:
    """Return the statement's text, with parameter names in place of values."""
    try:
        return str(statement)[:_MOST_SQL]
    except Exception:  # the statement compiles for one database only
        return f"<{type(statement).__name__}>"
