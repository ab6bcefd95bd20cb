"""The order of a list: the field by which it is sorted, positions in it, and the SQL for both.

Missing values are represented explicitly, so that a comparison is never NULL. Otherwise, an event without a value would
not be on any page.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.statements import NULLABLE, Parameters
from auditlane.query.fields import BASE, kind_of
from auditlane.query.language.tree import Field, Kind
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.presentation import FieldView
from auditlane.store.structure_cache import Structure

StructureOf = Callable[[str], Structure]

NEWEST_FIRST: Final = "ORDER BY e.occurred_at DESC, e.event_id DESC, e.content_hash DESC"
_NO_ADDRESS: Final = "toIPv6('::')"


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of a list by one field. Events without a value come last in either direction. Events with equal values
    are listed newest first.
    """

    field: Field
    descending: bool = True

    def __str__(self) -> str:
        return f"{'-' if self.descending else ''}{self.field.path}"

    @property
    def by_time(self) -> bool:
        """Whether events are sorted by time, which is also the order of the store."""
        return self.field.name == "occurred_at" and not self.field.group


NEWEST: Final = Sort(Field("occurred_at", Kind.time))


@dataclass(frozen=True, slots=True)
class Position:
    """A position just after one event of a list, or just before it if `newer` is true. In a list by time, newer events
    come before it.

    `occurred_us` is in microseconds (UTC). `content_hash` (32 hexadecimal digits) distinguishes events with the same id
    and time.
    """

    occurred_us: int
    event_id: str
    content_hash: str
    newer: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any], *, newer: bool = False) -> Position:
        """Return the position of a row. The row has the columns `statements.PLACE`, whose strings may be bytes."""
        id_, content = (text.decode() if isinstance(text, bytes) else str(text) for text in (row["id"], row["content"]))
        return cls(int(row["occurred_us"]), id_, content, newer)

    @classmethod
    def at(cls, micros: int, *, ascending: bool, newer: bool) -> Position:
        """Return a position next to a time: after all events at that time if `ascending`, and before them otherwise."""
        end = "f" if ascending else "0"
        return cls(micros, str(uuid.UUID(end * 32)), end * 32, newer)


def parse_sort(text: str | None, structure: Callable[[], Structure]) -> Sort:
    """Parse `field`, or `-field` for descending order. The prefix `fields.` of a custom field is optional.

    `structure` is called only when there is a field to look up. Raises InvalidFilter, listing the sortable fields.
    """
    if text is None or text == str(NEWEST):
        return NEWEST
    name = text.removeprefix("-")
    sortable = structure().sortable()
    found = next((view for view in sortable if name in (view.name, view.parameter)), None)
    if found is None:
        known = ", ".join(view.parameter for view in sortable)
        fix = f"Sortable fields: {known}. Prefix one with '-' to reverse it." if known else "No field is sortable."
        raise InvalidFilter(f"The list cannot be sorted by {name[:100]!r}.", field="sort", fix=fix)
    return Sort(_field(found), descending=text.startswith("-"))


def _field(view: FieldView) -> Field:
    if view.custom:
        return Field(view.name, kind_of(view.display_type), "fields")
    return Field(view.name, BASE.get(view.name, Kind.text))


@dataclass(frozen=True, slots=True)
class Ordering:
    """The SQL that sorts a list, starting at a position: a clause before SELECT, conditions, and the ORDER BY."""

    before: str
    conditions: list[str]
    order: str


