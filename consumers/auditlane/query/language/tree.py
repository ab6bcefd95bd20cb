"""What a query means, as a tree of frozen values. `parser.parse` makes it, `printer.text_of` writes it again.

A tree is in normal form: no And directly in an And, no Or in an Or, no Not of a Not, two items at least.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Literal, TypeAlias

Operator = Literal["=", ">", ">=", "<", "<="]
Number = int | float


class Kind(Enum):
    """How a field's values compare."""

    text = auto()
    untyped = auto()  # text of which nothing is known, so that a number in it may be compared as one
    choice = auto()
    ordinal = auto()  # choices in an order: severity
    ip = auto()
    time = auto()
    number = auto()
    boolean = auto()
    id = auto()


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the event, or a key of its map `metadata` or `fields`."""

    name: str
    kind: Kind
    group: Literal["", "metadata", "fields"] = ""

    @property
    def path(self) -> str:
        """Its full name in a query: `action`, `metadata.region`."""
        return f"{self.group}.{self.name}" if self.group else self.name


@dataclass(frozen=True, slots=True)
class Word:
    """Occurs in some text of the event, upper and lower case alike."""

    text: str


@dataclass(frozen=True, slots=True)
class Has:
    """The field has a value."""

    field: Field


@dataclass(frozen=True, slots=True)
class Match:
    """The field equals the value; an address is in its short form, a choice as it is stored."""

    field: Field
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """The field's text is these pieces with anything between them: `("log", "")` begins with log."""

    field: Field
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """The address is in the network, which is written as `10.0.0.0/8`."""

    field: Field
    network: str


@dataclass(frozen=True, slots=True)
class Compare:
    """The field's number, or level, beside a value."""

    field: Field
    operator: Operator
    value: Number | str


@dataclass(frozen=True, slots=True)
class Between:
    """The field's number, or level, from `low` to `high`, both included."""

    field: Field
    low: Number | str
    high: Number | str


@dataclass(frozen=True, slots=True)
class Span:
    """The field's time is in [since, until), either of which may be open (None), but not both."""

    field: Field
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Not:
    """What it holds does not match."""

    item: Node


@dataclass(frozen=True, slots=True)
class And:
    """Every item matches."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one item matches."""

    items: tuple[Node, ...]


Term: TypeAlias = Word | Has | Match | Like | Within | Compare | Between | Span
Node: TypeAlias = Term | Not | And | Or


def all_of(items: Iterable[Node]) -> Node:
    """And in normal form; at least one item."""
    flat = tuple(one for item in items for one in (item.items if isinstance(item, And) else (item,)))
    return flat[0] if len(flat) == 1 else And(flat)


def any_of(items: Iterable[Node]) -> Node:
    """Or in normal form; at least one item."""
    flat = tuple(one for item in items for one in (item.items if isinstance(item, Or) else (item,)))
    return flat[0] if len(flat) == 1 else Or(flat)


def none_of(item: Node) -> Node:
    """Not in normal form."""
    return item.item if isinstance(item, Not) else Not(item)
