"""Tests the schema with which the SDK writes an event, and the error for an event that does not match it."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from io import BytesIO
from types import SimpleNamespace

import fastavro
import pytest

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent
from auditlane.contract.window import check_time
from auditlane.contract.wire import unframe
from auditlane.runtime.errors import InvalidEvent, RegistryRefused, RegistryUnavailable, SchemaNotFound
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.schema_resolver import RETRY_S, SchemaResolver

LIMIT = 524_288


def schema(*own, without=()):
    described = base_schema()
    described["fields"] = [one for one in described["fields"] if one["name"] not in without] + list(own)
    return json.dumps(described)


def own(name, kind, **more):
    return {"name": name, "type": ["null", kind], "default": None, **more}


class FakeRegistry:
    """An in-memory registry that can be made unavailable."""

    def __init__(self, **schemas):
        self.schemas = {name.replace("_", "."): one for name, one in schemas.items()}
        self.away = False
        self.requests = []

    def _ask(self, what):
        self.requests.append(what)
        if self.away:
            raise RegistryUnavailable("It does not answer.")

    def subjects(self):
        self._ask("subjects")
        return frozenset(self.schemas)

    def latest(self, subject):
        self._ask(subject)
        if subject not in self.schemas:
            raise SchemaNotFound(f"Subject '{subject}' not found.")
        schema_id, text = self.schemas[subject]
        return SimpleNamespace(schema_id=schema_id, schema=text)

    def close(self):
        pass


@pytest.fixture
def registry():
    fake = FakeRegistry()
    fake.schemas = {"t-value": (1, schema()), "t.acme-value": (2, schema(own("x", "string")))}
    return fake


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def refreshed(contracts):
    """Wait until the thread that refreshes contracts, if there is one, has ended."""
    for thread in threading.enumerate():
        if thread.name == "auditlane-contracts":
            thread.join(10)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def contracts(registry, clock):
    return SchemaResolver(registry, topic="t", refresh_s=30, clock=clock)


def test_a_tenants_own_contract_takes_precedence_over_the_base(contracts, registry):
    assert [contracts.encoder(tenant).schema_id for tenant in ("acme", "other", "third", "acme")] == [2, 1, 1, 2]
    assert registry.requests == ["subjects", "t.acme-value", "t-value"], (
        "subjects are listed once, and nothing is requested twice"
    )


def test_known_schemas_work_without_the_registry(contracts, registry, clock):
    contracts.encoder("acme")
    registry.away = True
    clock.now += 1_000
    for _ in range(3):
        assert contracts.encoder("acme").schema_id == 2
        refreshed(contracts)
    assert registry.requests.count("subjects") == 2, "an unavailable registry is not queried for every event"
    clock.now += RETRY_S
    registry.away = False
    registry.schemas["t.acme-value"] = (3, schema(own("y", "string")))
    contracts.encoder("acme")
    refreshed(contracts)
    assert contracts.encoder("acme").schema_id == 3


def test_an_encoder_is_ready_until_it_would_be_refreshed_or_the_contract_may_have_changed(contracts, registry, clock):
    assert contracts.ready("acme") is None
    first = contracts.encoder("acme")
    assert contracts.encoder("acme") is contracts.ready("acme") is first
    assert contracts.ready("other") is None
    clock.now += 31
    assert contracts.ready("acme") is None
    registry.schemas["t.acme-value"] = (3, schema(own("y", "string")))
    contracts.encoder("acme")
    refreshed(contracts)
    assert contracts.ready("acme") is None
    assert contracts.encoder("acme") is contracts.ready("acme") is not first
    contracts.forget("acme")
    assert contracts.ready("acme") is None


def test_an_encoder_is_ready_until_a_failing_registry_is_asked_again(contracts, registry, clock):
    contracts.encoder("acme")
    registry.away = True
    clock.now += 31
    contracts.encoder("acme")
    refreshed(contracts)
    assert contracts.encoder("acme") is contracts.ready("acme")
    clock.now += 2 * RETRY_S
    assert contracts.ready("acme") is None


def test_a_tenant_on_the_base_contract_is_not_ready_while_its_own_may_have_been_registered(contracts, registry, clock):
    contracts.encoder("other")
    registry.away = True
    contracts.forget("other")
    contracts.encoder("other")  # waits in vain
    assert contracts.encoder("other").schema_id == 1
    assert contracts.ready("other") is None


def test_without_a_known_schema_it_raises(contracts, registry, clock):
    registry.away = True
    for _ in range(3):
        with pytest.raises(RegistryUnavailable, match="AUDITLANE_REGISTRY_URL"):
            contracts.encoder("acme")
    assert len(registry.requests) == 1
    registry.away = False
    clock.now += RETRY_S
    assert contracts.encoder("acme").schema_id == 2


def test_an_empty_registry_is_reported_with_the_command(contracts, registry):
    registry.schemas = {}
    with pytest.raises(SchemaNotFound, match="auditlane init"):
        contracts.encoder("acme")


def test_a_subject_that_appears_and_one_that_disappears(contracts, registry, clock):
    assert contracts.encoder("other").schema_id == 1
    registry.schemas["t.other-value"] = (4, schema())
    clock.now += 31
    contracts.encoder("other")
    refreshed(contracts)
    assert contracts.encoder("other").schema_id == 4
    del registry.schemas["t.other-value"]
    clock.now += 31
    contracts.encoder("other")
    refreshed(contracts)
    assert contracts.encoder("other").schema_id == 1


def test_a_schema_that_describes_no_event_is_refused():
    with pytest.raises(RegistryRefused, match="does not describe an audit event"):
        Encoder.parse("s", 1, '{"type": "record", "name": "X", "fields": []}')


def event(**own_fields):
    return AuditEvent(tenant_id="acme", action="a", fields=own_fields)


def decoded(encoder, value):
    return fastavro.schemaless_reader(BytesIO(unframe(value)[1]), encoder.schema, None)


KINDS = Encoder.parse(
    "t.acme-value",
    7,
    schema(
        own("text", "string"),
        own("flag", "boolean"),
        own("count", "long"),
        own("small", "int"),
        own("ratio", "double"),
        own("level", {"type": "enum", "name": "Level", "symbols": ["low", "high"]}),
        own("due", {"type": "long", "logicalType": "timestamp-micros"}),
    ),
)


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("text", "ü", "ü"),
        ("text", {"a": [1]}, '{"a": [1]}'),
        ("text", None, None),
        ("flag", False, False),
        ("count", -(2**63), -(2**63)),
        ("ratio", 3, 3.0),
        ("level", "high", "high"),
        ("due", "2026-01-01T00:00:00+01:00", datetime(2025, 12, 31, 23, tzinfo=UTC)),
    ],
)
def test_own_fields_of_every_kind(name, value, becomes):
    assert decoded(KINDS, KINDS.encode(event(**{name: value}), LIMIT))[name] == becomes


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", 1),
        ("text", "\ud800"),
        ("flag", 1),
        ("flag", "true"),
        ("count", 2**63),
        ("count", True),
        ("count", 1.0),
        ("small", 2**31),
        ("ratio", "1"),
        ("ratio", 10**400),
        ("text", [float("nan")]),
        ("level", "middle"),
        ("due", "2026-01-01T00:00:00"),
        ("due", 5),
        ("unknown", "x"),
    ],
)
def test_a_wrong_own_field_is_named(name, value):
    with pytest.raises(InvalidEvent) as caught:
        KINDS.encode(event(**{name: value}), LIMIT)
    assert caught.value.field == name
    assert name in str(caught.value)


def test_a_required_field_that_is_missing_is_named():
    encoder = Encoder.parse("s", 1, schema(own("project", "string", required=True)))
    with pytest.raises(InvalidEvent, match="project is required"):
        encoder.encode(event(), LIMIT)
    assert encoder.encode(event(project="x"), LIMIT)


def test_a_base_field_that_an_older_contract_lacks_is_not_dropped_silently():
    encoder = Encoder.parse("s", 1, schema(without=("description",)))
    assert encoder.encode(event(), LIMIT)
    with pytest.raises(InvalidEvent, match="description cannot be sent"):
        encoder.encode(AuditEvent(tenant_id="acme", action="a", description="x"), LIMIT)


def test_the_limit_is_on_the_encoded_datum_and_names_the_largest_field():
    encoder = Encoder.parse("s", 1, schema())
    fits = AuditEvent(tenant_id="acme", action="a", after="x" * 1_000)
    size = len(encoder.encode(fits, LIMIT)) - 5
    assert encoder.encode(fits, size)
    with pytest.raises(InvalidEvent, match="largest field is after"):
        encoder.encode(fits, size - 1)


@pytest.mark.parametrize(("ago", "good"), [(0, True), (3650, True), (3653, False), (-0.9, True), (-1.1, False)])
def test_times_that_a_worker_would_refuse(ago, good):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    if good:
        check_time(now - timedelta(days=ago), now)
    else:
        with pytest.raises(InvalidEvent, match="ten years"):
            check_time(now - timedelta(days=ago), now)
