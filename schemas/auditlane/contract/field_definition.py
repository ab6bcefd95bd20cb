"""Converts the definition of a custom field between the API's form and Avro.

A field never leaves a contract, since stored messages are decoded with it. A removed field only loses its rules, so
that producers may omit it, and is hidden in the data structure.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from auditlane.contract import rules as rules_
from auditlane.contract.tenant_contract import MISREAD_NAMES, TenantContract, base_fields
from auditlane.runtime.errors import InvalidInput

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
# Attributes that readers get with an event but producers cannot set.
READ_ONLY: Final = frozenset({"ingested_at", "provenance", "provenance_id", "content_hash", "conflict"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESERVED: Final = READ_ONLY | {"fields"}


class FieldType(StrEnum):
    """The type of a field's values.

    In Avro, everything except numbers, booleans and timestamps is a string. An Enum is a string with `oneOf`.
    """

    AlphaNumeric = "AlphaNumeric"
    Number = "Number"
    Integer = "Integer"
    Boolean = "Boolean"
    Timestamp = "Timestamp"
    Email = "Email"
    IpAddress = "IpAddress"
    Json = "Json"
    Enum = "Enum"


_AVRO: Final[dict[FieldType, Any]] = {
    FieldType.Number: "double",
    FieldType.Integer: "long",
    FieldType.Boolean: "boolean",
    FieldType.Timestamp: {"type": "long", "logicalType": "timestamp-micros"},
}
_WORDS: Final = {
    "string": "text",
    "double": "a number",
    "float": "a number",
    "long": "a whole number",
    "int": "a whole number",
    "boolean": "true or false",
    "timestamp": "a time",
    "enum": "an enum",
}


@dataclass(frozen=True, slots=True)
class FieldDefinition:
    """A custom field. `rules` has the keys of `contract.rules.NAMES`, and `default` has the same form as in the event's
    JSON.
    """

    name: str
    type: FieldType
    default: Any = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def avro(self) -> dict[str, Any]:
        """Return the Avro field, which is nullable and has a default. Raises InvalidInput, naming the invalid part."""
        check_name(self.name)
        kind, given = self._kind(), {name: value for name, value in self.rules.items() if value is not None}
        unknown = sorted(set(given) - set(rules_.NAMES))
        if unknown:
            raise _invalid("rules", f"unknown rule {unknown[0]!r}", fix="Use any of: " + ", ".join(rules_.NAMES))
        if self.type is FieldType.Enum and not given.get("oneOf"):
            raise _invalid("rules", "an Enum needs `oneOf`", fix="List the values of the Enum in `oneOf`")
        for problem in rules_.problems(given, kind):
            raise _invalid("rules", problem.rstrip("."))
        kept = _rules_of(given)
        default = self._default(kind)
        broken = None if default is None else rules_.check_value(rules_.parse(kept, kind), default)
        if broken:
            raise _invalid("default", rules_.sentence(rules_.parse(kept, kind), broken))
        plain = _AVRO.get(self.type, "string")
        union = ["null", plain] if default is None else [plain, "null"]
        return {"name": self.name, "type": union, "default": default, **kept}

    def _kind(self) -> str:
        return {FieldType.Timestamp: "timestamp"}.get(self.type) or str(_AVRO.get(self.type, "string"))

    def _default(self, kind: str) -> Any:
        given = self.default
        if given is None:
            return None
        whole = isinstance(given, int) and not isinstance(given, bool)
        if kind == "double" and (whole or isinstance(given, float)):
            number = _float(given)
            if math.isfinite(number):
                return number
            raise _invalid("default", "must be within the range of a 64-bit number")
        if kind == "long" and whole and -(2**63) <= given < 2**63:
            return given
        if kind == "boolean" and isinstance(given, bool):
            return given
        if kind == "timestamp" and isinstance(given, str):
            return _micros(given)
        if kind == "string" and isinstance(given, str):
            if rules_.storable(given):
                return given
            raise _invalid("default", "has a lone surrogate, which UTF-8 cannot encode")
        raise _invalid("default", f"must be {_WORDS[kind]}, like the field")


def check_name(name: str) -> str:
    """Return the name. Raises InvalidInput if it is invalid in Avro or names a base field."""
    if name in base_fields() or name in _RESERVED:
        raise _invalid(
            "name",
            f"{name} is a field of every event",
            fix="Choose another name; to change how the field is shown, PUT the structure",
        )
    if name in MISREAD_NAMES:
        raise _invalid(
            "name", f"{name} has a special meaning in JavaScript, so pages could misread it", fix="Choose another name"
        )
    if not _NAME.fullmatch(name):
        raise _invalid(
            "name",
            f"{name[:100]!r} is not a valid field name",
            fix="Use up to 100 letters, digits and _, not beginning with a digit",
        )
    return name


def with_field(schema: dict[str, Any], avro: dict[str, Any], *, exclusive: bool | None = None) -> dict[str, Any]:
    """Return the contract with this field. It replaces the field of the same name, or is added at the end.

    Adding a rule does not make the contract exclusive, since that would reject events from producers that do not have
    the new version yet. Only `exclusive` does.
    """
    fields = [other for other in schema["fields"] if other["name"] != avro["name"]]
    place = next((at for at, other in enumerate(schema["fields"]) if other["name"] == avro["name"]), len(fields))
    fields.insert(place, copy.deepcopy(avro))
    was = TenantContract.parse(json.dumps(schema)).exclusive
    amended = schema | {"fields": fields}
    if exclusive is not None:
        amended["exclusive"] = exclusive
    elif TenantContract.parse(json.dumps(amended)).exclusive != was:
        amended["exclusive"] = was
    return amended


def without_rules(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the contract with this field's rules removed and its default set to null."""
    avro = own_field(schema, name)
    if avro is None:
        return schema
    bare = {key: value for key, value in avro.items() if key not in rules_.NAMES}
    if isinstance(bare.get("type"), list) and bare.get("default") is not None:
        bare |= {"type": sorted(bare["type"], key=lambda branch: branch != "null"), "default": None}
    return with_field(schema, bare)


