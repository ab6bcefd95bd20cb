"""Tests a tenant's contract: parsing a schema, rejected schemas and how to fix them, and the rules that `emit`
applies.
"""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from validating import contract, own

from auditlane.contract import rules
from auditlane.contract.avro import base_schema
from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.tenant_contract import TenantContract, check_registrable
from auditlane.runtime.errors import InvalidInput

TIME = {"type": "long", "logicalType": "timestamp-micros"}
TIER = {"type": "enum", "name": "Tier", "symbols": ["a", "b"]}


def parse(schema: dict[str, Any]) -> TenantContract:
    return TenantContract.parse(json.dumps(schema))


def refused(schema: Any) -> list[str]:
    return check_registrable(schema if isinstance(schema, str) else json.dumps(schema))


def test_the_base_event_is_a_contract_without_own_fields_or_rules() -> None:
    base = parse(base_schema())
    assert tuple(one.name for one in base.fields) == BASE_FIELDS
    assert (base.own, base.ruled, base.exclusive) == ((), (), False)
    assert refused(base_schema()) == []


def test_own_fields_of_every_kind() -> None:
    kinds: dict[str, Any] = {
        "string": "string", "boolean": "boolean", "int": "int", "long": "long", "float": "float", "double": "double",
        "enum": TIER, "timestamp": TIME,
    }  # fmt: skip
    schema = contract(*(own(f"own_{kind}", described) for kind, described in kinds.items()))
    assert refused(schema) == []
    read = parse(schema)
    assert [(one.name, one.kind, one.nullable) for one in read.own] == [(f"own_{kind}", kind, True) for kind in kinds]
    assert read.own[6].symbols == ("a", "b")


def test_null_may_come_second_and_enums_may_be_referenced_by_name() -> None:
    schema = contract(
        {"name": "tier", "type": [TIER, "null"], "default": "a"},
        {"name": "former", "type": ["null", "Tier"], "default": None},
        {"name": "result", "type": ["null", "Outcome"], "default": None},
        {"name": "id", "type": ["null", {"type": "string", "logicalType": "uuid"}], "default": None},
        {"name": "java", "type": ["null", {"type": "string", "avro.java.string": "String"}], "default": None},
    )
    assert refused(schema) == []
    tier, former, result, *_ = parse(schema).own
    assert (tier.null_at, former.null_at) == (1, 0)
    assert former.symbols == ("a", "b")
    assert result.symbols == ("unknown", "success", "failure", "denied")


@pytest.mark.parametrize(
    ("attributes", "exclusive"),
    [
        ({}, False),
        ({"exclusive": True}, True),
        ({"action": {"maxLength": 9}}, True),
        ({"action": {"maxLength": 9}, "exclusive": False}, False),
        ({"action": {"required": False}}, False),
        ({"action": {"doc": "what happened"}}, False),
    ],
)
def test_exclusive_follows_from_a_rule_unless_given(attributes: dict[str, Any], exclusive: bool) -> None:
    assert parse(contract(**attributes)).exclusive is exclusive


def changed(name: str, **values: Any) -> dict[str, Any]:
    schema = contract()
    next(one for one in schema["fields"] if one["name"] == name).update(values)
    return schema


