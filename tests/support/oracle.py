"""A reference validator for the tests. It validates one message at a time, in the simplest possible way.

It decodes messages with fastavro, and then rejects the invalid data that fastavro accepts.
"""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
import re2
from validating import TOPIC, DictRegistry

from auditlane.contract.event import BASE_FIELDS, parse_ip
from auditlane.contract.reject_codes import RejectCode as R

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ENTRIES = {
    "type": "array",
    "items": {
        "type": "record",
        "name": "Entry",
        "fields": [{"name": "k", "type": "string"}, {"name": "v", "type": "string"}],
    },
}


@dataclass
class Stored:
    month: int
    row: dict[str, Any]


def expected_result(
    registry: DictRegistry, key: bytes | None, value: bytes | None, kafka_ms: int, limit: int
) -> R | Stored:
    """Return a message's reject code or, if the message is accepted, the stored row's base fields, `fields` and
    `schema_id`.
    """
    if value is None or len(value) < 5 or value[0] != 0:
        return R.NOT_FRAMED
    if len(value) - 5 > limit:
        return R.TOO_LARGE
    if not key:
        return R.KEY_MISSING
    try:
        tenant = key.split(b"#")[0].decode()
    except UnicodeDecodeError:
        return R.TENANT_INVALID
    if tenant != "_auditlane" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", tenant):
        return R.TENANT_INVALID
    schema_id = int.from_bytes(value[1:5], "big")
    if schema_id not in registry.schemas:
        return R.SCHEMA_UNKNOWN
    if not tenants_allowed(registry, schema_id, tenant):
        return R.SCHEMA_NOT_TENANTS
    schema = json.loads(registry.schemas[schema_id])
    try:
        values = decode(schema, value[5:])
    except Bad:
        return R.AVRO_MALFORMED
    return base_code(values, tenant, kafka_ms) or rule_code(schema, values) or stored(schema, schema_id, values)


def tenants_allowed(registry: DictRegistry, schema_id: int, tenant: str) -> bool:
    own = f"{TOPIC}.{tenant}-value"
    if schema_id in registry.registered.get(own, []):
        return True
    if schema_id not in registry.registered[f"{TOPIC}-value"]:
        return False
    if own not in registry.registered:
        return True
    latest = json.loads(registry.schemas[registry.registered[own][-1]])
    rules = {"required", "maxLength", "pattern", "minimum", "maximum", "oneOf"}
    has_rule = any(one.get(rule) not in (None, False) for one in latest["fields"] for rule in rules)
    return not latest.get("exclusive", has_rule)


class Bad(Exception):
    pass


def kind(field: dict[str, Any]) -> Any:
    described = field["type"]
    if isinstance(described, list):
        described = next(one for one in described if one != "null")
    return described["type"] if isinstance(described, dict) else described


def logical(field: dict[str, Any]) -> Any:
    described = field["type"]
    if isinstance(described, list):
        described = next(one for one in described if one != "null")
    return described.get("logicalType") if isinstance(described, dict) else None


def plain(described: Any) -> Any:
    if isinstance(described, list):
        return [plain(one) for one in described]
    if isinstance(described, dict):
        if described["type"] == "map":
            return ENTRIES
        return described if described["type"] == "enum" else described["type"]
    return described


def decode(schema: dict[str, Any], datum: bytes) -> dict[str, Any]:
    fields = [{"name": one["name"], "type": plain(one["type"])} for one in schema["fields"]]
    parsed = fastavro.parse_schema({"type": "record", "name": "R", "fields": fields})
    out, values = io.BytesIO(datum), {}
    try:
        values = fastavro.schemaless_reader(out, parsed, None)
    except Exception as error:
        raise Bad from error
    if out.tell() != len(datum) or lenient(fields, datum):
        raise Bad
    for field in schema["fields"]:
        if kind(field) == "map":
            pairs = [(pair["k"], pair["v"]) for pair in values[field["name"]]]
            if len(dict(pairs)) < len(pairs):
                raise Bad
            values[field["name"]] = pairs
        elif (
            kind(field) == "int" and values[field["name"]] is not None and not -(2**31) <= values[field["name"]] < 2**31
        ):
            raise Bad
    return values


