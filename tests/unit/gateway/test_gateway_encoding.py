"""Tests that objects encoded in one pass have the values that the complete checks give them. Objects that those reject
are left to them.
"""

from __future__ import annotations

import io
import itertools
import json
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from auditlane.contract.avro import base_schema
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.wire import HEADER_BYTES
from auditlane.gateway.sender import Sender, keywords_of
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import BATCH, uuid7
from auditlane.sdk import json_encoding
from auditlane.sdk.compiled_encoding import NAMES, CompiledEncoders
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.json_encoding import JsonEncoder
from auditlane.sdk.transport import Encoded

LIMIT = 10_000
TIME = "2026-01-31T13:45:00.123456Z"
OWN = [
    {"name": "project", "type": ["null", "string"], "default": None},
    {"name": "last", "type": ["string", "null"], "default": "none"},
]


def encoder(*own: dict[str, Any], **rules: Any) -> Encoder:
    schema = base_schema()
    for field in schema["fields"]:
        field.update(rules.get(field["name"], {}))
    schema["fields"] += own
    return Encoder.parse("s", 1, json.dumps(schema))


# The encoders of the tenants, among which is no "initech".
ENCODERS = {"acme": encoder(*OWN), "globex": encoder(), "hooli": encoder(*OWN, actor_id={"maxLength": 2})}
ANY = Sender("al_1", None, request_id="r-1")
ACME = Sender("al_1", "acme")
SENDERS = [ANY, ACME, Sender("al_1"), Sender("al_1", "acme", request_id="r-1"), Sender("", "hooli", request_id="ü" * 9)]


@pytest.fixture(params=[0, 1_000_000], ids=["compiled", "interpreted"])
def compiled(request, monkeypatch):
    """Run a test with functions compiled for the objects' names, and without."""
    compile_after(monkeypatch, request.param)


def compile_after(monkeypatch, count):
    monkeypatch.setattr(json_encoding, "_COMPILED", CompiledEncoders(json_encoding._source, NAMES, count))
    monkeypatch.setattr(json_encoding, "_SHAPES", {})


def encoded(sender: Sender, *objects: object) -> list[Encoded | None]:
    return [*encoder_of(sender).encode_all(objects)]


def encoder_of(sender: Sender) -> JsonEncoder:
    return JsonEncoder(lambda tenant: ENCODERS[tenant].plain if tenant in ENCODERS else None, sender.defaults(), LIMIT)


def completely(posted: object, sender: Sender, event_id: str, value: bytes) -> bytes:
    """Encode an event with the complete checks. Its id and time are taken from `value` if it has none."""
    values = keywords_of(posted, sender, 0)
    found = ENCODERS[values["tenant_id"]]
    record = fastavro.schemaless_reader(io.BytesIO(value[HEADER_BYTES:]), found.schema, None)
    event = AuditEvent.checked({"event_id": event_id, "occurred_at": record["occurred_at"]} | values)
    return replace(found, plain=None).encode(event, LIMIT)


TEXTS = st.sampled_from(["", "a", "acme", "globex", "hooli", "initech", "auditlane", "ü", "\ud800", "x" * 9_000, TIME])
TEXTS |= st.just("019391a4-7f3c-7cc2-9d2e-0242ac120002")
VALUES = st.none() | TEXTS | st.integers(-2, 2) | st.dictionaries(TEXTS, st.none() | TEXTS, max_size=2)
OBJECTS = st.dictionaries(st.sampled_from([*BASE_FIELDS, "fields", "project", "last", ""]), VALUES, max_size=8)
EVENTS = st.tuples(OBJECTS, st.sampled_from([{}, {"tenant_id": "acme"}, {"tenant_id": "hooli"}])).map(
    lambda drawn: {"action": "Login"} | drawn[0] | drawn[1]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(EVENTS, max_size=4), st.sampled_from(SENDERS))
@example([{"tenant_id": "acme", "action": "a", "last": None}], ANY)
@example([{"tenant_id": "acme", "action": "a", "request_id": None}], ANY)
@example([{"tenant_id": "acme", "action": "a", "request_id": ""}], ANY)
@example([{"tenant_id": "acme", "action": "a"}, {"tenant_id": "globex", "action": "a"}], ACME)
@example([{"tenant_id": "acme", "action": "a"}, {"tenant_id": "acme", "action": "a", "fields": {}, "last": "b"}], ANY)
def test_what_is_encoded_has_the_values_of_the_complete_checks(compiled, posted, sender):
    for values, found in zip(posted, encoded(sender, *posted), strict=True):
        if found is not None:
            tenant, event_id, value = found
            assert tenant == values.get("tenant_id", sender.tenant)
            assert value == completely(values, sender, event_id, value)