def ordering(parameters: Parameters, scope: TenantScope, sort: Sort, position: Position | None) -> Ordering:
    """Compile the order of a list. It is sorted by the sort field, if any, and then by time, id and content hash.

    On the newer side of a position, the order is reversed, so that the events nearest to the position come first.
    """
    if sort.by_time:
        way = _way(not ascending(sort, position))
        beyond = [beside(parameters, position, descending=sort.descending)] if position else []
        return Ordering("", beyond, f"ORDER BY e.occurred_at {way}, e.event_id {way}, e.content_hash {way}")
    back = position is not None and position.newer
    absent, value = _key(parameters, sort.field)
    ways = (_way(back), _way(sort.descending != back), _way(not back))
    identity = ", ".join(f"{column} {ways[2]}" for column in ("e.occurred_at", "e.event_id", "e.content_hash"))
    order = f"ORDER BY {absent} {ways[0]}, {value} {ways[1]}, {identity}"
    if position is None:
        return Ordering("", [], order)
    # A position only identifies an event. ClickHouse looks up its sort value, which may be large, in its own type.
    at, id_, content = _identity(parameters, position)
    place = (
        f"WITH (SELECT (any({absent}), any({value}), count())"
        f"\nFROM {{database:Identifier}}.log AS e\nWHERE e.tenant_id = {parameters.text(scope.tenant)}"
        f"\n  AND e.occurred_at = {at} AND e.event_id = {id_} AND e.content_hash = {content}) AS place\n"
    )
    comparisons = (
        (absent, "place.1", ways[0]),
        (value, "place.2", ways[1]),
        ("e.occurred_at", at, ways[2]),
        ("e.event_id", id_, ways[2]),
        ("e.content_hash", content, ways[2]),
    )
    condition = "0"
    for left, right, way in reversed(comparisons):
        sign = "<" if way == "DESC" else ">"
        condition = f"({left} {sign} {right} OR ({left} = {right} AND {condition}))"
    return Ordering(place, ["place.3 = 1", condition], order)


def ascending(sort: Sort, position: Position | None) -> bool:
    """Return whether the page next to the position is read in ascending order."""
    return sort.descending == (position is not None and position.newer)


def beside(parameters: Parameters, position: Position, *, descending: bool = True) -> str:
    """Compile the condition that an event is beyond the position by time. ClickHouse compares the ids, since its order
    of UUIDs is its own.
    """
    at, id_, content = _identity(parameters, position)
    sign = "<" if descending != position.newer else ">"
    same = f"e.event_id = {id_} AND e.content_hash {sign} {content}"
    # The first comparison lets ClickHouse use the primary key.
    return f"e.occurred_at {sign}= {at} AND (e.occurred_at {sign} {at} OR e.event_id {sign} {id_} OR ({same}))"


def _identity(parameters: Parameters, position: Position) -> tuple[str, str, str]:
    """Return the time, id and content hash of the position in the types of their columns."""
    return (
        parameters.time(position.occurred_us),
        parameters.add("UUID", position.event_id),
        parameters.hash(position.content_hash),
    )


def _way(descending: bool) -> str:
    return "DESC" if descending else "ASC"


def _key(parameters: Parameters, field: Field) -> tuple[str, str]:
    """Return two SQL expressions to sort by. The first is 1 if the event has no value. The second is the value in its
    own type, and is never NULL.
    """
    if field.group:
        return _custom_key(f"e.fields[{parameters.text(field.name)}]", field.kind)
    column = f"e.{field.name}"
    if field.kind is Kind.ip:
        return f"isNull({column})", f"ifNull({column}, {_NO_ADDRESS})"
    if field.kind in (Kind.choice, Kind.ordinal):
        return "toUInt8(0)", f"toInt8({column})"
    if field.name == "metadata":
        return f"empty({column})", f"toJSONString({column})"
    text = f"ifNull({column}, '')" if field.name in NULLABLE else f"toString({column})"
    return f"({text} = '')", text


def _custom_key(text: str, kind: Kind) -> tuple[str, str]:
    """Return the sort expressions of a custom field, like `_key`.

    Text that is invalid for the type of the field counts as a missing value.
    """
    if kind is Kind.number:
        number = f"toFloat64OrNull({text})"
        # Integers that a float cannot tell apart are compared as integers.
        absent = f"ifNull(isNaN({number}), 1)"
        return absent, f"(if({absent}, 0., assumeNotNull({number})), toInt64OrZero({text}))"
    if kind is Kind.time:
        time = f"parseDateTime64BestEffortOrNull({text}, 6, 'UTC')"
        return f"isNull({time})", f"ifNull({time}, toDateTime64(0, 6, 'UTC'))"
    if kind is Kind.ip:
        address = f"toIPv6OrNull({text})"
        return f"isNull({address})", f"ifNull({address}, {_NO_ADDRESS})"
    return f"({text} = '')", text
