"""Checks the compatibility of a reader's schema with a writer's, with the rules and messages of SchemaCompatibility in
Avro for Java.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from auditlane.local.registry.nodes import Field, Node

LEVELS = ("NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE")

_PROMOTIONS: dict[str, frozenset[str]] = {
    "long": frozenset({"int"}),
    "float": frozenset({"int", "long"}),
    "double": frozenset({"int", "long", "float"}),
    "bytes": frozenset({"string"}),
    "string": frozenset({"bytes"}),
}

Kind = Literal[
    "NAME_MISMATCH",
    "FIXED_SIZE_MISMATCH",
    "MISSING_ENUM_SYMBOLS",
    "READER_FIELD_MISSING_DEFAULT_VALUE",
    "TYPE_MISMATCH",
    "MISSING_UNION_BRANCH",
]
_Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One reason why a reader cannot read a writer's data, located by a JSON pointer into the reader's schema."""

    kind: Kind
    message: str
    path: _Path

    @property
    def location(self) -> str:
        return "/" + "/".join(part.replace("~", "~0").replace("/", "~1") for part in self.path)

    def describe(self, reader: str, writer: str) -> str:
        """Return a sentence in the wording of Confluent's registry. `reader` and `writer` are "new" and "old", or the
        reverse."""
        at = self.location
        description = {
            "FIXED_SIZE_MISMATCH": f"The size of FIXED type field at path '{at}' in the {reader} schema does not match "
            f"with the {writer} schema",
            "TYPE_MISMATCH": f"The type (path '{at}') of a field in the {reader} schema does not match with the "
            f"{writer} schema",
            "NAME_MISMATCH": f"The name of the schema has changed (path '{at}')",
            "MISSING_ENUM_SYMBOLS": f"The {reader} schema is missing enum symbols '{self.message}' at path '{at}' in "
            f"the {writer} schema",
            "MISSING_UNION_BRANCH": f"The {reader} schema is missing a type inside a union field at path '{at}' in the "
            f"{writer} schema",
            "READER_FIELD_MISSING_DEFAULT_VALUE": f"The field '{self.message}' at path '{at}' in the {reader} schema "
            f"has no default value and is missing in the {writer} schema",
        }[self.kind]
        return f"{{errorType:'{self.kind}', description:'{description}', additionalInfo:'{self.message}'}}"


@dataclass(frozen=True, slots=True)
class Previous:
    """An earlier version that a new schema is compared with."""

    version: int
    text: str
    schema: Node


def check(level: str, new: Node, previous: Sequence[Previous]) -> list[str]:
    """Return why `new` is incompatible with `previous`, or an empty list if it is compatible.

    `level` is one of LEVELS, and `previous` is in ascending order. Levels that are not transitive compare only with the
    last version. The first incompatible version is reported.
    """
    if level == "NONE":
        return []
    compared = list(reversed(previous)) if level.endswith("_TRANSITIVE") else list(previous[-1:])
    for old in compared:
        reasons: list[str] = []
        if level.startswith(("FORWARD", "FULL")):
            reasons += [problem.describe("old", "new") for problem in incompatibilities(old.schema, new)]
        if level.startswith(("BACKWARD", "FULL")):
            reasons += [problem.describe("new", "old") for problem in incompatibilities(new, old.schema)]
        if reasons:
            return [*reasons, f"{{oldSchemaVersion: {old.version}}}", f"{{oldSchema: '{old.text}'}}"]
    return []


def incompatibilities(reader: Node, writer: Node) -> list[Incompatibility]:
    """Return why `reader` cannot read everything that `writer` can write."""
    return _Checker().compare(reader, writer, ())


class _Checker:
    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], list[Incompatibility]] = {}

    def compare(self, reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
        pair = (id(reader), id(writer))
        if pair not in self._seen:
            self._seen[pair] = []  # a recursive type: the pair is compatible unless a problem is found elsewhere
            self._seen[pair] = self._calculate(reader, writer, path)
        return self._seen[pair]

    def _calculate(self, reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
        if reader.type == writer.type:
            return self._same_type(reader, writer, path)
        if writer.kind == "union":
            return [problem for branch in writer.branches for problem in self.compare(reader, branch, ())]
        if reader.kind == "union":
            if any(not self.compare(branch, writer, ()) for branch in reader.branches):
                return []
            return [_lacking(writer, path)]
        if writer.kind in _PROMOTIONS.get(reader.kind, ()):
            return []
        message = f"reader type: {reader.type} not compatible with writer type: {writer.type}"
        return [Incompatibility("TYPE_MISMATCH", message, path)]

    def _same_type(self, reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
        if reader.kind == "union":
            return [
                _lacking(branch, (*path, str(index)))
                for index, branch in enumerate(writer.branches)
                if self.compare(reader, branch, ())
            ]
        if reader.element is not None and writer.element is not None:
            inner = "items" if reader.kind == "array" else "values"
            return self.compare(reader.element, writer.element, (*path, inner))
        if reader.name is None:
            return []
        problems = _names(reader, writer, path)
        if reader.kind == "fixed" and reader.size != writer.size:
            message = f"expected: {writer.size}, found: {reader.size}"
            problems.append(Incompatibility("FIXED_SIZE_MISMATCH", message, (*path, "size")))
        if reader.kind == "enum":
            problems += _symbols(reader, writer, path)
        return problems + self._fields(reader, writer, path)

    def _fields(self, reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
        problems: list[Incompatibility] = []
        written = {field.name: field for field in writer.fields}
        for field in reader.fields:
            at = (*path, "fields", str(field.position))
            source = _source(field, written)
            if source is not None:
                problems += self.compare(field.type, source.type, (*at, "type"))
            elif not field.has_default and field.type.enum_default is not None:
                # Java's rule: an enum with its own default is compared with the whole record, and is incompatible.
                problems += self.compare(field.type, writer, (*at, "type"))
            elif not field.has_default:
                problems.append(Incompatibility("READER_FIELD_MISSING_DEFAULT_VALUE", field.name, at))
        return problems


def _source(field: Field, written: dict[str, Field]) -> Field | None:
    return next((written[name] for name in (field.name, *field.aliases) if name in written), None)


def _lacking(branch: Node, path: _Path) -> Incompatibility:
    return Incompatibility("MISSING_UNION_BRANCH", f"reader union lacking writer type: {branch.type}", path)


def _names(reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
    assert reader.name is not None
    assert writer.name is not None
    if reader.name.simple == writer.name.simple or writer.name.full in {alias.full for alias in reader.aliases}:
        return []
    return [Incompatibility("NAME_MISMATCH", f"expected: {writer.name.full}", (*path, "name"))]


def _symbols(reader: Node, writer: Node, path: _Path) -> list[Incompatibility]:
    missing = sorted(set(writer.symbols) - set(reader.symbols))
    if not missing or reader.enum_default is not None:
        return []
    return [Incompatibility("MISSING_ENUM_SYMBOLS", f"[{', '.join(missing)}]", (*path, "symbols"))]
