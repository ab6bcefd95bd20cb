"""Tests that an event sent over HTTP is the same as the event that would be sent to Kafka."""

from __future__ import annotations

import enum
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.event import AuditEvent
from auditlane.gateway.body import parse
from auditlane.gateway.sender import Sender, keywords_of
from auditlane.runtime.errors import EventTooLarge, InvalidEvent
from auditlane.sdk.http_transport.lines import line_of

LIMIT = 524_288


def received(event: AuditEvent) -> AuditEvent:
    line = line_of(event, LIMIT)
    assert b"\n" not in line
    return AuditEvent.checked(keywords_of(parse(line), SENDER, 0))


TIME = datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2)))
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
NULLABLE = ("actor_name", "on_behalf_of", "resource_id", "description", "user_agent", "before", "after")
SENDER = Sender("", request_id="that of the HTTP request")


@given(
    st.fixed_dictionaries(
        {"action": TEXT.filter(str.strip), "metadata": st.dictionaries(TEXT, TEXT, max_size=3)},
        optional={
            **{name: st.none() | TEXT for name in NULLABLE},
            **dict.fromkeys(("actor_id", "actor_type", "resource", "source"), TEXT),
            "request_id": st.none() | TEXT.filter(bool),
            "outcome": st.sampled_from(["unknown", "success", "failure", "denied"]),
            "severity": st.sampled_from(["Info", "Low", "Error"]),
            "ip": st.ip_addresses().map(str),
            "occurred_at": st.integers(0, 10**15).map(lambda us: TIME + timedelta(microseconds=us)),
        },
    )
)
def test_the_gateway_receives_the_same_event(values: dict[str, Any]) -> None:
    event = AuditEvent.checked({"tenant_id": "acme", **values})
    assert received(event) == event


class Colour(enum.StrEnum):
    red = "red"


def test_custom_fields_have_the_form_that_the_contract_takes() -> None:
    at = datetime(2026, 1, 1, 12, tzinfo=UTC)
    own = {"n": 3, "x": 2.5, "yes": True, "none": None, "text": "ä\n", "at": at, "colour": Colour.red, "big": 2**63}
    own |= {"details": {"price": Decimal("1.50"), "id": UUID(int=1), "items": ({"a": 1},)}, "list": [1, "b"]}
    fields = received(AuditEvent(tenant_id="acme", action="a", fields=own)).fields
    assert fields.pop("at") == "2026-01-01T12:00:00Z"
    assert fields.pop("details") == {"price": "1.50", "id": str(UUID(int=1)), "items": [{"a": 1}]}
    assert fields == {name: own[name] for name in fields} | {"colour": "red"}


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        "\ud800",
        Decimal(1),
        UUID(int=1),
        {1: 2},
        [float("nan")],
        TIME.replace(tzinfo=None),
        [10**5_000],
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_that_json_cannot_carry_is_refused_with_its_field(value: Any) -> None:
    with pytest.raises(InvalidEvent) as caught:
        line_of(AuditEvent(tenant_id="acme", action="a", fields={"ok": 1, "wrong": value}), LIMIT)
    assert caught.value.field == "wrong"


def test_the_limit_is_that_of_the_event_in_avro() -> None:
    quotes = AuditEvent(tenant_id="acme", action="a", description='"' * 4_900)
    assert len(line_of(quotes, 5_000)) > 9_000
    with pytest.raises(EventTooLarge) as caught:
        line_of(AuditEvent(tenant_id="acme", action="a", description="ä" * 2_600, before="x"), 5_000)
    assert caught.value.field == "description"
    deep = AuditEvent(tenant_id="acme", action="a", fields={"list": json.loads("[" * 200 + "]" * 200)})
    assert line_of(deep, 5_000)
