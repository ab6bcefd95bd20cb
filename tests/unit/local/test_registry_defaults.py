"""Tests which defaults are valid for which types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditlane.local.registry.defaults import invalid_default
from auditlane.local.registry.schema import parse

INNER = {
    "type": "record",
    "name": "I",
    "fields": [{"name": "x", "type": "int"}, {"name": "y", "type": "int", "default": 0}],
}


def verdict(kind: Any, default: Any) -> str | None:
    schema = {"type": "record", "name": "R", "fields": [{"name": "a", "type": kind, "default": default}]}
    return invalid_default(parse(json.dumps(schema))[0])


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("null", None), ("boolean", False), ("int", -(2**31)), ("long", 2**63 - 1), ("float", 1), ("double", 1.5),
        ("double", "NaN"), ("string", ""), ("bytes", "\u00ff"), (["null", "int"], None), (["null", "int"], 1),
        ({"type": "array", "items": "int"}, [1]), ({"type": "map", "values": "int"}, {"k": 1}),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "A"), ({"type": "fixed", "name": "F", "size": 1}, "x"),
        (INNER, {"x": 1}), (["null", "R"], None),
    ],
)  # fmt: skip
def test_a_default_of_its_type_is_valid(kind: Any, default: Any) -> None:
    assert verdict(kind, default) is None


@pytest.mark.parametrize(
    ("kind", "default"),
    [
        ("null", 0), ("boolean", 0), ("int", 2**31), ("int", True), ("int", 1.0), ("long", 2**63), ("double", False),
        ("string", None), ("bytes", 1), (["null", "int"], ""), ({"type": "array", "items": "int"}, [""]),
        ({"type": "map", "values": "int"}, {"k": ""}), (INNER, {"y": 1}), (INNER, {"x": ""}), (INNER, []),
    ],
)  # fmt: skip
def test_a_default_of_another_type_is_invalid(kind: Any, default: Any) -> None:
    assert "Invalid default for field a" in (verdict(kind, default) or "")


def test_an_invalid_default_is_found_in_nested_types() -> None:
    bad = {"type": "record", "name": "B", "fields": [{"name": "deep", "type": "int", "default": ""}]}
    assert "deep" in (verdict({"type": "array", "items": ["null", bad]}, []) or "")
