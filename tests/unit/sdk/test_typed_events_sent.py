"""Tests typed events in the SDK: fields that the context provides, the recorded event, and the fixes named in
errors.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from pydantic import BaseModel

from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent, Severity
from auditlane.contract.field_definition import FieldDefinition, FieldType, with_field
from auditlane.runtime.errors import AuditlaneError, InvalidEvent
from auditlane.sdk.context import AuditContext, context
from auditlane.sdk.encoding import Encoder
from auditlane.sdk.event_builder import EventBuilder
from auditlane.sdk.recording import Recorder
from auditlane.sdk.redaction import REDACTED, Redaction
from auditlane.sdk.typed_events import filled, keywords


class Plan(Enum):
    team = "team"


class Limits(BaseModel):
    seats: int


class PlanChanged(AuditEvent, action="plan.changed", resource="subscription", severity="Medium"):
    plan: Plan
    limits: Limits | None = None
    price: Decimal | None = None


class JobRun(AuditEvent, action="job.run"):
    actor_type: str = "service"


def fill(event: AuditEvent, source: str = "") -> AuditEvent:
    return filled(event, source, lambda error: pytest.fail(str(error)))


def encoder(*fields: FieldDefinition) -> Encoder:
    schema = base_schema()
    for field in fields:
        schema = with_field(schema, field.avro())
    return Encoder.parse("audit.events.acme-value", 1, json.dumps(schema))


def test_the_context_fills_in_what_the_event_does_not_state() -> None:
    event = PlanChanged(plan=Plan.team, actor_name=None, metadata={"a": "own"})
    with context(tenant="acme", actor="u-1", ip="192.0.2.1", request_id="r-1", metadata={"a": "outer", "b": 1}):
        made = fill(event, "billing")
    assert isinstance(made, PlanChanged)
    assert (made.tenant_id, made.actor_id, made.ip, made.request_id, made.source) == (
        "acme", "u-1", "192.0.2.1", "r-1", "billing"
    )  # fmt: skip
    assert (made.metadata, made.plan, made.event_id) == ({"a": "own", "b": "1"}, Plan.team, event.event_id)
    assert fill(event) is event


def test_the_event_and_its_class_precede_the_context() -> None:
    with context(tenant="acme", actor="u-1", actor_type="user", actor_name="Jane"):
        assert fill(JobRun()).actor_type == "service"
        made = fill(PlanChanged(plan=Plan.team, tenant_id="globex", actor_id="u-2"))
    assert (made.tenant_id, made.actor_id, made.actor_name) == ("globex", "u-2", None)


def test_a_wrong_value_of_the_context_is_named() -> None:
    with context(tenant="a b"), pytest.raises(InvalidEvent) as caught:
        fill(JobRun())
    assert caught.value.field == "tenant_id"


def test_without_a_tenant_the_error_names_it() -> None:
    with pytest.raises(InvalidEvent, match="tenant_id is missing") as caught:
        EventBuilder("", None, own_events=False).build(fill(JobRun()), {})
    assert caught.value.field == "tenant_id"
    assert "audit.context" in caught.value.fix


def recorded(event: AuditEvent) -> AuditEvent:
    made: list[AuditEvent] = []
    schema = encoder(FieldDefinition("plan", FieldType.AlphaNumeric), FieldDefinition("price", FieldType.Number),
                     FieldDefinition("limits", FieldType.Json))  # fmt: skip

    def emit(values: dict[str, Any]) -> str:
        built = EventBuilder("", None, own_events=False).build(None, values)
        schema.encode(built, 100_000)
        made.append(built)
        return built.event_id

    def report(error: AuditlaneError, _: str | None) -> None:
        pytest.fail(str(error))

    assert Recorder(emit, report, "unassigned").record(keywords(event)) == event.event_id
    return made[0]


def test_record_keeps_what_the_class_states() -> None:
    with context(tenant="acme", actor="u-1"):
        made = recorded(PlanChanged(plan=Plan.team, limits=Limits(seats=5)))
    assert (made.action, made.resource, made.severity) == ("plan.changed", "subscription", Severity.Medium)
    assert (made.tenant_id, made.actor_id) == ("acme", "u-1")
    assert made.fields == {"plan": "team", "limits": '{"seats": 5}', "price": None}


def test_record_leaves_out_a_value_that_would_be_altered() -> None:
    with context(tenant="acme"):
        made = recorded(PlanChanged(plan=Plan.team, price=Decimal("0.12345678901234567890")))
    assert made.metadata == {"unrecorded_fields": "price"}
    assert made.fields == {"plan": "team", "limits": None}


def test_a_declared_field_that_the_contract_lacks_names_the_command() -> None:
    event = PlanChanged(tenant_id="acme", plan=Plan.team)
    with pytest.raises(InvalidEvent) as caught:
        encoder().encode(event, 100_000)
    assert caught.value.field == "plan"
    assert f"auditlane schema sync {__name__} --tenant acme" in caught.value.fix


def test_a_keyword_names_no_command_that_could_not_help() -> None:
    event = AuditEvent(tenant_id="acme", action="a", fields={"plan": "team"})
    with pytest.raises(InvalidEvent) as caught:
        encoder().encode(event, 100_000)
    assert "schema sync" not in caught.value.fix
    assert "add the field to the contract" in caught.value.fix


def test_a_declared_type_that_differs_from_the_contract_names_the_comparison() -> None:
    with pytest.raises(InvalidEvent) as caught:
        encoder(FieldDefinition("plan", FieldType.Integer)).encode(PlanChanged(tenant_id="acme", plan=Plan.team), 9_999)
    assert caught.value.field == "plan"
    assert f"auditlane schema diff {__name__}" in caught.value.fix


def test_events_of_the_program_itself_name_its_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(JobRun, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "__spec__", None, raising=False)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/srv/app/worker.py", raising=False)
    declared = type("Declared", (PlanChanged,), {"__module__": "__main__"})
    with pytest.raises(InvalidEvent, match="auditlane schema sync worker "):
        encoder().encode(declared(tenant_id="acme", plan=Plan.team), 100_000)


def test_declared_fields_are_redacted() -> None:
    redaction = Redaction.made(["fields.limits", "fields.price"], ["fields.plan"], "0123456789abcdef")
    assert redaction is not None
    made = redaction.apply(PlanChanged(tenant_id="acme", plan=Plan.team, limits=Limits(seats=5)))
    values = made.custom_fields()
    assert (values["limits"], values["price"]) == (REDACTED, None)
    assert values["plan"].startswith("hmac:")
    assert (
        values["plan"] == redaction.apply(AuditEvent(tenant_id="a", action="a", fields={"plan": "team"})).fields["plan"]
    )


def test_a_resolver_may_fill_in_the_tenant() -> None:
    def resolve(found: AuditContext) -> None:
        found.tenant_id = "acme"

    with context(resolve=resolve):
        assert fill(JobRun()).tenant_id == "acme"
