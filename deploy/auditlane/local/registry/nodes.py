"""An Avro schema as a graph: a node for each type, one for a name however often it is used."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED = frozenset({"record", "error", "enum", "fixed"})


@dataclass(frozen=True, slots=True)
class Name:
    """A name and its namespace, empty when it has none."""

    simple: str
    space: str

    @property
    def full(self) -> str:
        return f"{self.space}.{self.simple}" if self.space else self.simple

    def seen_from(self, space: str) -> str:
        """How the name is written inside `space`: a simple name there would be taken for a primitive when it is one."""
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
    """One type. `kind` says which of the attributes below it has; a name used twice is the same node."""

    kind: str
    name: Name | None = None
    doc: str | None = None
    aliases: tuple[Name, ...] = ()
    fields: tuple[Field, ...] = ()
    symbols: tuple[str, ...] = ()
    enum_default: str | None = None
    size: int = 0
    element: Node | None = None  # of an array or a map
    branches: tuple[Node, ...] = ()
    props: dict[str, Any] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The kind as Avro's messages name it."""
        return "RECORD" if self.kind == "error" else self.kind.upper()
