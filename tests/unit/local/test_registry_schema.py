"""Tests how the registry parses and writes Avro schemas. It follows Java's rules, and the results are compared with
those of two other parsers.
"""

from __future__ import annotations

import json
from typing import Any

import avro.schema
import fastavro
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlane.contract.avro import base_schema
from auditlane.local.registry.canonical import normalized, render
from auditlane.local.registry.schema import SchemaParseError, parse


def canonical(schema: str, *referenced: str) -> str:
    """Return the text that the registry stores for a schema."""
    node, known = parse(schema, referenced)
    return render(node, known)


def compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


FIXED = {"type": "fixed", "size": 1}


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("string", "string"),
        ({"type": "string"}, "string"),
        ({"type": "string", "x": 1}, {"type": "string", "x": 1}),
        ({"items": {"type": "int"}, "type": "array"}, {"type": "array", "items": "int"}),
        ({"x": 1, "values": "int", "type": "map"}, {"type": "map", "values": "int", "x": 1}),
        (["null", {"type": "int"}], ["null", "int"]),
        (
            {"size": 4, "name": "a.F", "type": "fixed"},
            {"type": "fixed", "name": "F", "namespace": "a", "size": 4},
        ),
        (
            {"default": "A", "symbols": ["A"], "aliases": ["B"], "doc": "d", "name": "a.E", "type": "enum", "x": None},
            {"type": "enum", "name": "E", "namespace": "a", "doc": "d", "symbols": ["A"], "default": "A", "x": None,
             "aliases": ["B"]},
        ),
        (
            {"aliases": ["n.Q", "m.Q"], "x": "é\n\"", "fields": [], "name": "R", "namespace": "n", "type": "record"},
            {"type": "record", "name": "R", "namespace": "n", "fields": [], "x": "é\n\"", "aliases": ["Q", "m.Q"]},
        ),
        (
            {"type": "record", "name": "R", "fields": [
                {"order": "ascending", "x": 1, "default": 1.50, "aliases": ["b"], "doc": "d", "type": "double",
                 "name": "a"},
                {"order": "Ignore", "type": "int", "name": "b"},
            ]},
            {"type": "record", "name": "R", "fields": [
                {"name": "a", "type": "double", "doc": "d", "default": 1.5, "aliases": ["b"], "x": 1},
                {"name": "b", "type": "int", "order": "ignore"},
            ]},
        ),
        (  # names: short inside the namespace, full outside, and with an empty namespace without one
            {"type": "record", "name": "n.R", "fields": [
                {"name": "a", "type": {**FIXED, "name": "m.F"}}, {"name": "b", "type": "m.F"},
                {"name": "c", "type": "R"}, {"name": "d", "type": {**FIXED, "name": "G"}},
                {"name": "e", "type": {**FIXED, "name": "H", "namespace": ""}}, {"name": "f", "type": "H"},
            ]},
            {"type": "record", "name": "R", "namespace": "n", "fields": [
                {"name": "a", "type": {"type": "fixed", "name": "F", "namespace": "m", "size": 1}},
                {"name": "b", "type": "m.F"}, {"name": "c", "type": "R"},
                {"name": "d", "type": {"type": "fixed", "name": "G", "size": 1}},
                {"name": "e", "type": {"type": "fixed", "name": "H", "namespace": "", "size": 1}},
                {"name": "f", "type": "H"},
            ]},
        ),
    ],
)  # fmt: skip
def test_a_schema_is_kept_as_java_writes_it(written: Any, kept: Any) -> None:
    assert canonical(json.dumps(written, indent=1)) == compact(kept)
    assert canonical(compact(kept)) == compact(kept)


@pytest.mark.parametrize(
    ("written", "kept"),
    [("0", "0"), ("1e10", "1.0E10"), ("1234567.0", "1234567.0"), ("12345678.0", "1.2345678E7"), ("0.001", "0.001"),
     ("0.0001", "1.0E-4"), ("-0.0", "-0.0"), ("1.7976931348623157e308", "1.7976931348623157E308"), ('"NaN"', '"NaN"')],
)  # fmt: skip
def test_numbers_are_written_as_java_does(written: str, kept: str) -> None:
    schema = '{"type":"record","name":"R","fields":[{"name":"a","type":"double","default":%s}]}'
    assert canonical(schema % written) == schema % kept


def test_normalizing_sorts_what_has_no_significant_order() -> None:
    schema = {
        "type": "record", "name": "R", "z": 1, "a": {"y": 1, "x": 2}, "doc": "", "aliases": ["Z", "B"],
        "fields": [
            {"name": "d", "type": {"type": "bytes", "scale": 2, "precision": 4, "a": 1, "logicalType": "decimal"}},
            {"name": "f", "type": "double", "default": 0, "aliases": ["q", "p"], "z": 1, "b": 2},
        ],
    }  # fmt: skip
    assert render(normalized(parse(json.dumps(schema))[0])) == (
        '{"type":"record","name":"R","fields":[{"name":"d","type":{"type":"bytes","logicalType":"decimal","precision":4,'
        '"scale":2,"a":1}},{"name":"f","type":"double","default":0.0,"aliases":["p","q"],"b":2,"z":1}],'
        '"a":{"x":2,"y":1},"z":1,"aliases":["B","Z"]}'
    )


