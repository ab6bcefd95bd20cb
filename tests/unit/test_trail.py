"""Our own audit trail: what a request records, what is counted together, what becomes of it when a part is away."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from serving import HOUR, Served

from auditlane.access.permissions import Permission
from auditlane.access.trail import Action, Deed, NoTrail, Witness, witness_of
from auditlane.runtime.errors import DeliveryFailed, InvalidEvent, RegistryUnavailable
from auditlane.runtime.settings import load
from auditlane.sdk import ClientStats
from auditlane.server import tally, trail
from auditlane.server.own_client import event_of
from auditlane.server.tally import Dated, Tally
from auditlane.server.trail import KafkaTrail

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class Kept:
    """A trail that keeps its deeds."""

    def __init__(self) -> None:
        self.deeds: list[Deed] = []

    def record(self, deed: Deed) -> None:
        self.deeds.append(deed)


def view(actor: str = "jane", **given: Any) -> Deed:
    return Deed(action=Action.viewed, tenant="acme", actor_id=actor, resource="audit_log", **given)


# The interface


def test_a_witness_adds_who_and_where():
    kept = Kept()
    witness = Witness(kept, ip="192.0.2.7", request_id="r-1")
    witness.actor_id, witness.actor_type, witness.tenant, witness.client_id = "jane", "user", "acme", "al_1"
    request = SimpleNamespace(state=SimpleNamespace(witness=witness))
    witness_of(request).record(Action.exported, resource="audit_log", rows=12, format="csv", cursor=None)
    assert kept.deeds == [
        Deed(
            action="audit_log.exported",
            tenant="acme",
            actor_id="jane",
            resource="audit_log",
            metadata={"client": "al_1", "rows": "12", "format": "csv"},
            ip="192.0.2.7",
            request_id="r-1",
        )
    ]
    assert witness.recorded


def test_without_a_middleware_nothing_is_kept():
    witness = witness_of(SimpleNamespace(state=SimpleNamespace()))
    witness.record(Action.viewed)
    assert isinstance(witness.trail, NoTrail)
    assert witness.actor_type == "anonymous"


# What is counted together


def test_reads_of_one_actor_within_a_minute_are_one_event():
    counts = Tally(MINUTE)
    for second in range(5):
        assert not counts.add(view(request_id=f"r-{second}", metadata={"route": "/v1/events"}), T0 + second * SECOND)
    counts.add(view(resource_id="e-1", metadata={"route": "/v1/events/{event_id}"}), T0 + 6 * SECOND)
    counts.add(view("john", request_id="r-9"), T0 + 7 * SECOND)
    assert counts.wakes_at() == T0 + MINUTE
    assert not counts.due(T0 + MINUTE - SECOND)
    [jane] = counts.due(T0 + MINUTE)
    assert jane.at == T0
    assert jane.deed.request_id is jane.deed.resource_id is None
    assert jane.deed.metadata == {
        "route": "/v1/events, /v1/events/{event_id}",
        "count": "6",
        "until": (T0 + 6 * SECOND).isoformat(),
    }
    [john] = counts.flush()
    assert (john.deed.request_id, dict(john.deed.metadata)) == ("r-9", {})
    assert counts.wakes_at() is None


@pytest.mark.parametrize("action", [one for one in Action if one not in (Action.viewed, Action.operated)])
def test_what_changes_or_takes_away_is_an_event_each(action):
    counts = Tally(MINUTE)
    deed = Deed(action=action, tenant="acme")
    assert [counts.add(deed, T0), counts.add(deed, T0)] == [[Dated(deed, T0)]] * 2


def test_refusals_are_counted_by_who_and_where_from():
    counts = Tally(MINUTE)
    for ip in ("192.0.2.1", "192.0.2.2") * 3:
        assert not counts.add(Deed(action=Action.token_refused, outcome="denied", ip=ip), T0)
    assert [(one.deed.ip, one.deed.metadata["count"]) for one in counts.flush()] == [
        ("192.0.2.1", "3"),
        ("192.0.2.2", "3"),
    ]


def test_groups_and_their_details_are_bounded(monkeypatch):
    monkeypatch.setattr(tally, "MOST_WINDOWS", 3)
    counts = Tally(MINUTE)
    ended = [one for n in range(5) for one in counts.add(view(f"u-{n}"), T0 + n * SECOND)]
    assert [one.deed.actor_id for one in ended] == ["u-0", "u-1"]
    for n in range(100):
        counts.add(view("u-4", metadata={"route": f"/{n}"}), T0)
    assert counts.flush()[-1].deed.metadata["route"].count(",") == tally.MOST_VALUES - 1


def test_strangers_from_very_many_addresses_are_one_event(monkeypatch):
    monkeypatch.setattr(tally, "MOST_WINDOWS", 3)
    counts = Tally(MINUTE)
    for n in range(50):
        refused = Deed(action=Action.denied, outcome="denied", actor_type="anonymous", ip=f"192.0.2.{n}")
        assert len(counts.add(refused, T0)) == (n == 3)  # the first one without an address ends the oldest
    ended = counts.flush()
    assert [(one.deed.ip, one.deed.metadata.get("count")) for one in ended] == [
        ("192.0.2.1", None),
        ("192.0.2.2", None),
        (None, "47"),
    ]


def test_a_window_of_nothing_counts_nothing_together():
    assert len(Tally(timedelta(0)).add(view(), T0)) == 1


# Into Kafka, or not


class Emitter:
    """Takes what it is told to take."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.events: list[dict[str, Any]] = []
        self.took = threading.Event()
        self.closed = False
        self.stats = ClientStats()

    def emit(self, /, **values: Any) -> str:
        if self.errors:
            raise self.errors.pop(0)
        self.events.append(values)
        self.took.set()
        return "id"

    def close(self, timeout: float | None = None) -> None:
        self.closed = True


