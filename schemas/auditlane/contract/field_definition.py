"""Fields that are added to a contract over the API: what a caller describes, as an Avro field, and back.

A field is never taken out of a contract, since stored messages are read by it: a removed one loses its rules, so that
producers may leave it out, and its mark is the presentation's.
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
# What readers get of an event beside its fields, and no sender sets.
OF_READERS: Final = frozenset({"ingested_at", "provenance", "provenance_id", "content_hash", "conflict"})
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RESERVED: Final = OF_READERS | {"fields"}


class FieldType(StrEnum):
    """What a field holds. All but numbers, booleans and times are text in Avro; an Enum is text with `oneOf`."""

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
    """A field of a contract's own. `rules` by the names of `contract.rules.NAMES`; `default` as in the event's JSON."""

    name: str
    type: FieldType
    default: Any = None
    rules: Mapping[str, Any] = field(default_factory=dict)

    def avro(self) -> dict[str, Any]:
        """The Avro field: nullable, with a default. Raises InvalidInput that names what is wrong."""
        check_name(self.name)
        kind, given = self._kind(), {name: value for name, value in self.rules.items() if value is not None}
        unknown = sorted(set(given) - set(rules_.NAMES))
        if unknown:
            raise _invalid("rules", f"has no rule {unknown[0]!r}", fix="The rules are: " + ", ".join(rules_.NAMES))
        if self.type is FieldType.Enum and not given.get("oneOf"):
            raise _invalid("rules", "lists no choices", fix="An Enum needs `oneOf`, a list of its values")
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
            raise _invalid("default", "must be a number that 64 bits can hold")
        if kind == "long" and whole and -(2**63) <= given < 2**63:
            return given
        if kind == "boolean" and isinstance(given, bool):
            return given
        if kind == "timestamp" and isinstance(given, str):
            return _micros(given)
        if kind == "string" and isinstance(given, str):
            if rules_.storable(given):
                return given
            raise _invalid("default", "has half of a surrogate pair, which UTF-8 cannot carry")
        raise _invalid("default", f"must be {_WORDS[kind]}, as the field is")


def check_name(name: str) -> str:
    """The name, or InvalidInput: a name is Avro's, and no base field's."""
    if name in base_fields() or name in _RESERVED:
        raise _invalid(
            "name", f"{name} is a field of every event", fix="Choose another name; how it is shown: PUT the structure"
        )
    if name in MISREAD_NAMES:
        raise _invalid(
            "name", f"{name} has a meaning in JavaScript, so pages could misread it", fix="Choose another name"
        )
    if not _NAME.fullmatch(name):
        raise _invalid(
            "name",
            f"{name[:100]!r} cannot be a field's name",
            fix="Use letters, digits and _, not beginning with a digit",
        )
    return name


def with_field(schema: dict[str, Any], avro: dict[str, Any], *, exclusive: bool | None = None) -> dict[str, Any]:
    """The contract with this field, in the place of the one of its name or at the end.

    A rule that comes in this way does not make the contract exclusive: producers that have not seen the new version yet
    would be refused. `exclusive` says it.
    """
    fields = [one for one in schema["fields"] if one["name"] != avro["name"]]
    place = next((at for at, one in enumerate(schema["fields"]) if one["name"] == avro["name"]), len(fields))
    fields.insert(place, copy.deepcopy(avro))
    was = TenantContract.parse(json.dumps(schema)).exclusive
    amended = schema | {"fields": fields}
    if exclusive is not None:
        amended["exclusive"] = exclusive
    elif TenantContract.parse(json.dumps(amended)).exclusive != was:
        amended["exclusive"] = was
    return amended


def without_rules(schema: dict[str, Any], name: str) -> dict[str, Any]:
    """The contract with nothing demanded of this field, its default null."""
    avro = own_field(schema, name)
    if avro is None:
        return schema
    bare = {key: value for key, value in avro.items() if key not in rules_.NAMES}
    if isinstance(bare.get("type"), list) and bare.get("default") is not None:
        bare |= {"type": sorted(bare["type"], key=lambda one: one != "null"), "default": None}
    return with_field(schema, bare)


def own_field(schema: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The field of this name beyond the base event's; None without one."""
    found = (one for one in schema["fields"] if one["name"] == name and name not in base_fields())
    return next(found, None)


def own_fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields beyond the base event's, as they are in the schema."""
    return [one for one in schema["fields"] if one["name"] not in base_fields()]


def alike(schema: Mapping[str, Any], name: str) -> str:
    """The field, one of every event's too, whose name differs from this one only in upper and lower case; or none."""
    names = {one["name"] for one in schema["fields"]} | set(base_fields())
    return next((one for one in sorted(names) if one != name and one.lower() == name.lower()), "")


def same(one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
    """Whether two fields demand the same of an event."""
    return _demands(one) == _demands(other)


def conflict(one: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """Why a field cannot become the other one, as the end of a sentence; empty when it can."""
    was, now = _type_of(one), _type_of(other)
    if was == now or (was, now) in (("int", "long"), ("float", "double")):
        return ""
    return f"holds {_WORDS.get(was, was)} and cannot hold {_WORDS.get(now, now)} from now on"


def missing(schema: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Own fields that the other contracts have and this one lacks, each as the last of them has it."""
    owed = {one["name"]: one for other in others for one in own_fields(other)}
    present = {one["name"] for one in schema["fields"]}
    return [one for name, one in owed.items() if name not in present]


def described(avro: Mapping[str, Any]) -> tuple[FieldType, Any, dict[str, Any]]:
    """(the type as the API calls it, the default, the rules) of a field as it stands in a contract."""
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


def _demands(avro: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    return None if avro is None else (_type_of(avro), avro.get("default"), _rules_of(avro))


def _rules_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The rules that are stated, in their order; `required: false` is none."""
    found = ((name, attributes.get(name)) for name in rules_.NAMES)
    return {name: value for name, value in found if value is not None and value is not False}


def _plain(avro: Mapping[str, Any]) -> dict[str, Any]:
    kind = avro["type"]
    branches = kind if isinstance(kind, list) else [kind]
    plain = next((one for one in branches if one != "null"), "null")
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
    """As text; the number itself where the calendar does not have it, as contracts that others registered may say."""
    try:
        return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return micros


def _invalid(place: str, problem: str, *, fix: str = "") -> InvalidInput:
    return InvalidInput(f"{place}: {problem}.", field=place, fix=fix and f"{fix}.")
