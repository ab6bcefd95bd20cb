"""Tests that a record of any size and shape is converted to events that are within the size limit and valid under the
contract.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditlane.access.audit import Action, AuditRecord
from auditlane.contract.event import AuditEvent
from auditlane.sdk.event_text import plain_base
from auditlane.trail.events import MAX_BYTES, bounded, events_of

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = "0197d2f0-0000-7000-8000-000000000000"


def made(record: AuditRecord, limit: int) -> list[AuditEvent]:
    """Convert a record to events. Asserts that each can be encoded within the limit."""
    events = events_of(bounded(record, limit), at=T0, event_id=ID)
    for event in events:
        assert plain_base().encode(event, min(limit, MAX_BYTES))
        assert AuditEvent.model_validate_json(event.model_dump_json()) == event
    return events


ANY = st.text(st.characters(), max_size=30)  # including lone surrogates
LONG = st.builds(lambda text, times: text * times, ANY, st.sampled_from([1, 1, 1, 40, 3_000, 40_000]))


@given(
    record=st.builds(
        AuditRecord,
        action=LONG,
        tenant=st.none() | st.sampled_from(["acme", "a" * 100, "_auditlane", "no tenant!", "#", ""]) | LONG,
        actor_id=LONG,
        actor_type=LONG,
        outcome=st.sampled_from(["success", "failure", "denied"]),
        resource=LONG,
        resource_id=st.none() | LONG,
        description=st.none() | LONG,
        metadata=st.dictionaries(LONG, LONG, max_size=5),
        ip=st.none() | st.ip_addresses().map(str) | ANY,
        request_id=st.none() | LONG,
    ),
    limit=st.sampled_from([1_024, 2_048, 20_000, 524_288]),
)
@example(AuditRecord(action="a", metadata={f"k{n}": "v" * 100 for n in range(5_000)}), 1_024)
@example(AuditRecord(action=" \n", actor_id="\ud800" * 70_000, tenant="x" * 100), 1_024)
@example(AuditRecord(action="é" * 9_999, tenant="t" * 100, metadata={"é" * n: "€" * 9_999 for n in range(90)}), 1_024)
@example(AuditRecord(action="a", metadata=dict.fromkeys((str(n) for n in range(63)), "x" * 1_100)), 524_288)
def test_any_record_becomes_events_that_are_accepted(record: AuditRecord, limit: int) -> None:
    events = made(record, limit)
    assert events[0].tenant_id == "_auditlane"
    assert len({event.event_id for event in events}) == 1
    assert len(events) <= 2


def test_a_record_of_usual_size_is_unchanged() -> None:
    record = AuditRecord(
        action=Action.exported, tenant="acme", actor_id="jane", metadata={"rows": "12", "list": "x" * 20_000}
    )
    assert bounded(record, 524_288) == record


def test_a_tenants_record_is_in_both_logs_under_one_id() -> None:
    record = AuditRecord(action="link.issued", tenant="acme", actor_name="backend", metadata={"client": "al_1"})
    ours, theirs = made(record, 524_288)
    assert (ours.tenant_id, ours.metadata) == ("_auditlane", {"client": "al_1", "tenant": "acme"})
    assert (theirs.tenant_id, theirs.metadata) == ("acme", {"client": "al_1"})
    assert ours.actor_name == theirs.actor_name == "backend"
    assert ours.event_id == theirs.event_id
    assert ours.occurred_at == theirs.occurred_at == T0


@pytest.mark.parametrize("tenant", [None, "_auditlane"])
def test_a_record_without_a_tenant_is_only_in_the_services_log(tenant: str | None) -> None:
    [event] = made(AuditRecord(action="key.created", tenant=tenant), 524_288)
    assert (event.tenant_id, event.metadata) == ("_auditlane", {})


def test_an_invalid_tenant_is_recorded_in_the_services_log() -> None:
    [event] = made(AuditRecord(action="access.denied", tenant="not/a tenant"), 524_288)
    assert (event.tenant_id, event.metadata["tenant"]) == ("_auditlane", "not/a tenant")


@pytest.mark.parametrize(
    ("record", "severity"),
    [
        (AuditRecord(action="key.created"), "Info"),
        (AuditRecord(action="unheard.of"), "Info"),
        (AuditRecord(action="events.dropped", outcome="failure"), "Critical"),
        (AuditRecord(action="access.denied", outcome="denied"), "Medium"),
        (AuditRecord(action="lag.detected", outcome="failure", severity="High"), "High"),
    ],
)
def test_an_event_has_the_severity_of_its_record_or_else_of_its_action(record: AuditRecord, severity: str) -> None:
    [event] = made(record, 524_288)
    assert event.severity == severity


def test_an_oversized_value_is_replaced_by_its_digest() -> None:
    value = "v" * 700_000
    [event] = made(
        AuditRecord(action="structure.changed", actor_id="jane", metadata={"changes": value, "revision": "7"}), 524_288
    )
    shortened = event.metadata["changes"]
    assert shortened.startswith("vvv")
    assert "[700000 bytes, sha256 " + hashlib.sha256(value.encode()).hexdigest() + "]" in shortened
    assert (event.actor_id, event.metadata["revision"]) == ("jane", "7")
