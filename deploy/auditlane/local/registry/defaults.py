"""Checks that each field's default in a schema has the field's type, by the rules of Avro's Java parser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditlane.local.registry.nodes import Field, Node

_RANGES = {"int": 2**31, "long": 2**63}


def invalid_default(schema: Node) -> str | None:
    """Return a sentence about the first field whose default does not have the field's type, or None if there is
    none."""
    for field in _fields(schema, set()):
        if field.has_default and not _is_valid(field.type, field.default):
            return f"Invalid default for field {field.name}: {json.dumps(field.default)} not a {_kind(field.type)}"
    return None


def _fields(node: Node, seen: set[int]) -> Iterator[Field]:
    if id(node) in seen:
        return
    seen.add(id(node))
    for inner in (*node.branches, *([node.element] if node.element else [])):
        yield from _fields(inner, seen)
    for field in node.fields:
        yield field
        yield from _fields(field.type, seen)


def _is_valid(node: Node, value: Any) -> bool:
    match node.kind:
        case "union":
            return any(_is_valid(branch, value) for branch in node.branches)
        case "null":
            return value is None
        case "boolean":
            return isinstance(value, bool)
        case "int" | "long":
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and -_RANGES[node.kind] <= value < _RANGES[node.kind]
        case "float" | "double":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string" | "bytes" | "enum" | "fixed":
            return isinstance(value, str)
        case "array":
            return isinstance(value, list) and all(_is_valid(_element(node), item) for item in value)
        case "map":
            return isinstance(value, dict) and all(_is_valid(_element(node), item) for item in value.values())
        case _:
            return isinstance(value, dict) and all(_has_value(field, value) for field in node.fields)


def _has_value(field: Field, record: dict[str, Any]) -> bool:
    if field.name in record:
        return _is_valid(field.type, record[field.name])
    return field.has_default and _is_valid(field.type, field.default)


def _element(node: Node) -> Node:
    assert node.element is not None
    return node.element


def _kind(node: Node) -> str:
    return node.name.full if node.name else node.kind
