"""A schema's canonical text, as written by `Schema.toString()` of Avro for Java, and its normalized form.

Schemas with the same canonical text are one schema with one id. Avro's own attributes come first, in Avro's order, and
then the others in the given order.
"""

from __future__ import annotations

import json
import math
from typing import Any

from auditlane.local.registry.nodes import Field, Name, Node

_LOGICAL = {
    "decimal": {"bytes", "fixed"},
    "uuid": {"string"},
    "date": {"int"},
    "time-millis": {"int"},
    "time-micros": {"long"},
    "timestamp-millis": {"long"},
    "timestamp-micros": {"long"},
    "local-timestamp-millis": {"long"},
    "local-timestamp-micros": {"long"},
}


def render(schema: Node, known: frozenset[str] = frozenset()) -> str:
    """Return the schema's text. Types whose full names are in `known` come from references, and are written as
    names.
    """
    return _json(_tree(schema, "", set(known)))


def normalized(schema: Node) -> Node:
    """Return the schema with its attributes, aliases and keys sorted, since their order has no meaning."""
    return _normalized(schema, {})


def _tree(node: Node, space: str, known: set[str]) -> Any:
    if node.kind == "union":
        return [_tree(branch, space, known) for branch in node.branches]
    if node.name is None:
        if node.element is None:
            return {"type": node.kind, **node.props} if node.props else node.kind
        inner = "items" if node.kind == "array" else "values"
        return {"type": node.kind, inner: _tree(node.element, space, known), **node.props}
    if node.name.full in known:
        return node.name.seen_from(space)
    known.add(node.name.full)
    return _named(node, node.name, space, known)


def _named(node: Node, name: Name, space: str, known: set[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {"type": node.kind, "name": name.simple}
    if name.space != space:
        tree["namespace"] = name.space
    if node.doc is not None:
        tree["doc"] = node.doc
    if node.kind == "enum":
        tree["symbols"] = list(node.symbols)
        if node.enum_default is not None:
            tree["default"] = node.enum_default
    elif node.kind == "fixed":
        tree["size"] = node.size
    else:
        tree["fields"] = [_field(field, name.space, known) for field in node.fields]
    tree.update(node.props)
    if node.aliases:
        tree["aliases"] = [alias.seen_from(name.space) for alias in node.aliases]
    return tree


def _field(field: Field, space: str, known: set[str]) -> dict[str, Any]:
    tree: dict[str, Any] = {"name": field.name, "type": _tree(field.type, space, known)}
    if field.doc is not None:
        tree["doc"] = field.doc
    if field.has_default:
        tree["default"] = field.default
    if field.order != "ascending":
        tree["order"] = field.order
    if field.aliases:
        tree["aliases"] = list(field.aliases)
    tree.update(field.props)
    return tree


def _normalized(node: Node, done: dict[int, Node]) -> Node:
    if id(node) in done:
        return done[id(node)]
    copy = Node(node.kind, name=node.name, doc=node.doc or None, symbols=node.symbols, size=node.size)
    done[id(node)] = copy
    copy.enum_default = node.enum_default
    copy.aliases = tuple(sorted(node.aliases, key=lambda alias: alias.full))
    copy.props = _sorted_props(node)
    copy.branches = tuple(_normalized(branch, done) for branch in node.branches)
    copy.element = _normalized(node.element, done) if node.element else None
    copy.fields = tuple(
        Field(
            field.name,
            _normalized(field.type, done),
            field.position,
            doc=field.doc,
            has_default=field.has_default,
            default=_sorted_keys(_typed(field.type, field.default)),
            order=field.order,
            aliases=tuple(sorted(field.aliases)),
            props=_sorted_keys(field.props),
        )
        for field in node.fields
    )
    return copy


def _sorted_props(node: Node) -> dict[str, Any]:
    """Sort attributes by name, after any logical type defined by Avro and its parameters."""
    props: dict[str, Any] = _sorted_keys(node.props)
    logical = props.get("logicalType")
    if not isinstance(logical, str) or node.kind not in _LOGICAL.get(logical, ()):
        return props
    first = {"logicalType": logical}
    if logical == "decimal":
        first |= {key: props[key] for key in ("precision", "scale") if props.get(key)}
    return first | props


def _sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted_keys(item) for item in value]
    return value


def _typed(node: Node, value: Any) -> Any:
    """Convert a default to the representation of its type. For example, a double's 0 becomes 0.0."""
    if node.kind == "union":
        return _typed(node.branches[0], value) if node.branches else value
    if node.kind in ("float", "double") and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if node.element is not None and isinstance(value, list):
        return [_typed(node.element, item) for item in value]
    if node.element is not None and isinstance(value, dict):
        return {key: _typed(node.element, item) for key, item in value.items()}
    if node.fields and isinstance(value, dict):
        types = {field.name: field.type for field in node.fields}
        return {key: _typed(types[key], item) if key in types else item for key, item in value.items()}
    return value


def _json(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_json(key)}:{_json(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_json, value)) + "]"
    if isinstance(value, float):
        return _java_double(value)
    return json.dumps(value, ensure_ascii=False)


def _java_double(value: float) -> str:
    """Format a number like Double.toString in Java: plain from 1e-3 up to 1e7, otherwise with an exponent."""
    if math.isnan(value) or math.isinf(value):
        return '"NaN"' if math.isnan(value) else '"Infinity"' if value > 0 else '"-Infinity"'
    if value == 0 or 1e-3 <= abs(value) < 1e7:
        return repr(value)
    mantissa, _, exponent = f"{value:.17e}".partition("e")
    for digits in range(1, 18):  # the fewest digits that parse to the same number
        mantissa, _, exponent = f"{value:.{digits}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == value:
            break
    return f"{mantissa}E{int(exponent)}"