def without(name: str) -> dict[str, Any]:
    schema = contract()
    return schema | {"fields": [one for one in schema["fields"] if one["name"] != name]}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{", "schema: is not JSON"),
        ("[]", "schema: must be an Avro record"),
        ({"type": "enum", "name": "E", "symbols": []}, "schema: must be an Avro record"),
        ({"type": "record", "name": "R", "fields": 3}, "schema: must be an Avro record"),
        (contract(exclusive="yes"), "schema: `exclusive` must be true or false."),
        (contract({"type": "string"}), "fields[20]: must have a type, and a name"),
        (contract(own("action", "string")), "action: is defined twice; remove one definition."),
        (without("event_id"), "event_id: the base field is missing; add it back"),
        (without("source"), "source: the base field is missing; add it back"),
        (changed("action", type=["null", "string"]), "action: is a base field and must stay string."),
        (changed("actor_name", type="string"), "actor_name: is a base field and must stay nullable string."),
        (changed("occurred_at", type="long"), "occurred_at: is a base field and must stay timestamp."),
        (changed("outcome", type=TIER), "outcome: is a base field and cannot have the symbol 'a'"),
        (contract(own("x", {"type": "array", "items": "string"})), "x: must be string, boolean"),
        (contract(own("x", {"type": "map", "values": "string"})), "x: must be string, boolean"),
        (
            contract(own("x", {"type": "long", "logicalType": "timestamp-millis"})),
            "store anything else as a string of JSON",
        ),
        (contract(own("x", "bytes")), "x: must be string"),
        (contract(own("x", "Unknown")), "x: must be string"),
        (contract(own("x", TIER | {"symbols": ["a", "a"]})), "x: must list its symbols, each once"),
        (contract(own("x", TIER | {"symbols": ["a", "b" * 201]})), "x: must list its symbols, each once, of"),
        (contract(own("x" * 201, "string")), "fields[20]: must have a type, and a name of at most 200"),
        (
            contract({"name": "x", "type": ["null", "string", "long"], "default": None}),
            "x: must be one type, or a union",
        ),
        (
            contract({"name": "x", "type": "string", "default": ""}),
            'x: must be nullable; write its type as ["null", …].',
        ),
        (contract({"name": "x", "type": ["null", "string"]}), 'x: has no default; add `"default": null`.'),
        (contract(own("x", "string", required="yes")), "x: `required` must be true or false."),
        (
            contract(own("x", "string", maxLength=0)),
            "x: `maxLength` must be a positive whole number of at most 64 bits.",
        ),
        (contract(own("x", "string", maxLength=2**63)), "x: `maxLength` must be a positive whole number"),
        (contract(own("x", "string", oneOf=["\ud800"])), "x: `oneOf` lists a text with a lone surrogate"),
        (contract(own("x", "string", maxLength=True)), "x: `maxLength` must be a positive whole number"),
        (contract(own("x", "string", pattern="(?=a)")), "x: `pattern` '(?=a)' is not valid: remove flags"),
        (contract(own("x", "long", minimum=1.5)), "x: `minimum` must be a whole number, like the field."),
        (contract(own("x", "long", maximum=2**63)), "x: `maximum` must be a whole number"),
        (contract(own("x", "double", minimum="1")), "x: `minimum` must be a number"),
        (contract(own("x", "double", minimum=2, maximum=1)), "x: `minimum` 2 is above `maximum` 1"),
        (contract(own("x", "string", minimum=1)), "x: `minimum` does not apply to a field of type string; remove it"),
        (contract(own("x", "long", maxLength=1)), "x: `maxLength` does not apply to a field of type long"),
        (contract(own("x", TIME, oneOf=[1])), "x: `oneOf` does not apply to a field of type timestamp"),
        (contract(own("x", "string", oneOf=[])), "x: `oneOf` must be a list with at least one value."),
        (contract(own("x", "string", oneOf=[1])), "x: `oneOf` must list texts"),
        (contract(own("x", "long", oneOf=["1"])), "x: `oneOf` must list numbers"),
        (contract(own("x", TIER, oneOf=["c"])), "x: `oneOf` lists 'c', which is not a symbol of the enum."),
        (contract(metadata={"pattern": "a"}), "metadata: `pattern` does not apply to a field of type map"),
    ],
)
def test_an_unregistrable_contract_is_reported_with_field_and_fix(schema: Any, says: str) -> None:
    problems = refused(schema)
    assert any(problem.startswith(says) or says in problem for problem in problems), problems


def test_all_problems_are_listed_at_once_and_parsing_names_them_too() -> None:
    schema = contract(own("x", "string", maxLength=0), own("y", "bytes"), action={"minimum": 3})
    assert [problem.split(":")[0] for problem in refused(schema)] == ["action", "x", "y"]
    with pytest.raises(InvalidInput) as error:
        parse(schema)
    assert error.value.field == "action"
    assert all(problem in error.value.message for problem in refused(schema))


def test_the_reader_schema_describes_the_same_bytes_by_types_alone() -> None:
    schema = contract(
        own("id", {"type": "string", "logicalType": "uuid"}, pattern="a", maxLength=9),
        {"name": "at", "type": [TIME, "null"]},
        own("n", "int"),
    )
    described = {one["name"]: one["type"] for one in json.loads(parse(schema).reader_schema())["fields"]}
    assert list(described) == [*BASE_FIELDS, "id", "at", "n"]
    assert (described["id"], described["at"], described["n"]) == (
        ["null", "string"],
        ["long", "null"],
        ["null", "long"],
    )
    assert described["occurred_at"] == "long"


@pytest.mark.parametrize(
    ("attributes", "kind", "keeps", "breaks"),
    [
        ({"required": True}, "string", ["a", " "], [None, ""]),
        ({"required": True}, "boolean", [False, True], [None]),
        ({"required": True}, "map", [{"a": ""}], [{}]),
        ({"maxLength": 2}, "string", [None, "", "😀😀"], ["😀😀😀"]),
        ({"pattern": "[a-z]+", "maxLength": 9}, "string", [None, "abc"], ["", "abc\n", "aBc"]),
        ({"minimum": 0}, "double", [None, 0, 0.1, math.inf], [-0.1, math.nan]),
        ({"maximum": 0}, "double", [None, 0, -0.0, -math.inf], [0.1, math.nan]),
        ({"minimum": -(2**63), "maximum": 2**63 - 1}, "long", [2**63 - 1, -(2**63)], []),
        ({"oneOf": ["a", ""]}, "string", [None, "a", ""], ["b", "A"]),
        ({"oneOf": [1, 2.5]}, "double", [None, 1.0, 2.5], [2, math.nan]),
    ],
)
def test_a_value_is_checked_against_a_rule(
    attributes: dict[str, Any], kind: str, keeps: list[Any], breaks: list[Any]
) -> None:
    parsed = rules.parse(attributes, kind)
    assert [rules.check_value(parsed, value) for value in keeps] == [None] * len(keeps)
    for value in breaks:
        broken = rules.check_value(parsed, value)
        assert broken in attributes
        assert rules.sentence(parsed, str(broken)).startswith(("must", "is required"))


def test_the_first_rule_in_the_documented_order_is_named() -> None:
    parsed = rules.parse({"oneOf": ["abc"], "pattern": "b+", "maxLength": 2}, "string")
    assert [rules.check_value(parsed, value) for value in ("aaa", "aa", "bb")] == ["maxLength", "pattern", "oneOf"]