def test_usual_objects_are_encoded(compiled):
    usual: list[dict[str, Any]] = [
        {"action": "Login"},
        {"action": "Login", "event_id": "019391a4-7f3c-7cc2-9d2e-0242ac120002", "occurred_at": TIME},
        {"action": "Login", "project": "moon", "actor_id": "u" * 2_000, "description": "é" * 1_500},
        {"action": "Login", "fields": {"project": "moon", "last": None}, "metadata": {"a": "b"}, "before": {"a": 1}},
    ]
    posted = [{"tenant_id": tenant, **values} for tenant in ("acme", "acme", "hooli") for values in usual]
    posted += [values | {"request_id": "mine", "source": ""} for values in posted]
    for values, found in zip(posted, encoded(ANY, *posted), strict=True):
        if values["tenant_id"] == "hooli" and values.get("actor_id"):
            assert found is None, "a rule rejects the event"
        else:
            assert found is not None
            assert found[2] == completely(values, ANY, *found[1:])


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "text",
        [{"action": "Login"}],
        InvalidEvent("not JSON"),
        {"tenant_id": "initech", "action": "Login"},
        {"tenant_id": ["acme"], "action": "Login"},
        {"tenant_id": "acme", "action": "Login", "event_id": "019391a4-7f3c-7cc2-9d2e-0242ac120002"},
        {"tenant_id": "acme", "action": "Login", "fields": {"project": "a"}, "project": "b"},
        {"tenant_id": "acme", "action": "Login", "description": "x" * LIMIT},
        {"tenant_id": "acme", "action": "Login", "unknown": 1},
    ],
)
def test_other_values_are_left_to_the_complete_checks(compiled, odd):
    usual = {"tenant_id": "acme", "action": "Login"}
    first, none, last = encoded(ANY, usual, odd, usual)
    assert none is None
    assert first is not None
    assert last is not None


def test_a_reserved_source_is_left_to_the_complete_checks():
    assert encoded(Sender("auditlane", "acme"), {"action": "Login", "source": "billing"}) == [None]


@pytest.mark.parametrize("count", [1, BATCH - 1, 3 * BATCH + 1])
def test_each_object_gets_a_new_id_unless_it_has_one(count):
    found = encoded(ACME, *[{"action": "Login"}] * count)
    ids = [event_id for _, event_id, _ in filter(None, found)]
    assert ids == sorted(set(ids))
    assert len(ids) == count


@pytest.mark.parametrize(
    "odd", [None, {"action": "Login", "actor_id": 1}, {"action": "Login", "description": "é" * 2_000}]
)
def test_times_and_ids_ascend_with_those_of_events_created_in_between(compiled, monkeypatch, odd):
    monkeypatch.setattr(time, "time_ns", itertools.count(10**18, 1_000).__next__)
    objects: list[Any] = [{"action": "Login"}] * 2 + [odd] + [{"action": "Login"}] * BATCH
    times, ids = list[datetime](), list[str]()
    for found in encoder_of(ACME).encode_all(objects):
        if found is None:  # the gateway then creates the event itself
            ids.append(uuid7())
            times.append(datetime.fromtimestamp(time.time_ns() / 1e9, UTC))
        else:
            record: Any = fastavro.schemaless_reader(io.BytesIO(found[2][HEADER_BYTES:]), ENCODERS["acme"].schema, None)
            ids.append(found[1])
            times.append(record["occurred_at"])
    assert times == sorted(times)
    assert ids == sorted(ids)


def test_names_are_compiled_once_they_recur(monkeypatch):
    compile_after(monkeypatch, 2)
    encoded(ACME, *[{"action": "Login"}] * 2)
    assert not json_encoding._COMPILED._compiled
    encoded(ACME, {"action": "Login"})
    assert len(json_encoding._COMPILED._compiled) == 1


def test_only_so_many_sets_of_names_are_kept(monkeypatch):  # a client may choose them
    compile_after(monkeypatch, 0)
    for number in range(600):
        encoded(ACME, {"action": "Login", f"custom {number}": 1})
    assert len(json_encoding._SHAPES) <= 256