def lenient(fields: list[dict[str, Any]], datum: bytes) -> bool:
    """Return whether fastavro accepted an invalid index or boolean. It interprets negative indexes from the end."""
    at = 0

    def long() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = datum[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        if shift > 70:
            raise OverflowError
        number &= 2**64 - 1
        return (number >> 1) ^ -(number & 1)

    def skip(schema_: Any) -> bool:
        nonlocal at
        match schema_:
            case list():
                branch = long()
                return not 0 <= branch < len(schema_) or skip(schema_[branch])
            case {"type": "enum", "symbols": symbols}:
                return not 0 <= long() < len(symbols)
            case {"type": "array"}:
                while count := long():
                    if count < 0:
                        long()
                    for _ in range(abs(count)):
                        if skip("string") or skip("string"):
                            return True
            case "string":
                length = long()
                at += length
                return length < 0
            case "long" | "int":
                long()
            case "float" | "double":
                at += 4 if schema_ == "float" else 8
            case "boolean":
                at += 1
                return datum[at - 1] > 1
        return False

    try:
        return any(skip(one["type"]) for one in fields)
    except (OverflowError, IndexError):
        return True


def base_code(values: dict[str, Any], tenant: str, kafka_ms: int) -> R | None:
    if values["tenant_id"] != tenant:
        return R.TENANT_MISMATCH
    if not UUID.fullmatch(values["event_id"]):
        return R.EVENT_ID_INVALID
    after = values["occurred_at"] - kafka_ms * 1000
    if after > timedelta(days=1) / timedelta(microseconds=1) or after < -timedelta(days=3653) / timedelta(
        microseconds=1
    ):
        return R.OCCURRED_AT_OUT_OF_RANGE
    if values["occurred_at"] < 0:
        return R.OCCURRED_AT_OUT_OF_RANGE
    if values["action"] == "":
        return R.ACTION_EMPTY
    if values["ip"] and parse_ip(values["ip"]) is None:
        return R.IP_INVALID
    return None


def rule_code(schema: dict[str, Any], values: dict[str, Any]) -> R | None:
    for field in schema["fields"]:
        value = values[field["name"]]
        if field.get("required") and (value is None or value in ("", [])):
            return R.FIELD_RULE
        if value is None:
            continue
        if logical(field) and field["name"] != "occurred_at":
            try:
                EPOCH + timedelta(microseconds=value)
            except OverflowError:
                if not -62_167_219_200_000_000 <= value <= 253_402_300_799_999_999:
                    return R.FIELD_RULE
        if "maxLength" in field and len(value) > field["maxLength"]:
            return R.FIELD_RULE
        if "pattern" in field and not re2.fullmatch(field["pattern"], value):
            return R.FIELD_RULE
        if "minimum" in field and not value >= field["minimum"]:
            return R.FIELD_RULE
        if "maximum" in field and not value <= field["maximum"]:
            return R.FIELD_RULE
        if "oneOf" in field and value not in field["oneOf"]:
            return R.FIELD_RULE
    return None


def stored(schema: dict[str, Any], schema_id: int, values: dict[str, Any]) -> Stored:
    at = EPOCH + timedelta(microseconds=values["occurred_at"])
    row = {name: values[name] for name in BASE_FIELDS}
    row |= {"event_id": row["event_id"].lower(), "occurred_at": at, "schema_id": schema_id}
    row |= {"ip": row["ip"] or None, "user_agent": row["user_agent"] or None}
    row["fields"] = [
        (field["name"], text(field, values[field["name"]]))
        for field in schema["fields"]
        if field["name"] not in BASE_FIELDS and values[field["name"]] is not None
    ]
    return Stored(at.year * 100 + at.month, row)


def text(field: dict[str, Any], value: Any) -> Any:
    """Return a value as the text that is stored. A float stays a float, so that it is compared as a number."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value
    if logical(field) == "timestamp-micros":
        if value < -62_135_596_800_000_000:  # in the year 0, which Python does not support
            return "0000"
        return (EPOCH + timedelta(microseconds=value)).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")
    return str(value)
