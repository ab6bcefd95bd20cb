"""The tree of a query, which consists of immutable values, and its canonical text. `parser.parse` creates trees.

Trees are in normal form: an And never directly contains an And, an Or never an Or, and a Not never a Not. Every And and
Or has at least two items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum, auto
from typing import Final, Literal, TypeAlias

Operator = Literal["=", ">", ">=", "<", "<="]
Number = int | float


class Kind(Enum):
    """How the values of a field are compared."""

    text = auto()
    untyped = auto()  # a string of unknown type, compared as a number if both sides are numbers
    choice = auto()
    ordinal = auto()  # ordered choices: severity
    ip = auto()
    time = auto()
    number = auto()
    boolean = auto()
    id = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A column of an event, or a key in its map `metadata` or `fields`."""

    name: str
    kind: Kind
    group: Literal["", "metadata", "fields"] = ""

    @property
    def path(self) -> str:
        """The full name in a query, such as `action` or `metadata.region`."""
        return f"{self.group}.{self.name}" if self.group else self.name


@dataclass(frozen=True, slots=True)
class Word:
    """Matches if some string in the event contains the text, ignoring case."""

    text: str


@dataclass(frozen=True, slots=True)
class Has:
    """Matches if the field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Match:
    """Matches if the field equals the value. An address is in its short form, and a choice is written as it is
    stored.
    """

    field: Field
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """Matches if the text of the field consists of these parts with any text in between. `("log", "")` matches text
    that starts with "log".
    """

    field: Field
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """Matches if the address is in the network, which is written as `10.0.0.0/8`."""

    field: Field
    network: str


@dataclass(frozen=True, slots=True)
class Compare:
    """Matches if the number or severity in the field satisfies the comparison with the value."""

    field: Field
    operator: Operator
    value: Number | str


@dataclass(frozen=True, slots=True)
class Between:
    """Matches if the number or severity in the field is from `low` to `high`, both inclusive."""

    field: Field
    low: Number | str
    high: Number | str


@dataclass(frozen=True, slots=True)
class Span:
    """Matches if the time in the field is in [since, until). None means that there is no limit."""

    field: Field
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Not:
    """Matches if the item does not match."""

    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """Matches if every item matches."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Matches if at least one item matches."""

    items: tuple[Node, ...]


Term: TypeAlias = Word | Has | Match | Like | Within | Compare | Between | Span
Node: TypeAlias = Term | Not | And | Or


def all_of(items: Iterable[Node]) -> Node:
    """Combine the items with And, in normal form. At least one item is required."""
    flat = tuple(inner for item in items for inner in (item.items if isinstance(item, And) else (item,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(items: Iterable[Node]) -> Node:
    """Combine the items with Or, in normal form. At least one item is required."""
    flat = tuple(inner for item in items for inner in (item.items if isinstance(item, Or) else (item,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def none_of(item: Node) -> Node:
    """Negate an item, in normal form."""
    return item.item if isinstance(item, Not) else Not(item)


_BARE: Final = re.compile(r"[\w@/+.][\w@/+.:-]*")
_SPECIAL: Final = re.compile(r"[^\w@/+.]")
_KEYWORDS: Final = frozenset({"AND", "OR", "NOT"})
_TICK: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


def text_of(node: Node) -> str:
    """Format a tree as the shortest query that parses to it."""
    match node:
        case Or(items):
            return " OR ".join(map(text_of, items))
        case And(items):
            return " ".join(_inside(item, Or) for item in items)
        case Not(item):
            return "-" + _inside(item, Or | And)
        case Word(text):
            return text if _BARE.fullmatch(text) and ":" not in text and text not in _KEYWORDS else _quoted(text)
        case _:
            return f"{_escaped(node.field.path)}:{_value(node)}"


def _inside(node: Node, bracketed: object) -> str:
    text = text_of(node)
    return f"({text})" if isinstance(node, bracketed) else text  # type: ignore[arg-type]


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
