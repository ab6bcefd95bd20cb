"""A tree as one SQL condition. Its text depends on the tree's form and the columns in it, never on a value.

Every term is 0 or 1, never NULL, so that a negation matches what has no value.
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from auditlane.query.clickhouse.columns import AS_TEXT, FREE_TEXT, NULLABLE
from auditlane.query.clickhouse.statements import Parameters
from auditlane.query.language.fields import severity_rank
from auditlane.query.language.tree import (
    And,
    Between,
    Compare,
    Field,
    Has,
    Kind,
    Like,
    Match,
    Node,
    Not,
    Number,
    Operator,
    Or,
    Span,
    Within,
    Word,
)
from auditlane.query.values import choices, stored_address

_IN_IDS: Final = frozenset("0123456789abcdef-")
_IN_ADDRESSES: Final = frozenset("0123456789abcdef:.")
_EXACT: Final = 1 << 53  # a float holds every whole number up to here


def condition(parameters: Parameters, node: Node) -> str:
    """The condition of a tree; values go to `parameters`."""
    match node:
        case And(items):
            return f"({' AND '.join(condition(parameters, one) for one in items)})"
        case Or(items):
            return f"({' OR '.join(condition(parameters, one) for one in items)})"
        case Not(item):
            return f"(NOT {condition(parameters, item)})"
        case Word(text):
            return occurs(parameters, text)
        case Span():
            return _span(parameters, node)
        case Compare(field, operator, value):
            return _compared(parameters, field, operator, value)
        case Between(field, low, high):
            return f"({_compared(parameters, field, '>=', low)} AND {_compared(parameters, field, '<=', high)})"
        case Within(field, network):
            whole = ipaddress.ip_network(network)
            return _addresses(parameters, field, whole[0], whole[-1])
        case Has(field):
            return _texts(parameters, field, "{} != ''")
        case Like(field, pieces):
            return _texts(parameters, field, f"{{}} LIKE {parameters.text(_pattern(pieces))}")
        case Match(field, value):
            return _match(parameters, field, value)


def occurs(parameters: Parameters, text: str) -> str:
    """The text occurs in one of the event's texts, its addresses, its metadata or own fields, whatever the case.

    Column by column: joining them to one text took as long again as looking through it.
    """
    word = parameters.text(text)

    def found(where: str) -> str:
        return f"positionCaseInsensitiveUTF8({where}, {word}) > 0"

    tests = [f"ifNull({found(f'e.{name}')}, 0)" if name in NULLABLE else found(f"e.{name}") for name in FREE_TEXT]
    tests += [f"arrayExists(one -> {found('one')}, mapValues(e.{name}))" for name in ("metadata", "fields")]
    for name in ("outcome", "severity"):
        places = [place for place, choice in enumerate(choices(name)) if text.lower() in choice.lower()]
        tests.append(f"toInt8(e.{name}) IN {parameters.add('Array(Int8)', places)}")
    # Where the text cannot be a part of an id or an address, none is written out to look for it: `0 AND` ends it.
    for column, characters in (("event_id", _IN_IDS), ("ip", _IN_ADDRESSES)):
        possible = parameters.add("UInt8", int(characters.issuperset(text.lower())))
        tests.append(f"{possible} AND " + found(f"ifNull(toString(e.{column}), '')"))
    return f"({' OR '.join(f'({one})' for one in tests)})"


def _match(parameters: Parameters, field: Field, value: str) -> str:
    if field.kind is Kind.ip:
        address = ipaddress.ip_address(value)
        return _addresses(parameters, field, address, address)
    if field.kind is Kind.id:
        return f"(e.event_id = {parameters.add('UUID', value)})"
    return _texts(parameters, field, f"{{}} = {parameters.text(value)}")


def _texts(parameters: Parameters, field: Field, test: str) -> str:
    """The test on the field's text, the empty one where it has none; an actor's id or name may pass it."""
    names = ("actor_id", "actor_name") if field.path == "actor" else (field.name,)
    texts = [_key(parameters, field)] if field.group else [_text(name) for name in names]
    return f"({' OR '.join(test.replace('{}', text, 1) for text in texts)})"


def _text(column: str) -> str:
    text = AS_TEXT.get(column, f"e.{column}")
    return f"ifNull({text}, '')" if column in NULLABLE else text


def _key(parameters: Parameters, field: Field) -> str:
    return f"e.{field.group}[{parameters.text(field.name)}]"


def _addresses(
    parameters: Parameters,
    field: Field,
    first: ipaddress.IPv4Address | ipaddress.IPv6Address,
    last: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> str:
    left = f"toIPv6OrNull({_key(parameters, field)})" if field.group else "e.ip"
    low, high = (parameters.add("IPv6", stored_address(one)) for one in (first, last))
    return f"ifNull({left} >= {low} AND {left} <= {high}, 0)"


def _span(parameters: Parameters, span: Span) -> str:
    field = span.field
    own = f"parseDateTime64BestEffortOrNull({_key(parameters, field)}, 6, 'UTC')" if field.group else ""
    left = own or f"e.{field.name}"
    bounds = [f"{left} >= {parameters.time(span.since)}"] if span.since else []
    bounds += [f"{left} < {parameters.time(span.until)}"] if span.until else []
    both = " AND ".join(bounds)
    return f"ifNull({both}, 0)" if own else f"({both})"


def _compared(parameters: Parameters, field: Field, operator: Operator, value: Number | str) -> str:
    if isinstance(value, str):
        return f"(toInt8(e.severity) {operator} {parameters.add('Int8', severity_rank(value))})"
    text = _key(parameters, field)
    if isinstance(value, int) and abs(value) > _EXACT:
        return f"ifNull(toInt64OrNull({text}) {operator} {parameters.add('Int64', value)}, 0)"
    return f"ifNull(toFloat64OrNull({text}) {operator} {parameters.add('Float64', float(value))}, 0)"


def _pattern(pieces: tuple[str, ...]) -> str:
    """For LIKE: what it takes specially is escaped in the pieces."""
    return "%".join(re.sub(r"([\\%_])", r"\\\1", piece) for piece in pieces)
