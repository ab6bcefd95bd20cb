"""A tree as text: the shortest form that parses to the same tree again."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import Final

from auditlane.query.language.tree import (
    And,
    Between,
    Compare,
    Field,
    Has,
    Like,
    Match,
    Node,
    Not,
    Or,
    Span,
    Within,
    Word,
)

_BARE: Final = re.compile(r"[\w@/+.][\w@/+.:-]*")
_SPECIAL: Final = re.compile(r"[^\w@/+.]")
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT"})
_TICK: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


def text_of(node: Node) -> str:
    """The query in canonical form."""
    match node:
        case Or(items):
            return " OR ".join(map(text_of, items))
        case And(items):
            return " ".join(_inside(one, Or) for one in items)
        case Not(item):
            return "-" + _inside(item, Or | And)
        case Word(text):
            return text if _BARE.fullmatch(text) and ":" not in text and text not in _KEYWORDS else _quoted(text)
        case _:
            return f"{_name(node.field)}:{_value(node)}"


def _inside(node: Node, bracketed: object) -> str:
    text = text_of(node)
    return f"({text})" if isinstance(node, bracketed) else text  # type: ignore[arg-type]


def _name(field: Field) -> str:
    return _escaped(field.path)


def _value(node: Has | Match | Like | Within | Compare | Between | Span) -> str:
    match node:
        case Has():
            return "*"
        case Match(_, value):
            return value if _BARE.fullmatch(value) and ".." not in value else _quoted(value)
        case Like(_, pieces):
            return "*".join(map(_escaped, pieces))
        case Within(_, network):
            return network
        case Compare(_, operator, value):
            return f"{'' if operator == '=' else operator}{value}"
        case Between(_, low, high):
            return f"{low}..{high}"
        case Span(_, since, until):
            return _span(since, until)


def _span(since: datetime | None, until: datetime | None) -> str:
    if since is None or until is None:
        return f"<{_moment(until)}" if until else f">={_moment(since)}" if since else ""
    if since.time() == until.time() == time():
        first, last = since.date(), (until - _DAY).date()
        return f"{first}" if first == last else f"{first}..{last}"
    last_tick = until - _TICK
    return _moment(since) if since == last_tick else f"{_moment(since)}..{_moment(last_tick)}"


def _moment(value: datetime | None) -> str:
    return value.isoformat().replace("+00:00", "Z") if value else ""


def _escaped(text: str) -> str:
    return _SPECIAL.sub(lambda found: "\\" + found[0], text)


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