def own_field(schema: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """Return the custom field with this name, or None if the schema does not have it."""
    found = (field for field in schema["fields"] if field["name"] == name and name not in base_fields())
    return next(found, None)


def own_fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the custom fields as they appear in the schema."""
    return [field for field in schema["fields"] if field["name"] not in base_fields()]


def alike(schema: Mapping[str, Any], name: str) -> str:
    """Return the base or custom field whose name differs from this one only in case, or "" if no name does."""
    names = {field["name"] for field in schema["fields"]} | set(base_fields())
    return next((other for other in sorted(names) if other != name and other.lower() == name.lower()), "")


def same(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> bool:
    """Return whether two fields have the same type, default and rules."""
    return _definition(first) == _definition(second)


def conflict(current: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Return the reason why a field cannot change to the type of `wanted`, or "" if it can.

    The reason is phrased as the end of a sentence.
    """
    before, after = _type_of(current), _type_of(wanted)
    if before == after or (before, after) in (("int", "long"), ("float", "double")):
        return ""
    return f"holds {_WORDS.get(before, before)} and cannot be changed to hold {_WORDS.get(after, after)}"


def missing(schema: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the custom fields of the other contracts that are missing from this one. The last contract that has a
    field defines it.
    """
    expected = {field["name"]: field for other in others for field in own_fields(other)}
    present = {field["name"] for field in schema["fields"]}
    return [field for name, field in expected.items() if name not in present]


def described(avro: Mapping[str, Any]) -> tuple[FieldType, Any, dict[str, Any]]:
    """Return the type of a contract field in the API's terms, its default, and its rules."""
    kind = _type_of(avro)
    rules = _rules_of(avro)
    default = avro.get("default")
    if kind == "timestamp" and isinstance(default, int):
        default = _time(default)
    named = {"double": FieldType.Number, "float": FieldType.Number, "long": FieldType.Integer, "int": FieldType.Integer}
    named |= {"boolean": FieldType.Boolean, "timestamp": FieldType.Timestamp, "enum": FieldType.Enum}
    if kind == "string":
        return (FieldType.Enum if "oneOf" in rules else FieldType.AlphaNumeric), default, rules
    if kind == "enum":
        rules = {"oneOf": list(_plain(avro).get("symbols", ()))} | rules
    return named.get(kind, FieldType.AlphaNumeric), default, rules


def _definition(avro: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if avro is None else (_type_of(avro), avro.get("default"), _rules_of(avro))


def _rules_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rules among the attributes, in canonical order. `required: false` does not count as a rule."""
    found = ((name, attributes.get(name)) for name in rules_.NAMES)
    return {name: value for name, value in found if value is not None and value is not False}


def _plain(avro: Mapping[str, Any]) -> dict[str, Any]:
    kind = avro["type"]
    branches = kind if isinstance(kind, list) else [kind]
    plain = next((branch for branch in branches if branch != "null"), "null")
    return plain if isinstance(plain, dict) else {"type": plain}


def _type_of(avro: Mapping[str, Any]) -> str:
    plain = _plain(avro)
    return "timestamp" if plain.get("logicalType") == "timestamp-micros" else str(plain["type"])


def _float(given: float) -> float:
    try:
        return float(given)
    except OverflowError:
        return math.inf


def _micros(text: str) -> int:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is not None:
            return (time.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        pass
    raise _invalid("default", "must be a time with a zone, such as 2024-05-01T12:00:00Z")


def _time(micros: int) -> str | int:
    """Return the time as text. A number that the calendar cannot represent, as in some contracts registered by other
    tools, is returned unchanged.
    """
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return micros


def _invalid(place: str, problem: str, *, fix: str = "") -> InvalidInput:
    return InvalidInput(f"{place}: {problem}.", field=place, fix=fix and f"{fix}.")