def trail_of(emitter: Emitter, window: timedelta = timedelta(0)) -> tuple[KafkaTrail, Counter[str]]:
    counted: Counter[str] = Counter()

    def count(result: str) -> None:
        counted[result] += 1

    return KafkaTrail(lambda on_error: emitter, window=window, count=count), counted


def test_a_deed_becomes_an_event():
    emitter = Emitter()
    own, counted = trail_of(emitter)
    with own.kept():
        own.record(Deed(action=Action.denied, outcome="denied", actor_id="al_1", ip="192.0.2.1", request_id="r"))
        assert emitter.took.wait(10)
    [event] = emitter.events
    assert (event["tenant_id"], event["action"], event["source"]) == ("_auditlane", "access.denied", "auditlane")
    assert (event["outcome"], event["severity"], event["ip"]) == ("denied", "Medium", "192.0.2.1")
    assert emitter.closed
    assert counted == {"emitted": 1}


def test_an_address_that_is_none_is_left_out():
    assert event_of(Dated(view(ip="testclient"), T0))["ip"] is None
    assert event_of(Dated(view(ip="fe80::1%eth0"), T0))["ip"] is None


def test_the_end_ends_every_group():
    emitter = Emitter()
    own, counted = trail_of(emitter, MINUTE)
    with own.kept():
        for _ in range(3):
            own.record(view())
        assert not emitter.events
    assert [event["metadata"]["count"] for event in emitter.events] == ["3"]
    assert counted == {"emitted": 1}


def test_a_registry_that_is_away_is_waited_for(monkeypatch):
    monkeypatch.setattr(trail, "_RETRY_S", 0.01)
    emitter = Emitter(RegistryUnavailable("It is away."), RegistryUnavailable("It is away."))
    own, counted = trail_of(emitter)
    with own.kept():
        own.record(view())
        own.record(view("john"))
        assert emitter.took.wait(10)
    assert [event["actor_id"] for event in emitter.events] == ["jane", "john"]
    assert counted == {"emitted": 2}


def test_what_a_tenants_contract_refuses_is_kept_under_our_own_tenant():
    emitter = Emitter(InvalidEvent("department must not be empty.", field="department"))
    own, counted = trail_of(emitter)
    with own.kept():
        own.record(view(metadata={"route": "/"}))
        assert emitter.took.wait(10)
    [event] = emitter.events
    assert event["tenant_id"] == "_auditlane"
    assert event["metadata"]["tenant"] == "acme"
    assert event["metadata"]["route"] == "/"
    assert "department" in event["metadata"]["kept_here_because"]
    assert counted == {"emitted": 1}


def test_without_kafka_requests_go_on_and_what_is_lost_is_counted(monkeypatch):
    monkeypatch.setattr(trail, "MOST_QUEUED", 5)
    emitter = Emitter(*[RegistryUnavailable("It is away.")] * 1_000)
    own, counted = trail_of(emitter)
    with own.kept():
        for _ in range(8):
            own.record(view())
    assert counted == {"dropped": 8}
    assert not emitter.events


