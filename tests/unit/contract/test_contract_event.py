"""Tests the event, its Avro encoding and framing, and tenant names."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract import avro, tenants, wire
from auditlane.contract.event import BASE_FIELDS, AuditEvent, Outcome, Severity, parse_ip
from auditlane.runtime.errors import InvalidEvent

EVENT = {"tenant_id": "acme-1", "action": "Login"}


def test_the_schema_file_matches_the_model() -> None:
    assert avro.derive() == avro.base_schema(), "run: python -m auditlane.contract.avro > event.avsc"


def test_enums_are_in_the_stores_order() -> None:
    assert [one.value for one in Outcome] == ["unknown", "success", "failure", "denied"]
    assert [one.value for one in Severity] == ["Info", "Low", "Medium", "High", "Critical", "Error"]


def test_an_event_round_trips_through_avro() -> None:
    event = AuditEvent.checked(
        EVENT
        | {
            "occurred_at": datetime(2026, 1, 2, 3, 4, 5, 678901, timezone(timedelta(hours=2))),
            "metadata": {"a": "ä"},
            "before": {"x": 1},
            "outcome": "denied",
            "ip": "2001:db8::1",
        }
    )
    schema = fastavro.parse_schema(avro.base_schema())
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, event.record())
    back = fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema, None)
    assert AuditEvent(**back) == event
    assert back["occurred_at"] == datetime(2026, 1, 2, 1, 4, 5, 678901, UTC)
    assert back["before"] == '{"x": 1}'
    assert tuple(back) == BASE_FIELDS


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tenant_id", "a b"),
        ("tenant_id", "_other"),
        ("tenant_id", "x" * 101),
        ("action", ""),
        ("event_id", "not-a-uuid"),
        ("occurred_at", datetime(2026, 1, 1)),  # noqa: DTZ001  # without a zone: nobody knows when that was
        ("ip", "10.0.0.300"),
        ("ip", "fe80::1%eth0"),
        ("outcome", "ok"),
        ("severity", "Attention"),
        ("description", "\ud800"),
        ("metadata", {"a": 1}),
        ("colour", "red"),
    ],
)
def test_a_wrong_field_is_named(field: str, value: object) -> None:
    with pytest.raises(InvalidEvent) as caught:
        AuditEvent.checked(EVENT | {field: value})
    assert caught.value.field.split(".")[0] == field
    assert field in str(caught.value)


def test_all_wrong_fields_are_listed() -> None:
    with pytest.raises(InvalidEvent, match=r"action.*ip"):
        AuditEvent.checked({"tenant_id": "a", "action": "", "ip": "x"})


@pytest.mark.parametrize("value", ["yesterday", "2024-05-01T12:00:00", "2024-13-01T00:00:00Z", []])
def test_an_error_about_a_time_names_the_format(value: object) -> None:
    with pytest.raises(InvalidEvent, match=r"occurred_at: must be .*RFC 3339.*2024-05-01T12:00:00Z"):
        AuditEvent.checked(EVENT | {"occurred_at": value})


def test_a_missing_field_is_reported_as_missing() -> None:
    with pytest.raises(InvalidEvent, match="tenant_id is missing; action is missing") as caught:
        AuditEvent.checked({})
    assert caught.value.field == "tenant_id"


def test_empty_address_and_user_agent_become_null_and_ids_lower_case() -> None:
    event = AuditEvent.checked(EVENT | {"ip": "", "user_agent": "", "event_id": "6BA6D8A5-5B1A-5F0E-9C6B-1F3F0D7E3A11"})
    assert (event.ip, event.user_agent) == (None, None)
    assert event.event_id == "6ba6d8a5-5b1a-5f0e-9c6b-1f3f0d7e3a11"


def test_only_ip_addresses_are_parsed() -> None:
    assert parse_ip("10.0.0.1") is not None
    assert parse_ip("::ffff:10.0.0.1") is not None
    assert parse_ip("cloudtrail.example") is None


@given(st.integers(0, 2**32 - 1), st.binary(max_size=50))
def test_framing_round_trips(schema_id: int, datum: bytes) -> None:
    found, rest = wire.unframe(wire.frame(schema_id, datum))
    assert (found, bytes(rest)) == (schema_id, datum)


@pytest.mark.parametrize("value", [b"", b"\x00", b"\x00\x00\x00\x01", b"\x01\x00\x00\x00\x01x"])
def test_unframed_values_are_refused(value: bytes) -> None:
    with pytest.raises(ValueError, match="zero byte"):
        wire.unframe(value)


def test_names_derive_from_the_tenant() -> None:
    assert tenants.key_of("acme") == b"acme"
    assert tenants.key_of("acme", 3) == b"acme#3"
    assert tenants.tenant_of_key(b"acme#3") == "acme"
    assert tenants.tenant_subject("audit.events", "acme") == "audit.events.acme-value"
    assert tenants.tenant_of_subject("audit.events", "audit.events.acme-value") == "acme"
    assert tenants.tenant_of_subject("audit.events", tenants.base_subject("audit.events")) is None
    assert tenants.tenant_of_subject("audit.events", "orders.acme-value") is None
    assert tenants.tenant_of_subject("audit.events", "audit.events.a b-value") is None


def test_only_auditlane_may_use_the_reserved_tenant() -> None:
    with pytest.raises(InvalidEvent, match="reserved"):
        tenants.check_tenant(tenants.OURS)
    assert tenants.check_tenant(tenants.OURS, ours=True) == tenants.OURS
    with pytest.raises(InvalidEvent, match="letters"):
        tenants.check_tenant("a#b")
