"""Tests which schemas can read data written with which other schemas. Avro's rules are tested one by one, and the
results are compared with Apache Avro's own checker wherever it is correct.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as avro_parse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlane.local.registry.compatibility import Previous, check, incompatibilities
from auditlane.local.registry.schema import parse


def problems(reader: Any, writer: Any) -> list[tuple[str, str, str]]:
    found = incompatibilities(parse(json.dumps(reader))[0], parse(json.dumps(writer))[0])
    return [(one.kind, one.location, one.message) for one in found]


def record(*fields: dict[str, Any], name: str = "R", **attributes: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": list(fields), **attributes}


def field(name: str, kind: Any, **attributes: Any) -> dict[str, Any]:
    return {"name": name, "type": kind, **attributes}


def enum(*symbols: str, **attributes: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "E", "symbols": list(symbols), **attributes}


def fixed(size: int, name: str = "F", **attributes: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size, **attributes}


PRIMITIVES = ["null", "boolean", "int", "long", "float", "double", "bytes", "string"]
PROMOTED = {
    "long": {"int"}, "float": {"int", "long"}, "double": {"int", "long", "float"},
    "bytes": {"string"}, "string": {"bytes"},
}  # fmt: skip


@pytest.mark.parametrize("reader", PRIMITIVES)
@pytest.mark.parametrize("writer", PRIMITIVES)
def test_only_avros_promotions_are_compatible(reader: str, writer: str) -> None:
    message = f"reader type: {reader.upper()} not compatible with writer type: {writer.upper()}"
    fine = reader == writer or writer in PROMOTED.get(reader, set())
    assert problems(reader, writer) == ([] if fine else [("TYPE_MISMATCH", "/", message)])


R = record()


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(field("a", "int", default=0)), R),
        (record(field("a", ["null", "int"], default=None)), R),
        (R, record(field("a", "int"))),
        (record(field("a", "long")), record(field("a", "int"))),
        (record(field("b", "int", aliases=["a"])), record(field("a", "int"))),
        (record(field("b", "int", aliases=["z", "a"])), record(field("a", "int"))),
        (record(name="n.R"), record(name="m.R")),
        (record(name="S", aliases=["R"]), R),
        (record(name="n.S", aliases=["R"]), record(name="n.R")),
        (record(name="n.S", aliases=["m.R"]), record(name="m.R")),
        (enum("A", "B"), enum("A")),
        (enum("A", default="A"), enum("A", "B")),
        (fixed(4), fixed(4)),
        (fixed(4, name="G", aliases=["F"]), fixed(4)),
        (["int", "string"], "int"),
        (["long"], "int"),
        (["null", "string"], ["string", "null"]),
        (["string", "long"], ["int", "bytes"]),
        ("long", ["int", "long"]),
        ({"type": "array", "items": "long"}, {"type": "array", "items": "int"}),
        ({"type": "map", "values": ["null", "int"]}, {"type": "map", "values": "int"}),
        (record(field("next", ["null", "R"])), record(field("next", ["null", "R"]))),
        ({"type": "long", "logicalType": "timestamp-micros"}, "long"),
    ],
)
def test_compatible_schemas_have_no_problems(reader: Any, writer: Any) -> None:
    assert problems(reader, writer) == []


@pytest.mark.parametrize(
    ("reader", "writer", "expected"),
    [
        (record(field("a", "int")), R, ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0", "a")),
        (record(field("a", ["null", "int"])), R, ("READER_FIELD_MISSING_DEFAULT_VALUE", "/fields/0", "a")),
        (record(name="S"), R, ("NAME_MISMATCH", "/name", "expected: R")),
        (record(name="n.S", aliases=["R"]), record(name="m.R"), ("NAME_MISMATCH", "/name", "expected: m.R")),
        (enum("A"), enum("C", "A", "B"), ("MISSING_ENUM_SYMBOLS", "/symbols", "[B, C]")),
        (fixed(4), fixed(5), ("FIXED_SIZE_MISMATCH", "/size", "expected: 5, found: 4")),
        (fixed(4, name="G"), fixed(4), ("NAME_MISMATCH", "/name", "expected: F")),
        (["int"], "string", ("MISSING_UNION_BRANCH", "/", "reader union lacking writer type: STRING")),
        (["int"], ["int", "null"], ("MISSING_UNION_BRANCH", "/1", "reader union lacking writer type: NULL")),
        ("int", ["int", "null"], ("TYPE_MISMATCH", "/", "reader type: INT not compatible with writer type: NULL")),
        (R, "int", ("TYPE_MISMATCH", "/", "reader type: RECORD not compatible with writer type: INT")),
        (
            record(field("x", "int"), field("a", {"type": "array", "items": record(field("b", "int"), name="I")})),
            record(field("a", {"type": "array", "items": record(field("b", "string"), name="I")}), field("x", "int")),
            (
                "TYPE_MISMATCH",
                "/fields/1/type/items/fields/0/type",
                "reader type: INT not compatible with writer type: STRING",
            ),
        ),
        (
            record(field("e", enum("A", default="A"))),
            R,
            ("TYPE_MISMATCH", "/fields/0/type", "reader type: ENUM not compatible with writer type: RECORD"),
        ),
    ],
)
def test_each_incompatibility_has_its_type_path_and_message(
    reader: Any, writer: Any, expected: tuple[str, str, str]
) -> None:
    assert problems(reader, writer) == [expected]


def test_a_recursive_type_is_compared_once() -> None:
    reader = record(field("next", ["null", "R"]), field("a", "int"))
    writer = record(field("next", ["null", "R"]), field("a", "string"))
    mismatch = "reader type: INT not compatible with writer type: STRING"
    assert problems(reader, writer) == [("TYPE_MISMATCH", "/fields/1/type", mismatch)]


def versions(*schemas: Any) -> list[Previous]:
    texts = [json.dumps(schema) for schema in schemas]
    return [Previous(number, text, parse(text)[0]) for number, text in enumerate(texts, 1)]


def test_a_level_decides_which_versions_and_direction() -> None:
    history = versions(
        record(field("a", "int")), record(field("a", "int"), field("b", "int", default=0)), record(field("b", "int"))
    )
    new = parse(json.dumps(record(field("a", "int", default=0))))[0]
    verdicts = {
        level: check(level, new, history)[-2:-1]
        for level in (
            "NONE",
            "BACKWARD",
            "BACKWARD_TRANSITIVE",
            "FORWARD",
            "FORWARD_TRANSITIVE",
            "FULL",
            "FULL_TRANSITIVE",
        )
    }
    assert verdicts == {
        "NONE": [],
        "BACKWARD": [],
        "BACKWARD_TRANSITIVE": [],
        "FORWARD": ["{oldSchemaVersion: 3}"],
        "FORWARD_TRANSITIVE": ["{oldSchemaVersion: 3}"],
        "FULL": ["{oldSchemaVersion: 3}"],
        "FULL_TRANSITIVE": ["{oldSchemaVersion: 3}"],
    }
    assert check("FORWARD_TRANSITIVE", new, history[:2]) == []
    assert check("FULL_TRANSITIVE", new, []) == []


def test_the_message_equals_confluents() -> None:
    new = parse(json.dumps(record(field("a", "int"))))[0]
    sentence = (
        "{errorType:'READER_FIELD_MISSING_DEFAULT_VALUE', description:'The field 'a' at path '/fields/0' in the new "
        "schema has no default value and is missing in the old schema', additionalInfo:'a'}"
    )
    old = "{oldSchema: '" + json.dumps(R) + "'}"
    assert check("BACKWARD", new, versions(R)) == [sentence, "{oldSchemaVersion: 1}", old]


TYPES = st.recursive(
    st.sampled_from(PRIMITIVES),
    lambda inner: st.one_of(
        inner.map(lambda one: {"type": "array", "items": one}),
        inner.map(lambda one: {"type": "map", "values": one}),
        st.lists(st.sampled_from(PRIMITIVES), min_size=1, max_size=3, unique=True),
        st.sets(st.sampled_from("ABC"), min_size=1).map(lambda symbols: enum(*sorted(symbols))),
        st.integers(1, 2).map(fixed),
    ),
    max_leaves=3,
)
RECORDS = st.dictionaries(st.sampled_from("abcd"), st.tuples(TYPES, st.booleans()), max_size=3).map(
    lambda fields: record(
        *(field(name, {"type": "array", "items": kind}, **({"default": []} if default else {}))
          for name, (kind, default) in fields.items())
    )
)  # fmt: skip


def unique_names(schema: Any) -> bool:
    text = json.dumps(schema)
    return text.count('"name": "E"') < 2 and text.count('"name": "F"') < 2


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(RECORDS.filter(unique_names), RECORDS.filter(unique_names))
def test_apache_avro_agrees(reader: Any, writer: Any) -> None:
    theirs = ReaderWriterCompatibilityChecker().get_compatibility(
        avro_parse(json.dumps(reader)), avro_parse(json.dumps(writer))
    )
    assert (problems(reader, writer) == []) == (theirs.compatibility is SchemaCompatibilityType.compatible)


@pytest.mark.parametrize(
    ("reader", "writer"),
    [
        (record(name="n.S", aliases=["R"]), record(name="n.R")),
        (fixed(4, name="n.G", aliases=["F"]), fixed(4, name="n.F")),
    ],
)
def test_where_apache_avro_for_python_disagrees_with_java(reader: Any, writer: Any) -> None:
    """An alias without a namespace inherits the namespace of its schema. Avro for Python ignores this, which is why
    auditlane has its own checker. This test fails once Avro has been fixed.
    """
    theirs = ReaderWriterCompatibilityChecker().get_compatibility(
        avro_parse(json.dumps(reader)), avro_parse(json.dumps(writer))
    )
    assert theirs.compatibility is SchemaCompatibilityType.incompatible
    assert problems(reader, writer) == []
