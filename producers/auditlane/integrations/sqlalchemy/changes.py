"""Collects one transaction's changes, and combines changes to the same row."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal
from uuid import UUID

from auditlane.integrations.sqlalchemy.models import AuditedModel

Kind = Literal["created", "updated", "deleted"]
Row = tuple[type[Any], tuple[Any, ...]]  # mapped base class, primary key

_IMMUTABLE: Final = (str, bytes, int, float, Decimal, datetime, date, time, timedelta, UUID, Enum, type(None))


@dataclass(frozen=True)
class Change:
    """A change to one row, with the columns before and after as far as they are known.

    `origin` is the row's identity before the change, or None if the row did not exist.
    """

    model: AuditedModel
    kind: Kind
    origin: Row | None
    row: Row
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    tenant: str | None = None
    metadata: Mapping[str, Any] | None = None
    problem: Exception | None = None  # why some of the fields above could not be read


@dataclass(frozen=True)
class Bulk:
    """A change to many rows by one statement. `rows` is None if the database does not report the number."""

    model: AuditedModel
    kind: Kind
    rows: int | None
    statement: str


class Changes:
    """Changes in a transaction or savepoint, ordered by each row's first change."""

    def __init__(self) -> None:
        self._entries: dict[int, Change | Bulk] = {}
        self._of_row: dict[Row, int] = {}
        self._next = 0

    def add(self, change: Change | Bulk) -> None:
        """Add a change, combining it with an earlier change to the same row."""
        if isinstance(change, Bulk):
            self._append(change)
            return
        number = self._of_row.pop(change.origin or change.row, None)
        first = self._entries[number] if number is not None else None
        if number is None or not isinstance(first, Change) or not _combinable(first.kind, change.kind):
            self._of_row[change.row] = self._append(change)
        elif (combined := _combined(first, change)) is None:
            del self._entries[number]
        else:
            self._entries[number] = combined
            self._of_row[combined.row] = number

    def merge(self, inner: Changes) -> None:
        """Add the changes made within a released savepoint."""
        for change in inner._entries.values():
            self.add(change)

    def settled(self) -> Iterator[Change | Bulk]:
        """Yield the final changes. Updates contain only columns that differ; other changes omit NULLs."""
        for entry in self._entries.values():
            if isinstance(entry, Bulk):
                yield entry
            elif entry.kind != "updated":
                yield replace(entry, before=_without_nulls(entry.before), after=_without_nulls(entry.after))
            elif (names := _differing(entry)) or entry.problem:
                before = {name: entry.before[name] for name in names if name in entry.before}
                yield replace(entry, before=before, after={name: entry.after[name] for name in names})

    def _append(self, change: Change | Bulk) -> int:
        number = self._next
        self._next += 1
        self._entries[number] = change
        return number


def _without_nulls(columns: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if value is not None}


def _differing(change: Change) -> list[str]:
    unknown = object()
    return [name for name, now in change.after.items() if not same(change.before.get(name, unknown), now)]


def same(first: Any, second: Any) -> bool:
    """Return whether two values are equal. Values that cannot be compared count as different."""
    if first is second:
        return True
    try:
        return bool(first == second)
    except Exception:  # comparing arrays, for example, returns an array
        return False


def frozen(value: Any) -> Any:
    """Return the value itself if it is immutable, or else a copy."""
    if isinstance(value, _IMMUTABLE):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # a value that cannot be copied is shown by its type
        return f"<{type(value).__name__}>"


def _combinable(first: Kind, second: Kind) -> bool:
    """Return whether ORM operations in this order can cause these changes, without a bulk statement in between."""
    return second == "created" if first == "deleted" else second != "created"


def _combined(first: Change, second: Change) -> Change | None:
    if first.kind == "created" and second.kind == "deleted":
        return None
    if first.kind == "created":
        return replace(second, kind="created", origin=None, before={}, after={**first.after, **second.after})
    if first.kind == "deleted":  # the row was replaced
        known = first.before.keys() & second.after.keys()
        return replace(
            second,
            kind="updated",
            origin=first.origin,
            before={name: value for name, value in first.before.items() if name in known},
            after={name: value for name, value in second.after.items() if name in known},
        )
    before = {**second.before, **first.before}
    second = replace(second, problem=second.problem or first.problem)
    after = {} if second.kind == "deleted" else {**first.after, **second.after}
    return replace(second, origin=first.origin, before=before, after=after)
