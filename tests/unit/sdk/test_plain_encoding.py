"""Tests that the fast path of `emit` agrees with the model and fastavro: they accept the same events and produce the
same bytes. All common events take the fast path.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent, Outcome, Severity
from auditlane.contract.values import StoredFields
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk import plain_encoding, plain_values
from auditlane.sdk.compiled_encoding import NAMES, CompiledEncoders, source
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.event_builder import EventBuilder
from auditlane.sdk.plain_encoding import PlainEncoder
from auditlane.sdk.plain_values import varint

LIMIT = 20_000
SHARED = [HealthCheck.function_scoped_fixture]  # `compiled` is the same for all examples
NOW = datetime.now(UTC)
NOW_US = (NOW - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
BUILDER = EventBuilder("", None, own_events=False)


@pytest.fixture(params=[0, 1_000_000], ids=["compiled", "interpreted"], autouse=True)
def compiled(request, monkeypatch):
    """Run each test twice: with the function compiled for a set of keywords, and with the general one."""
    monkeypatch.setattr(plain_encoding, "_COMPILED", CompiledEncoders(source, NAMES, request.param))


class Text(str):
    __slots__ = ()


class Mode(StrEnum):
    fast = "fast"


@dataclass
class Title:
    title: object


class Hostile:
    """A value whose methods all raise errors."""

    def _fail(self, *_):
        raise RuntimeError

    __eq__ = __hash__ = __str__ = __bool__ = __len__ = __iter__ = _fail
    __class__ = property(_fail)


def encoder(*own, first=(), ruled=None):
    """Return the encoder for a contract with these custom fields, and with these rules for base fields."""
    described = base_schema()
    for field in described["fields"]:
        field.update((ruled or {}).get(field["name"], {}))
    described["fields"] = [*first, *described["fields"], *own]
    return Encoder.parse("t-value", 7, json.dumps(described))


def field(name, kind, **more):
    return {"name": name, "type": ["null", kind], "default": None} | more


TIME = {"type": "long", "logicalType": "timestamp-micros"}
COLOR = {"type": "enum", "name": "color", "symbols": ["red", "green"]}
SIZE = {"type": "enum", "name": "size", "symbols": ["S", "M", "L"]}
BASE = encoder()
OWN = encoder(
    field("project", "string"),
    field("cost", "double"),
    field("ratio", "float"),
    field("seats", "int"),
    field("bytes", "long"),
    field("paid", "boolean"),
    field("color", COLOR),
    field("due", TIME),
    {"name": "last", "type": ["string", "null"], "default": "none"},
    {"name": "size", "type": SIZE, "default": "M"},
    {"name": "weight", "type": "double", "default": 1},
    {"name": "at", "type": TIME, "default": 0},
)
STRICT = encoder(
    field("project", "string", required=True, maxLength=4),
    {"name": "seats", "type": "long", "minimum": 1, "maximum": 9},
    {"name": "size", "type": SIZE, "default": "M", "oneOf": ["S", "M"]},
    field("ratio", "float", minimum=0.1),
    ruled={
        "actor_id": {"required": True},
        "before": {"maxLength": 12},
        "outcome": {"oneOf": ["success", "denied"]},
        "metadata": {"required": True},
        "ip": {"required": True},
        "user_agent": {"maxLength": 5},
        "occurred_at": {"required": True},
    },
)
ENCODERS = {"base": BASE, "own": OWN, "strict": STRICT}

texts = st.text(max_size=8) | st.sampled_from(["", " ", "é" * 70, "x" * 9_000, "\ud800", "a\x00", "\U0001f600"])
odd = st.sampled_from([None, "", 0, 1, 1.5, True, b"bytes", [], {}, {"a": 1}, {1: 2}, ["\ud800"]]) | st.sampled_from(
    [Text("text"), Mode.fast, Outcome.success, Severity.Low, UUID(int=5), Decimal("1.5"), date(2024, 5, 1), Title("é")]
)
times = (
    st.datetimes(timezones=st.sampled_from([UTC, None]))
    | st.integers(-86_399, 86_399).map(lambda offset: NOW.astimezone(timezone(timedelta(seconds=offset))))
    | st.sampled_from([NOW.astimezone(ZoneInfo("Europe/Berlin")), NOW + timedelta(hours=23, minutes=58, seconds=59)])
    | st.sampled_from([NOW.isoformat(), NOW.strftime("%Y-%m-%dT%H:%M:%SZ"), "2024-05-01T12:00:00.1234567Z"])
    | st.from_regex(
        r"20[12][0-9]-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{1,7})?", fullmatch=True
    ).flatmap(lambda text: st.sampled_from([text, *(text + zone for zone in ("Z", "z", "+01:60", "-00:00", "+24:00"))]))
)
BY_FIELD = {
    "event_id": st.uuids() | st.uuids().map(str) | st.sampled_from([UUID(int=9).hex, str(UUID(int=0xA)).upper()]),
    "tenant_id": st.sampled_from(["acme", "a", "a" * 101, "_auditlane", "b#1", "a\n"]),
    "occurred_at": times,
    "action": texts,
    "outcome": st.sampled_from([*Outcome, *(each.value for each in Outcome), "Success"]),
    "severity": st.sampled_from([*Severity, *(each.value for each in Severity), "info"]),
    "ip": st.ip_addresses() | st.ip_addresses().map(str) | st.sampled_from(["fe80::1%eth0", "::FFFF:1.2.3.4", "1.2"]),
    "before": texts | st.dictionaries(st.text(max_size=3), st.integers() | texts, max_size=2),
    "source": st.sampled_from(["", "billing", "auditlane", "Aud\u0131tlane"]),
    "metadata": st.dictionaries(texts, texts, max_size=3) | st.sampled_from([StoredFields({"a": "b"}, whole=True)]),
    "fields": st.dictionaries(st.sampled_from(["project", "seats", "action", "other"]), odd, max_size=2)
    | st.sampled_from([StoredFields({"seats": "5"}, whole=True)]),
    "project": texts,
    "cost": st.floats() | st.integers(),
    "ratio": st.floats() | st.integers(),
    "seats": st.integers(-(2**31), 2**31) | st.integers(0, 10),
    "bytes": st.integers(-(2**63) - 1, 2**63),
    "color": st.sampled_from(["red", "green", "blue"]),
    "due": times,
    "last": texts,
    "size": st.sampled_from(["S", "M", "L", "XL"]),
    "weight": st.floats(),
    "at": times,
}
plain_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(lambda text: not text.isspace())
USUAL = {
    "event_id": st.uuids() | st.uuids().map(str),
    "occurred_at": st.timedeltas(timedelta(days=-3_000), timedelta(hours=20)).map(lambda ago: NOW + ago)
    | st.sampled_from([NOW.isoformat(), NOW.strftime("%Y-%m-%dT%H:%M:%SZ")]),
    "outcome": BY_FIELD["outcome"].filter(lambda outcome: outcome in list(Outcome)),
    "severity": BY_FIELD["severity"].filter(lambda severity: severity in list(Severity)),
    "ip": st.ip_addresses().map(str) | st.just(""),
    "before": plain_texts | st.dictionaries(plain_texts, st.integers() | plain_texts, max_size=3),
    "after": st.lists(plain_texts, max_size=3),
    "metadata": st.dictionaries(plain_texts, plain_texts, max_size=3),
}


OWN_USUAL = {
    "project": st.text("abc", min_size=1, max_size=4),
    "cost": st.floats(),
    "ratio": st.floats(0.2, 9),
    "seats": st.integers(1, 9),
    "bytes": st.integers(-(2**63), 2**63 - 1),
    "paid": st.booleans(),
    "color": st.sampled_from(["red", "green", None]),
    "due": times,
    "size": st.sampled_from(["S", "M"]),
}
# Values that satisfy the rules of STRICT.
ENOUGH = {"actor_id": "u", "project": "moon", "seats": 5, "outcome": "denied", "metadata": {"a": "b"}, "ip": "::1"}


@st.composite
def keywords(draw, contract):
    """Draw keywords for `emit`. Most are valid, and some are unusual or invalid."""
    own = [field.name for field in ENCODERS[contract].contract.own]
    names = draw(st.sets(st.sampled_from([*AuditEvent.model_fields, *own, *own]), max_size=9))
    values = {"tenant_id": "acme", "action": "login"} | (ENOUGH if contract == "strict" else {})
    for name in sorted(names):
        chance = draw(st.integers(0, 29))
        if chance == 0:
            values[name] = draw(odd)
        elif chance < 4 or name == "fields":
            values[name] = draw(BY_FIELD.get(name, texts))
        elif name not in ("tenant_id", "source") and (contract != "strict" or name not in ENOUGH):
            values[name] = draw((USUAL | OWN_USUAL).get(name, plain_texts))
    return values


def generally(found, values):
    """Encode an event with the model and fastavro. Raises InvalidEvent."""
    event = BUILDER.build(None, dict(values))
    return replace(found, plain=None).encode(event, LIMIT)


@pytest.mark.parametrize("contract", ENCODERS)
@settings(max_examples=80, suppress_health_check=SHARED)
@given(data=st.data())
def test_what_it_encodes_is_valid_and_has_the_same_bytes(contract, data):
    found, values = ENCODERS[contract], data.draw(keywords(contract))
    encoded = found.plain.encode(values, NOW_US, LIMIT)
    if encoded is not None:
        event_id, value = encoded
        assert value == generally(found, {"event_id": event_id, "occurred_at": NOW} | values)


@settings(max_examples=50, suppress_health_check=SHARED)
@given(data=st.data())
def test_it_takes_usual_events(data):
    optional = {name: USUAL.get(name, plain_texts) for name in AuditEvent.model_fields}
    values = data.draw(st.fixed_dictionaries({}, optional=optional))
    values |= {"tenant_id": "acme", "source": "billing", "fields": {}}
    values.setdefault("action", "login")
    event_id, value = BASE.plain.encode(values, NOW_US, LIMIT)
    assert value == generally(BASE, {"event_id": event_id, "occurred_at": NOW} | values)
    event = AuditEvent.checked({"event_id": event_id, "occurred_at": NOW} | values)
    assert BASE.plain.encode(event.__dict__, NOW_US, LIMIT) == (event_id, value)


def test_it_takes_custom_fields():
    own = {"project": "moon", "cost": 1, "ratio": 0.1, "seats": 3, "bytes": -5, "paid": True, "color": "green"}
    own |= {"due": NOW, "last": None, "size": "L", "weight": 2.5, "at": "2024-05-01T12:00:00+02:00"}
    values = {"tenant_id": "acme", "action": "login", "event_id": UUID(int=1), "occurred_at": NOW}
    for given_as in (own, {"fields": own}, {"fields": own | {"size": "S"}, "size": "L"}, {}):
        assert OWN.plain.encode(values | given_as, NOW_US, LIMIT) == (
            str(UUID(int=1)),
            generally(OWN, values | given_as),
        )


def test_it_takes_an_event_that_satisfies_the_rules():
    values = {"tenant_id": "acme", "action": "login", "event_id": UUID(int=1), "occurred_at": NOW, "actor_id": "u"}
    values |= {"project": "moon", "seats": 9, "ratio": 0.5, "outcome": "denied", "metadata": {"a": "b"}, "ip": "::1"}
    values |= {"before": {"a": 1}, "user_agent": "agent"}
    assert STRICT.plain.encode(values, NOW_US, LIMIT) == (str(UUID(int=1)), generally(STRICT, values))
    for name, value in (("before", {"a": "x" * 20}), ("ip", ""), ("metadata", {}), ("seats", 10), ("actor_id", "")):
        assert STRICT.plain.encode(values | {name: value}, NOW_US, LIMIT) is None
        with pytest.raises(InvalidEvent) as raised:
            generally(STRICT, values | {name: value})
        assert raised.value.field == name


def test_an_event_may_have_exactly_the_greatest_size():
    values = {"tenant_id": "acme", "action": "login", "description": "é" * 700}
    _, value = BASE.plain.encode(values, NOW_US, LIMIT)
    assert BASE.plain.encode(values, NOW_US, len(value) - HEADER_BYTES) is not None
    assert BASE.plain.encode(values, NOW_US, len(value) - HEADER_BYTES - 1) is None


def test_it_leaves_the_reserved_names_and_times_out_of_range_to_the_complete_checks():
    values = {"tenant_id": "acme", "action": "login"}
    for changed in ({"tenant_id": "_auditlane"}, {"source": "auditlane"}, {"occurred_at": NOW - timedelta(days=3_660)}):
        assert BASE.plain.encode(values | changed, NOW_US, LIMIT) is None


@pytest.mark.parametrize("name", [*AuditEvent.model_fields, "project", "other"])
def test_it_leaves_values_that_cannot_be_read_to_the_complete_checks(name):
    values = {"tenant_id": "acme", "action": "login", name: Hostile()}
    assert OWN.plain.encode(values, NOW_US, LIMIT) is None


def test_a_contract_with_other_base_fields_has_no_fast_path():
    assert encoder(first=[field("project", "string")]).plain is None
    assert PlainEncoder.of(1, replace(BASE.contract, fields=BASE.contract.fields[:-1]), {}) is None


@pytest.mark.parametrize("number", [0, -1, 1, 63, -64, 64, 2**31, -(2**63), 2**63 - 1])
def test_numbers_are_encoded_as_by_avro(number):
    bits, read = 0, varint(number)
    for at, byte in enumerate(read):
        bits |= (byte & 0x7F) << 7 * at
        assert bool(byte & 0x80) == (at < len(read) - 1)
    assert (bits >> 1) ^ -(bits & 1) == number


def test_the_table_of_lengths_agrees_with_the_encoding_of_numbers():
    assert [*plain_values.LENGTH] == [plain_values.wire(varint(size)) for size in range(len(plain_values.LENGTH))]


def test_addresses_are_kept_as_they_are_written():
    values = {"tenant_id": "acme", "action": "login", "ip": str(ip_address("2001:DB8::1")).upper()}
    _, value = BASE.plain.encode(values, NOW_US, LIMIT)
    assert b"2001:DB8::1" in value


def test_long_texts_and_many_metadata_are_encoded():
    values = {
        "tenant_id": "acme",
        "action": "login",
        "occurred_at": NOW,
        "actor_name": "é" * 1_500,
        "before": "x" * 5_000,
    }
    values |= {"metadata": {"long": "y" * 3_000, "äöü": "ß"} | {f"key {at}": "" for at in range(2_100)}}
    event_id, value = BASE.plain.encode(values, NOW_US, 100_000)
    event = BUILDER.build(None, {"event_id": event_id} | values)
    assert value == replace(BASE, plain=None).encode(event, 100_000)


def test_keywords_are_compiled_once_they_recur():
    found, names = CompiledEncoders(source, NAMES, compile_after=2), ("tenant_id", "action", 'a "quoted" name')
    assert [found.get(names) is None for _ in range(4)] == [True, True, False, False]
    for at in range(3_000):  # a caller of the gateway may choose names
        for _ in range(3):
            found.get((*names, str(at)))
    assert len(found._compiled) <= 256
    assert len(found._seen) <= 1_024


@pytest.mark.parametrize("names", [[f"field {at}" for at in range(100)], ["x" * 5_000]])
def test_keywords_that_are_too_many_are_neither_counted_nor_compiled(names):
    found = CompiledEncoders(source, NAMES, compile_after=0)
    assert found.get(("tenant_id", "action", *names)) is None
    assert not found._seen
    assert not found._compiled


def test_the_event_id_is_found_in_an_encoded_value():
    event_id, value = OWN.plain.encode({"tenant_id": "acme", "action": "login"}, NOW_US, LIMIT)
    assert plain_encoding.event_id_of(value) == event_id


def test_a_function_is_compiled_without_an_import() -> None:
    """A signal handler that emits may interrupt an import, and would then find the module incomplete."""
    program = (
        "import sys\n"
        "from auditlane.sdk.compiled_encoding import NAMES, CompiledEncoders, source\n"
        "before = set(sys.modules)\n"
        "assert CompiledEncoders(source, NAMES, compile_after=0).get(('tenant_id', 'action'))\n"
        "print(sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