def test_types_of_references_are_written_by_name() -> None:
    address = '{"type":"record","name":"n.Address","fields":[{"name":"k","type":{"type":"fixed","name":"K","size":1}}]}'
    person = '{"type":"record","name":"n.Person","fields":[{"name":"a","type":"Address"},{"name":"k","type":"K"}]}'
    assert canonical(person, address) == (
        '{"type":"record","name":"Person","namespace":"n","fields":[{"name":"a","type":"Address"},{"name":"k","type":"K"}]}'
    )


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ("{", "not JSON"),
        ("NaN", "not JSON"),
        ("3", "not yet supported"),
        ({"type": {"type": "string"}}, "No type"),
        ({"type": "array"}, "No items type"),
        ({"type": "map"}, "No values type"),
        ("X", "not JSON"),
        ('"X"', "Undefined name"),
        ({"type": "X"}, "Type not supported: X"),
        ({"type": "record", "fields": []}, "No name in schema"),
        ({"type": "record", "name": "", "fields": []}, "Empty name"),
        ({"type": "record", "name": "1a", "fields": []}, "Illegal initial character"),
        ({"type": "record", "name": "a", "namespace": "a-b", "fields": []}, "Illegal character in: a-b"),
        ({"type": "record", "name": "R", "fields": {}}, "Record has no fields"),
        ({"type": "record", "name": "R", "fields": ["a"]}, "not an object"),
        ({"type": "record", "name": "R", "fields": [{"type": "int"}]}, "No field name"),
        ({"type": "record", "name": "R", "fields": [{"name": "a"}]}, "No field type"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "order": "up"}]}, "order"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int", "aliases": "b"}]}, "aliases"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "double", "default": "x"}]}, "not a number"),
        ({"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}] * 2}, "Duplicate field"),
        ([{"type": "fixed", "name": "F", "size": 1}, {"type": "fixed", "name": "F", "size": 1}], "Can't redefine: F"),
        (["int", ["null"]], "Nested union"),
        (["int", {"type": "int", "logicalType": "date"}], "Duplicate in union:int"),
        ({"type": "enum", "name": "E", "symbols": "A"}, "Enum has no symbols"),
        ({"type": "enum", "name": "E", "symbols": ["A-B"]}, "Illegal character in: A-B"),
        ({"type": "enum", "name": "E", "symbols": ["A"], "default": "B"}, "Enum Default: B"),
        ({"type": "fixed", "name": "F", "size": -1}, "Invalid or no size"),
        ({"type": "fixed", "name": "F", "size": True}, "Invalid or no size"),
    ],
)  # fmt: skip
def test_an_invalid_schema_is_refused(schema: Any, problem: str) -> None:
    with pytest.raises(SchemaParseError, match=problem):
        parse(schema if isinstance(schema, str) else json.dumps(schema))


def test_an_excessively_nested_schema_is_refused() -> None:
    with pytest.raises(SchemaParseError, match="deep"):
        parse('{"type":"array","items":' * 5_000 + '"int"' + "}" * 5_000)


def test_the_base_event_is_kept_as_it_is() -> None:
    assert json.loads(canonical(json.dumps(base_schema()))) == base_schema()


NAMES = st.sampled_from(["A", "B", "n.A", "n.B", "m.C", "D"])


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3, *, taken: set[str] | None = None) -> Any:
    """Draw schemas that every parser accepts, without duplicate names or nested unions."""
    taken = set() if taken is None else taken
    kinds = ["string", "int", "long", "double", "bytes", "boolean", "null", "float"]
    kind = draw(st.sampled_from([*kinds, *(["array", "map", "union", "record", "enum", "fixed"] if depth else [])]))
    if kind in kinds:
        return draw(st.sampled_from([kind, {"type": kind}]))
    if kind in ("array", "map"):
        return {"type": kind, ("items" if kind == "array" else "values"): draw(schemas(depth - 1, taken=taken))}
    if kind == "union":
        return draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=4, unique=True))
    free = [name for name in ("A", "B", "n.A", "n.B", "m.C", "D") if name not in taken and f"n.{name}" not in taken]
    if not free:
        return "int"
    name = draw(st.sampled_from(free))
    taken |= {name, f"n.{name}"}  # a short name may refer to the enclosing namespace
    if kind == "enum":
        return {"type": kind, "name": name, "symbols": draw(st.lists(st.sampled_from("XYZ"), min_size=1, unique=True))}
    if kind == "fixed":
        return {"type": kind, "name": name, "size": draw(st.integers(1, 9))}
    fields = [
        {"name": field, "type": draw(schemas(depth - 1, taken=taken))}
        for field in draw(st.sets(st.sampled_from("abc")))
    ]
    return {
        "type": kind,
        "name": name,
        "fields": fields,
        **draw(st.sampled_from([{}, {"doc": "d"}, {"x": [1, {"y": 2}]}])),
    }


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schemas(), st.sampled_from([None, 2]))
def test_a_schema_has_one_canonical_text_equivalent_for_other_parsers(schema: Any, indent: int | None) -> None:
    text = canonical(json.dumps(schema, indent=indent))
    assert canonical(text) == text
    assert canonical(json.dumps(schema)) == text
    form = fastavro.schema.to_parsing_canonical_form
    assert form(fastavro.parse_schema(json.loads(text))) == form(fastavro.parse_schema(schema))
    assert avro.schema.parse(text).fingerprint() == avro.schema.parse(json.dumps(schema)).fingerprint()
    once = normalized(parse(text)[0])
    assert render(normalized(once)) == render(once)
