"""A sort as SQL: the order of a list, and the condition of what lies beyond a place in it.

Every value is told apart from none, so that a comparison is never NULL: an event without a value would be on no page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.columns import NULLABLE
from auditlane.query.clickhouse.statements import Parameters
from auditlane.query.cursor import Position
from auditlane.query.language.tree import Field, Kind
from auditlane.query.sort import Sort

NEWEST_FIRST: Final = "ORDER BY e.occurred_at DESC, e.event_id DESC, e.content_hash DESC"
_NO_ADDRESS: Final = "toIPv6('::')"


@dataclass(frozen=True, slots=True)
class Ordering:
    """Of a page's statement: what stands before its SELECT, further conditions, its ORDER BY."""

    before: str
    conditions: list[str]
    order: str


def ordering(parameters: Parameters, scope: TenantScope, sort: Sort, position: Position | None) -> Ordering:
    """The list's order; on the newer side of a position the other way round, so that the nearest come first."""
    if sort.by_time:
        way = _way(not ascending(sort, position))
        beyond = [beside(parameters, position, descending=sort.descending)] if position else []
        return Ordering("", beyond, f"ORDER BY e.occurred_at {way}, e.event_id {way}, e.content_hash {way}")
    back = position is not None and position.newer
    absent, value = _key(parameters, sort.field)
    ways = (_way(back), _way(sort.descending != back), _way(not back))
    identity = ("e.occurred_at", "e.event_id", "e.content_hash")
    order = f"ORDER BY {absent} {ways[0]}, {value} {ways[1]}, {', '.join(f'{one} {ways[2]}' for one in identity)}"
    if position is None:
        return Ordering("", [], order)
    # The position says which event, and ClickHouse what value it has: a value can be large, and is typed there.
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
    """Whether the least come first on the page beside the position, as it is read."""
    return sort.descending == (position is not None and position.newer)


def beside(parameters: Parameters, position: Position, *, descending: bool = True) -> str:
    """Strictly beyond the position by time. Only ClickHouse compares ids: its order of UUIDs is its own."""
    at, id_, content = _identity(parameters, position)
    sign = "<" if descending != position.newer else ">"
    same = f"e.event_id = {id_} AND e.content_hash {sign} {content}"
    # The first comparison is the one that the primary key is searched with.
    return f"e.occurred_at {sign}= {at} AND (e.occurred_at {sign} {at} OR e.event_id {sign} {id_} OR ({same}))"


def _identity(parameters: Parameters, position: Position) -> tuple[str, str, str]:
    """(when it occurred, its id, its content hash), each as the column holds it."""
    return (
        parameters.time(position.occurred_us),
        parameters.add("UUID", position.event_id),
        parameters.hash(position.content_hash),
    )


def _way(descending: bool) -> str:
    return "DESC" if descending else "ASC"


def _key(parameters: Parameters, field: Field) -> tuple[str, str]:
    """(1 where the event has no value, the value in its type and never NULL)."""
    if field.group:
        return _own(f"e.fields[{parameters.text(field.name)}]", field.kind)
    column = f"e.{field.name}"
    if field.kind is Kind.ip:
        return f"isNull({column})", f"ifNull({column}, {_NO_ADDRESS})"
    if field.kind in (Kind.choice, Kind.ordinal):
        return "toUInt8(0)", f"toInt8({column})"
    if field.name == "metadata":
        return f"empty({column})", f"toJSONString({column})"
    text = f"ifNull({column}, '')" if field.name in NULLABLE else f"toString({column})"
    return f"({text} = '')", text


def _own(text: str, kind: Kind) -> tuple[str, str]:
    """As `_key`, of a tenant's own field. What its type cannot hold counts as none."""
    if kind is Kind.number:
        number = f"toFloat64OrNull({text})"
        # Whole numbers that one float stands for are told apart by themselves.
        absent = f"ifNull(isNaN({number}), 1)"
        return absent, f"(if({absent}, 0., assumeNotNull({number})), toInt64OrZero({text}))"
    if kind is Kind.time:
        time = f"parseDateTime64BestEffortOrNull({text}, 6, 'UTC')"
        return f"isNull({time})", f"ifNull({time}, toDateTime64(0, 6, 'UTC'))"
    if kind is Kind.ip:
        address = f"toIPv6OrNull({text})"
        return f"isNull({address})", f"ifNull({address}, {_NO_ADDRESS})"
    return f"({text} = '')", text