def test_a_bug_in_one_event_does_not_end_the_trail():
    emitter = Emitter(ZeroDivisionError(), DeliveryFailed("no"))
    own, counted = trail_of(emitter)
    with own.kept():
        for _ in range(3):
            own.record(view())
        assert emitter.took.wait(10)
    assert counted == {"refused": 2, "emitted": 1}


def test_a_service_without_kafka_keeps_nothing_and_says_so():
    with structlog.testing.capture_logs() as logs:
        own = trail.of(load(kafka_bootstrap="127.0.0.1:1"), lambda result: None)
    assert [(one["event"], one["missing"]) for one in logs] == [("trail.off", "AUDITLANE_REGISTRY_URL")]
    assert isinstance(own, NoTrail)
    with own.kept():
        own.record(view())


# What requests record


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """(the service, what it recorded). The store is away: what succeeds here needs none."""
    kept = Kept()
    monkeypatch.setattr("auditlane.server.watch.Witness", lambda _, **given: Witness(kept, **given))
    with Served(tmp_path) as served:
        yield served, kept.deeds


def test_refused_requests_are_recorded(kept):
    served, deeds = kept
    served.request("/v1/events")
    served.request("/v1/events", served.viewer_token("acme", age=HOUR))
    served.request("/v1/export?format=csv", served.viewer_token("acme", Permission.read), x_request_id="r-1")
    served.request("/v1/events", served.client_token("vendor", tenant="acme"), auditlane_tenant="other")
    writer = served.client("writer")
    served.request("/v1/events", served.client_token("writer"), auditlane_tenant="globex")
    assert [(one.action, one.outcome, one.tenant, one.actor_type) for one in deeds] == [
        ("access.denied", "denied", None, "anonymous"),
        ("access.denied", "denied", None, "anonymous"),
        ("access.denied", "denied", "acme", "user"),
        ("access.denied", "denied", "acme", "api_key"),
        ("access.denied", "denied", "globex", "api_key"),
    ]
    assert [one.metadata["code"] for one in deeds] == [
        "UNAUTHENTICATED",
        "TOKEN_EXPIRED",
        "FORBIDDEN",
        "TENANT_FORBIDDEN",
        "FORBIDDEN",
    ]
    assert deeds[2].actor_id == "jane"
    assert deeds[2].request_id == "r-1"
    assert deeds[2].ip == "127.0.0.1"
    assert deeds[2].metadata["route"] == "/v1/export"
    assert writer.secret not in str(deeds)


def test_tokens_and_links_are_recorded(kept):
    served, deeds = kept
    issued = served.client("vendor", "admin")
    key = {"client_id": issued.client.client_id, "secret": issued.secret}
    token = served.request("/v1/token", method="POST", body=key).json()["access_token"]
    served.request("/v1/token", method="POST", body=key | {"secret": "wrong-secret"})
    served.request("/v1/token", method="POST", body={"client_id": "my-password", "secret": "x"})
    body = {"tenant": "acme", "user": "jane", "ttl_s": 60}
    served.request("/v1/viewer-tokens", token, method="POST", body=body)
    link = served.request("/v1/viewer-tokens", token, method="POST", body=body | {"link": True}).json()["link"]
    for _ in range(2):  # it opens once
        served.request(link.removeprefix(served.url))
    assert [(one.action, one.outcome, one.tenant, one.actor_id) for one in deeds] == [
        ("token.issued", "success", None, issued.client.client_id),
        ("token.refused", "denied", None, ""),
        ("token.refused", "denied", None, ""),
        ("viewer_token.issued", "success", "acme", issued.client.client_id),
        ("link.issued", "success", "acme", issued.client.client_id),
        ("link.opened", "success", "acme", "jane"),
        ("access.denied", "denied", None, ""),
    ]
    assert deeds[1].metadata["client"] == issued.client.client_id
    assert deeds[3].metadata["user"] == "jane"
    assert deeds[5].metadata["client"] == issued.client.client_id
    for secret in (issued.secret, "wrong-secret", "my-password", link.partition("code=")[2]):
        assert secret not in str(deeds)


def test_a_store_that_is_away_is_no_deed(kept):
    served, deeds = kept
    assert served.request("/v1/events", served.viewer_token("acme")).status == 503
    assert served.request("/v1/nothing").status == 404
    assert not deeds
