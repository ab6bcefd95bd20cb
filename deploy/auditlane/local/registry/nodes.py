"""An Avro schema as a graph, with one node per type. All uses of a name share its node."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its namespace, which may be empty."""

    simple: str
    space: str

    @property
    def full(self) -> str:
        return f"{self.space}.{self.simple}" if self.space else self.simple

    def seen_from(self, space: str) -> str:
        """Return the name as written inside `space`: in full if its namespace differs, or if it is also a built-in
        type's.
        """
        inside = self.space == space and self.simple not in PRIMITIVES | NAMED | {"array", "map", "union"}
        return self.simple if inside else self.full


@dataclass(slots=True, eq=False)
class Field:
    name: str
    type: Node
    position: int
    doc: str | None = None
    has_default: bool = False
    default: Any = None
    order: str = "ascending"
    aliases: tuple[str, ...] = ()
    props: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Node:
    """One type. `kind` determines which attributes are set. All uses of a name share its node."""

    kind: str
    name: Name | None = None
    doc: str | None = None
    aliases: tuple[Name, ...] = ()
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()
    enum_default: str | None = None
    size: int = 0
    element: Node | None = None  # element type of an array or map
    branches: tuple[Node, ...] = ()
    props: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The type's name, spelt as in Avro's error messages."""
        return "RECORD" if self.kind == "error" else self.kind.upper()
