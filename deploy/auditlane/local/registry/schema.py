"""Parses a schema's text into its graph, by the rules of Avro's Java parser.

The registry's responses depend on details in which libraries differ (unknown attributes, names without a namespace,
qualified aliases), so it has its own parser. Tests compare it with other parsers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from auditlane.local.registry.nodes import NAMED, PRIMITIVES, Field, Name, Node

_SCHEMA_RESERVED = frozenset(
    {"doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"}
)
_FIELD_RESERVED = frozenset({"default", "doc", "name", "order", "type", "aliases"})
_ORDERS = frozenset({"ascending", "descending", "ignore"})


class SchemaParseError(ValueError):
    """Raised if the text is not an Avro schema. The message names the location."""


def parse(text: str, referenced: Iterable[str] = ()) -> tuple[Node, frozenset[str]]:
    """Parse `text`. Returns the schema, and the full names that `referenced` defines. Raises SchemaParseError.

    `referenced` contains schema texts in dependency order.
    """
    parser = _Parser()
    try:
        for referenced_text in referenced:
            parser.parse(_load(referenced_text), "")
        known = frozenset(parser.names)
        return parser.parse(_load(text), ""), known
    except RecursionError as error:
        raise SchemaParseError("the schema is nested too deeply") from error


def _load(text: str) -> Any:
    try:
        text.encode()
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise SchemaParseError(f"not JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


class _Parser:
    def __init__(self) -> None:
        self.names: dict[str, Node] = {}

    def parse(self, schema: Any, space: str) -> Node:
        if isinstance(schema, str):
            return self._by_name(schema, space)
        if isinstance(schema, list):
            return self._union(schema, space)
        if not isinstance(schema, dict):
            raise SchemaParseError(f"Schema not yet supported: {json.dumps(schema)}")
        kind = schema.get("type")
        if not isinstance(kind, str):
            raise SchemaParseError(f"No type: {_excerpt(schema)}")
        if kind in PRIMITIVES:
            return Node(kind, props=_props(schema, _SCHEMA_RESERVED))
        if kind in NAMED:
            return self._named(kind, schema, space)
        if kind in ("array", "map"):
            inner = "items" if kind == "array" else "values"
            if inner not in schema:
                raise SchemaParseError(f"No {inner} type: {_excerpt(schema)}")
            return Node(kind, element=self.parse(schema[inner], space), props=_props(schema, _SCHEMA_RESERVED))
        found = self._find(kind, space)
        if found is None:
            raise SchemaParseError(f"Type not supported: {kind}")
        return found

    def _by_name(self, name: str, space: str) -> Node:
        if name in PRIMITIVES:
            return Node(name)
        found = self._find(name, space)
        if found is None:
            raise SchemaParseError(f'Undefined name: "{name}"')
        return found

    def _find(self, name: str, space: str) -> Node | None:
        qualified = _qualify(name, space)
        return self.names.get(qualified.full) or self.names.get(qualified.simple)

    def _union(self, branches: list[Any], space: str) -> Node:
        nodes = tuple(self.parse(branch, space) for branch in branches)
        seen: set[str] = set()
        for node in nodes:
            if node.kind == "union":
                raise SchemaParseError(f"Nested union: {_excerpt(branches)}")
            key = node.name.full if node.name else node.kind
            if key in seen:
                raise SchemaParseError(f"Duplicate in union:{key}")
            seen.add(key)
        return Node("union", branches=nodes)

    def _named(self, kind: str, schema: Mapping[str, Any], space: str) -> Node:
        own = schema.get("namespace")
        name = _qualify(_text(schema, "name", "No name in schema"), own if isinstance(own, str) else space)
        _check_name(name)
        if name.full in self.names:
            raise SchemaParseError(f"Can't redefine: {name.full}")
        doc = schema.get("doc")
        reserved = _SCHEMA_RESERVED | {"default"} if kind == "enum" else _SCHEMA_RESERVED
        node = Node(kind, name=name, doc=doc if isinstance(doc, str) else None, props=_props(schema, reserved))
        node.aliases = tuple(dict.fromkeys(_qualify(alias, name.space) for alias in _aliases(schema)))
        self.names[name.full] = node
        if kind == "enum":
            node.symbols, node.enum_default = _symbols(schema)
        elif kind == "fixed":
            node.size = _size(schema)
        else:
            node.fields = self._fields(schema, name)
        return node

    def _fields(self, schema: Mapping[str, Any], record: Name) -> tuple[Field, ...]:
        declared = schema.get("fields")
        if not isinstance(declared, list):
            raise SchemaParseError(f"Record has no fields: {_excerpt(schema)}")
        fields = [self._field(field, position, record) for position, field in enumerate(declared)]
        seen: set[str] = set()
        for field in fields:
            if field.name in seen:
                raise SchemaParseError(f"Duplicate field {field.name} in record {record.full}")
            seen.add(field.name)
        return tuple(fields)

    def _field(self, schema: Any, position: int, record: Name) -> Field:
        if not isinstance(schema, dict):
            raise SchemaParseError(f"A field of {record.full} is not an object: {_excerpt(schema)}")
        name = _text(schema, "name", "No field name")
        _check_word(name)
        if "type" not in schema:
            raise SchemaParseError(f"No field type: {_excerpt(schema)}")
        try:
            node = self.parse(schema["type"], record.space)
        except SchemaParseError as error:
            raise SchemaParseError(f'{error} (the type of the "{name}" field of {record.full})') from error
        order = schema.get("order", "ascending")
        if not isinstance(order, str) or order.lower() not in _ORDERS:
            raise SchemaParseError(f'The order of the "{name}" field must be one of {sorted(_ORDERS)}')
        doc = schema.get("doc")
        return Field(
            name,
            node,
            position,
            doc=doc if isinstance(doc, str) else None,
            has_default="default" in schema,
            default=_default(node, schema.get("default")),
            order=order.lower(),
            aliases=tuple(dict.fromkeys(_aliases(schema))),
            props=_props(schema, _FIELD_RESERVED),
        )


def _default(node: Node, value: Any) -> Any:
    """Convert a default. Strings such as "NaN" become floats, since JSON cannot express them as numbers."""
    if node.kind in ("float", "double") and isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise SchemaParseError(f"The default {value!r} is not a number") from error
    return value


def _symbols(schema: Mapping[str, Any]) -> tuple[tuple[str, ...], str | None]:
    symbols = schema.get("symbols")
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise SchemaParseError(f"Enum has no symbols: {_excerpt(schema)}")
    seen: set[str] = set()
    for symbol in symbols:
        _check_word(symbol)
        if symbol in seen:
            raise SchemaParseError(f"Duplicate enum symbol: {symbol}")
        seen.add(symbol)
    default = schema.get("default")
    if default is not None and default not in seen:
        raise SchemaParseError(f"The Enum Default: {default} is not in the enum symbol set: [{', '.join(symbols)}]")
    return tuple(symbols), default


def _size(schema: Mapping[str, Any]) -> int:
    size = schema.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise SchemaParseError(f"Invalid or no size: {_excerpt(schema)}")
    return size


def _aliases(schema: Mapping[str, Any]) -> list[str]:
    aliases = schema.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise SchemaParseError(f"aliases not an array of strings: {_excerpt(schema)}")
    return aliases


def _props(schema: Mapping[str, Any], reserved: frozenset[str]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in reserved}


def _text(schema: Mapping[str, Any], key: str, problem: str) -> str:
    value = schema.get(key)
    if not isinstance(value, str):
        raise SchemaParseError(f"{problem}: {_excerpt(schema)}")
    return value


def _qualify(name: str, space: str) -> Name:
    own, dot, simple = name.rpartition(".")
    return Name(simple, own) if dot else Name(name, space)


def _check_name(name: Name) -> None:
    _check_word(name.simple)
    for part in name.space.split(".") if name.space else ():
        _check_word(part)


def _check_word(word: str) -> None:
    if not word:
        raise SchemaParseError("Empty name")
    if not (word[0].isalpha() or word[0] == "_"):
        raise SchemaParseError(f"Illegal initial character: {word}")
    if not all(letter.isalnum() or letter == "_" for letter in word):
        raise SchemaParseError(f"Illegal character in: {word}")


def _excerpt(schema: Any) -> str:
    text = json.dumps(schema, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "…"
