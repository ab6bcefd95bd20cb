"""Tests the conversion of posted JSON: defaults, tenants, the ids of repeated requests, and the rate limit of a key."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.permissions import Permission, permissions_of
from auditlane.access.scope import Principal
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.gateway.rate import Rates
from auditlane.gateway.router import sample_event
from auditlane.gateway.sender import Sender, filled, keywords_of
from auditlane.runtime.errors import Forbidden, InvalidEvent, InvalidInput, WrongTenant

TIME = "2026-01-31T13:45:00.123456Z"
ANY = Sender("al_1")
ACME = Sender("al_1", "acme")
BOUND = Sender("al_1", "acme", bound=True)
KEYED = Sender("al_1", "acme", idempotency_key="k1")


def event_of(posted: object, sender: Sender, index: int) -> AuditEvent:
    return AuditEvent.checked(keywords_of(posted, sender, index))


def nested(levels: int) -> list:
    inner: list = []
    for _ in range(levels):
        inner = [inner]
    return inner


def principal(*roles: str, tenant: str | None = None) -> Principal:
    return Principal("client", "al_1", "al_1", tenant, permissions_of(roles), datetime.now(UTC) + timedelta(hours=1))


def test_defaults_of_omitted_fields():
    sender = Sender("al_1", "acme", request_id="r-1")
    event = event_of({"action": "Login", "description": None}, sender, 0)
    assert (event.tenant_id, event.request_id, event.source) == ("acme", "r-1", "al_1")
    assert event.description is None
    assert uuid.UUID(event.event_id).version == 7
    assert event_of({"action": "Login", "request_id": ""}, sender, 0).request_id is None
    posted = event_of({"action": "Login", "request_id": "mine", "source": "billing"}, sender, 0)
    assert (posted.request_id, posted.source) == ("mine", "billing")


def test_custom_fields_may_be_at_the_top_level_or_under_fields():
    both = {"project": "moon", "fields": {"project": "moon"}}
    for posted in ({"project": "moon"}, {"fields": {"project": "moon"}}, both):
        assert event_of({"action": "a"} | posted, ACME, 0).fields == {"project": "moon"}


@pytest.mark.parametrize(
    ("sender", "posted", "error", "field"),
    [
        (ANY, {"action": "a"}, InvalidEvent, "tenant_id"),
        (ANY, {"action": "a", "tenant_id": 7}, InvalidEvent, "tenant_id"),
        (ANY, {"action": "a", "tenant_id": "a b"}, InvalidEvent, "tenant_id"),
        (
            Sender("al_1", idempotency_key="k"),
            {"action": "a", "occurred_at": TIME, "tenant_id": "\ud800"},
            InvalidEvent,
            "tenant_id",
        ),
        (ACME, {"action": "a", "tenant_id": "globex"}, InvalidEvent, "tenant_id"),
        (BOUND, {"action": "a", "tenant_id": "globex"}, WrongTenant, "tenant_id"),
        (ACME, {}, InvalidEvent, "action"),
        (ACME, [], InvalidEvent, ""),
        (ACME, None, InvalidEvent, ""),
        (ACME, {"action": "a", "fields": 1}, InvalidEvent, "fields"),
        (ACME, {"action": "a", "cnt": 1, "fields": {"cnt": 2}}, InvalidEvent, "cnt"),
        (ACME, {"action": "a", "before": {"a": float("inf")}}, InvalidEvent, "before"),
        (ACME, {"action": "a", "after": nested(2_000)}, InvalidEvent, "after"),
        (ACME, {"action": "  \t"}, InvalidEvent, "action"),
        (ACME, {"action": "a", "metadata": {"a": 1}}, InvalidEvent, "metadata.a"),
        (ACME, {"action": "a", "occurred_at": 1_700_000_000}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "occurred_at": "1700000000"}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "occurred_at": "9999-12-31T23:59:59-05:00"}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "occurred_at": "0001-01-01T00:00:00+05:00"}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "occurred_at": "2026-01-31"}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "event_id": str(uuid.uuid4())}, InvalidEvent, "occurred_at"),
        (ACME, {"action": "a", "event_id": "7", "occurred_at": TIME}, InvalidEvent, "event_id"),
        (KEYED, {"action": "a"}, InvalidEvent, "occurred_at"),
    ],
)
def test_invalid_events_are_refused(sender, posted, error, field):
    with pytest.raises(error) as caught:
        event_of(posted, sender, 0)
    assert caught.value.field == field


def test_an_idempotency_key_repeats_the_ids():
    posted = {"action": "a", "occurred_at": TIME}
    ids = [event_of(posted, KEYED, index).event_id for index in range(3)]
    assert len(set(ids)) == 3
    assert ids == [event_of(posted, KEYED, index).event_id for index in range(3)]
    for other in (
        Sender("al_2", "acme", idempotency_key="k1"),
        Sender("al_1", "globex", idempotency_key="k1"),
        Sender("al_1", "acme", idempotency_key="k2"),
    ):
        assert event_of(posted, other, 0).event_id not in ids
    given_id = str(uuid.uuid4())
    assert event_of(posted | {"event_id": given_id}, KEYED, 0).event_id == given_id


def test_the_tenants_a_sender_may_name():
    assert Sender.of(principal("writer"), None).tenant is None
    assert Sender.of(principal("writer"), "acme") == Sender("al_1", "acme")
    assert Sender.of(principal("writer", tenant="acme"), None) == BOUND
    with pytest.raises(WrongTenant):
        Sender.of(principal("writer", tenant="acme"), "globex")
    with pytest.raises(Forbidden, match=Permission.write):
        Sender.of(principal("auditor"), "acme")
    with pytest.raises(InvalidInput, match="reserved"):
        Sender.of(principal("writer"), "_auditlane")
    for key in ("x" * 256, "ä", "a\nb"):
        with pytest.raises(InvalidInput, match="Idempotency-Key"):
            Sender.of(principal("writer"), "acme", idempotency_key=key)


def test_a_client_waits_until_its_debt_is_paid():
    rates = Rates(per_s=10, burst=20)
    assert rates.wait_s("a", 0) == 0
    rates.charge("a", 120, 0)  # a single request may exceed the burst
    assert rates.wait_s("a", 0) == pytest.approx(10.1)
    assert rates.wait_s("b", 0) == 0
    assert rates.wait_s("a", 10) == pytest.approx(0.1)
    assert rates.wait_s("a", 10.2) == 0
    assert Rates(per_s=0, burst=1).wait_s("a", 0) == 0


def test_a_test_event_is_the_same_for_every_sender():
    sent = sample_event("jane", "user", {"order_number": "DE-17", "fields": {"total": 3}, "nothing": None})
    assert sent["fields"] == {"order_number": "DE-17", "total": 3}
    plain = sample_event("jane", "user", {})
    assert plain == sent | {"fields": {}} == sample_event("jane", "user", {"fields": None})
    assert not plain.keys() & {"event_id", "occurred_at", "tenant_id", "request_id", "metadata", "ip"}
    event = event_of(plain, Sender("test:jane", "acme", bound=True), 0)
    assert (event.tenant_id, event.actor_id, event.action) == ("acme", "jane", "auditlane.test")


@pytest.mark.parametrize("name", BASE_FIELDS)
@pytest.mark.parametrize("value", ["x", None, {}])
@pytest.mark.parametrize("within", [False, True])
def test_no_value_of_a_test_event_can_be_chosen(name: str, value: object, within: bool):
    body = {"order_number": "DE-17", "fields": {name: value}} if within else {"order_number": "DE-17", name: value}
    with pytest.raises(InvalidEvent, match=f"{name} cannot be set for a test event") as caught:
        sample_event("jane", "user", body)
    assert caught.value.field == name


@pytest.mark.parametrize("fields", ["x", 3, [{"actor_id": "x"}]])
def test_the_fields_of_a_test_event_are_an_object(fields: object):
    with pytest.raises(InvalidEvent, match="fields must be an object"):
        sample_event("jane", "user", {"fields": fields})


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 50)), min_size=1))
def test_over_time_no_sender_exceeds_the_rate(sent):
    rates, now, taken, last = Rates(per_s=10, burst=20), 0.0, 0, 0
    for pause, events in sent:
        now += pause
        if not rates.wait_s("a", now):
            rates.charge("a", events, now)
            taken, last = taken + events, events
    assert taken - last <= 20 + 10 * now + 1e-6


@pytest.mark.parametrize(
    ("posted", "named"),
    [
        ({"action": "a"}, ("request_id", "source")),
        ({"action": "a", "source": None, "request_id": "r"}, ("source",)),
        ({"action": "a", "source": ""}, ("request_id",)),
        ({"action": "a", "request_id": ""}, ("source",)),
        ({"action": "a", "source": "s", "request_id": "r"}, ()),
        ("no object", ()),
    ],
)
def test_fields_the_sender_did_not_set_are_listed(posted: object, named: tuple[str, ...]) -> None:
    assert filled(posted, Sender("billing", "acme", request_id="r-1")) == named


def test_a_user_of_another_issuer_is_not_mistaken_for_a_client() -> None:
    assert Sender("billing", external=True).provenance_id == "oidc:billing"
    assert Sender("billing").provenance_id == "billing"


@pytest.mark.parametrize("more", [{}, {"event_id": str(uuid.uuid4())}])
def test_a_number_in_text_is_refused_as_the_number_is(more):
    messages = set()
    for time in (1_700_000_000, "1700000000", "1700000000.5", " 1.7e9"):
        with pytest.raises(InvalidEvent) as caught:
            event_of({"action": "a", "occurred_at": time} | more, ACME, 0)
        messages.add(caught.value.message)
    assert messages == {"The event is not valid: occurred_at: must be text, such as 2024-05-01T12:00:00Z"}
