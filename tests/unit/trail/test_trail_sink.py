"""Tests auditlane's own audit trail: records of requests, aggregation, and outages."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
from fixtures.workers import wait_until

from auditlane.access.audit import Action, AuditRecord, NullAuditSink, RequestAuditor, auditor_of
from auditlane.contract.event import AuditEvent
from auditlane.contract.vocabulary import ACTIONS
from auditlane.runtime.errors import AuditlaneError, DeliveryFailed, InvalidEvent, RegistryUnavailable
from auditlane.runtime.ids import uuid7
from auditlane.runtime.settings import load
from auditlane.sdk.transport import OnSettled
from auditlane.trail import aggregation, sink
from auditlane.trail.aggregation import AuditAggregator, DatedRecord
from auditlane.trail.events import events_of
from auditlane.trail.sink import KafkaAuditSink
from auditlane.trail.spooling import Drained, FileSpool, NoSpool, Send, Spool, record_of

T0 = datetime(2026, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


class RecordingSink:
    """A sink that keeps its records."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []

    def record(self, record: AuditRecord) -> None:
        self.records.append(record)


def view(actor: str = "jane", **overrides: Any) -> AuditRecord:
    return AuditRecord(action=Action.viewed, tenant="acme", actor_id=actor, resource="audit_log", **overrides)


# The interface


def test_a_request_auditor_adds_actor_and_address():
    kept = RecordingSink()
    auditor = RequestAuditor(kept, ip="192.0.2.7", request_id="r-1")
    auditor.actor_id, auditor.actor_type, auditor.tenant, auditor.client_id = "jane", "user", "acme", "al_1"
    request = SimpleNamespace(state=SimpleNamespace(auditor=auditor))
    auditor_of(request).record(Action.exported, resource="audit_log", rows=12, format="csv", cursor=None)
    assert kept.records == [
        AuditRecord(
            action="audit_log.exported",
            tenant="acme",
            actor_id="jane",
            resource="audit_log",
            metadata={"client": "al_1", "rows": "12", "format": "csv"},
            ip="192.0.2.7",
            request_id="r-1",
        )
    ]
    assert auditor.recorded


def test_without_a_middleware_nothing_is_kept():
    auditor = auditor_of(SimpleNamespace(state=SimpleNamespace()))
    auditor.record(Action.viewed)
    assert isinstance(auditor.sink, NullAuditSink)
    assert auditor.actor_type == "anonymous"


# Aggregation


def test_reads_of_one_actor_within_a_minute_are_one_event():
    counts = AuditAggregator(MINUTE)
    for second in range(5):
        assert not counts.add(view(request_id=f"r-{second}", metadata={"route": "/v1/events"}), T0 + second * SECOND)
    counts.add(view(resource_id="e-1", metadata={"route": "/v1/events/{event_id}"}), T0 + 6 * SECOND)
    counts.add(view("john", request_id="r-9"), T0 + 7 * SECOND)
    assert counts.wakes_at() == T0 + MINUTE
    assert not counts.due(T0 + MINUTE - SECOND)
    [jane] = counts.due(T0 + MINUTE)
    assert jane.at == T0
    assert jane.record.request_id is jane.record.resource_id is None
    assert jane.record.metadata == {
        "route": "/v1/events, /v1/events/{event_id}",
        "count": "6",
        "until": (T0 + 6 * SECOND).isoformat(),
    }
    [john] = counts.flush()
    assert (john.record.request_id, dict(john.record.metadata)) == ("r-9", {})
    assert counts.wakes_at() is None


AGGREGATED = (Action.viewed, Action.operated, Action.viewer_token_issued)


@pytest.mark.parametrize("action", [one for one in Action if one not in AGGREGATED])
def test_each_change_and_each_export_is_an_event_of_its_own(action):
    counts = AuditAggregator(MINUTE)
    record = AuditRecord(action=action, tenant="acme")
    assert [counts.add(record, T0), counts.add(record, T0)] == [[DatedRecord(record, T0)]] * 2


def token(user: str = "jane", permissions: str = "audits:read", **overrides: Any) -> AuditRecord:
    granted = {"user": user, "permissions": permissions, "ttl_s": "900"}
    shared = {"actor_id": "al_1", "actor_type": "api_key", "actor_name": "backend", "resource": "viewer_token"}
    shared |= {"tenant": "acme"}
    return AuditRecord(action=Action.viewer_token_issued, metadata=granted, **(shared | overrides))


def test_the_first_viewer_token_is_an_event_at_once_and_the_renewals_of_each_hour_are_one_event():
    counts = AuditAggregator(MINUTE)
    [first] = counts.add(token(request_id="r-0"), T0)
    assert (first.at, first.record) == (T0, token(request_id="r-0"))
    for renewal in range(1, 8):  # an open page, every quarter of an hour
        at = T0 + renewal * 15 * MINUTE
        due = counts.due(at)
        assert len(due) == (renewal == 4)
        for event in due:
            assert (event.at, event.record.actor_name, event.record.request_id) == (T0 + 15 * MINUTE, "backend", None)
            counted = {"count": "3", "until": (T0 + 45 * MINUTE).isoformat()}
            assert event.record.metadata == token().metadata | counted
        assert counts.add(token(request_id=f"r-{renewal}"), at) == []
    [second] = counts.due(T0 + 120 * MINUTE)
    assert (second.at, second.record.metadata["count"]) == (T0 + 60 * MINUTE, "4")
    assert counts.due(T0 + 180 * MINUTE) == []  # the page has been closed
    assert len(counts.add(token(), T0 + 180 * MINUTE)) == 1
    assert counts.flush() == []


def test_viewer_tokens_that_grant_something_else_are_events_of_their_own():
    counts = AuditAggregator(MINUTE)
    others = [token("john"), token(permissions="audits:export audits:read"), token(actor_id="al_2"), token(tenant="b")]
    assert [len(counts.add(record, T0)) for record in (token(), *others)] == [1] * 5
    assert len(AuditAggregator(timedelta(0)).add(token(), T0)) == 1


def test_no_viewer_token_is_lost_when_a_group_ends_early(monkeypatch):
    monkeypatch.setattr(aggregation, "MAX_WINDOWS", 2)
    counts, events = AuditAggregator(MINUTE), list[DatedRecord]()
    for user in ("jane", "jane", "jane", "john", "jill", "jane"):
        events += counts.add(token(user), T0)
    events += counts.flush()
    sent = Counter[str]()
    for event in events:
        sent[event.record.metadata["user"]] += int(event.record.metadata.get("count", 1))
    assert sent == {"jane": 4, "john": 1, "jill": 1}


def test_a_read_wakes_the_thread_before_the_hour_of_a_viewer_token():
    counts = AuditAggregator(MINUTE)
    counts.add(token(), T0)
    assert counts.wakes_at() == T0 + aggregation.RENEWALS
    counts.add(view(), T0)
    assert counts.wakes_at() == T0 + MINUTE


def test_a_record_keeps_the_time_and_the_id_that_it_states():
    [stated] = AuditAggregator(MINUTE).add(AuditRecord(action="a", occurred_at=T0, event_id="e-1"), T0 + MINUTE)
    [other] = AuditAggregator(MINUTE).add(AuditRecord(action="a"), T0 + MINUTE)
    assert (stated.at, stated.event_id) == (T0, "e-1")
    assert (other.at, len(other.event_id)) == (T0 + MINUTE, 36)


def test_denials_are_grouped_by_actor_and_address():
    counts = AuditAggregator(MINUTE)
    for ip in ("192.0.2.1", "192.0.2.2") * 3:
        assert not counts.add(AuditRecord(action=Action.token_refused, outcome="denied", ip=ip), T0)
    assert [(one.record.ip, one.record.metadata["count"]) for one in counts.flush()] == [
        ("192.0.2.1", "3"),
        ("192.0.2.2", "3"),
    ]


def test_groups_and_their_details_are_bounded(monkeypatch):
    monkeypatch.setattr(aggregation, "MAX_WINDOWS", 3)
    counts = AuditAggregator(MINUTE)
    ended = [one for n in range(5) for one in counts.add(view(f"u-{n}"), T0 + n * SECOND)]
    assert [one.record.actor_id for one in ended] == ["u-0", "u-1"]
    for n in range(100):
        counts.add(view("u-4", metadata={"route": f"/{n}"}), T0)
    assert counts.flush()[-1].record.metadata["route"].count(",") == aggregation.MAX_VALUES - 1


def test_unauthenticated_requests_from_many_addresses_are_one_event(monkeypatch):
    monkeypatch.setattr(aggregation, "MAX_WINDOWS", 3)
    counts = AuditAggregator(MINUTE)
    for n in range(50):
        refused = AuditRecord(action=Action.denied, outcome="denied", actor_type="anonymous", ip=f"192.0.2.{n}")
        assert len(counts.add(refused, T0)) == (n == 3)  # the first request without an address ends the oldest group
    ended = counts.flush()
    assert [(one.record.ip, one.record.metadata.get("count")) for one in ended] == [
        ("192.0.2.1", None),
        ("192.0.2.2", None),
        (None, "47"),
    ]


def test_a_window_of_zero_groups_nothing():
    assert len(AuditAggregator(timedelta(0)).add(view(), T0)) == 1


# Delivery to Kafka, to a file, or not at all


class Emitter:
    """Accepts the configured events. It acknowledges them immediately, or when `answer` is called."""

    def __init__(self, *errors: Exception, answers: bool = True) -> None:
        self.errors = list(errors)
        self.answers = answers
        self.events: list[AuditEvent] = []
        self.open: list[OnSettled] = []
        self.took = threading.Event()
        self.closed = False

    def send(self, event: AuditEvent, on_settled: OnSettled) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.events.append(event)
        self.open.append(on_settled)
        if self.answers:
            self.answer()
        self.took.set()

    def answer(self, error: AuditlaneError | None = None) -> None:
        waiting, self.open = self.open, []
        for settled in waiting:
            settled(error)

    def close(self, timeout_s: float) -> None:
        self.closed = True
        self.answer(DeliveryFailed("Closed before Kafka took it."))

    @property
    def reported(self) -> list[tuple[str, str]]:
        return [(event.tenant_id, event.actor_id) for event in self.events]


class MemorySpool:
    """Keeps at most `most` records in memory."""

    def __init__(self, most: int = 10**9) -> None:
        self.most = most
        self.records: list[bytes] = []

    def append(self, records: Sequence[bytes]) -> int:
        room = self.most - len(self.records)
        self.records += records[:room]
        return min(room, len(records))

    def drain(self, send: Send) -> Drained:
        batch, self.records = self.records, []
        if batch and not send(batch):
            self.records = batch + self.records
            return Drained(complete=False)
        return Drained(sent=len(batch))

    def size(self) -> int:
        return sum(map(len, self.records))

    @property
    def events(self) -> list[AuditEvent]:
        return [AuditEvent.model_validate_json(one) for one in self.records]


def trail_of(
    emitter: Emitter, spool: Spool | None = None, window: timedelta = timedelta(0), reserve: Spool | None = None
) -> tuple[KafkaAuditSink, Counter[str]]:
    counted: Counter[str] = Counter()

    def count(result: str) -> None:
        counted[result] += 1

    kept = spool or NoSpool()
    made = KafkaAuditSink(
        lambda on_error: emitter, kept, window=window, max_event_bytes=524_288, count=count, reserve=reserve
    )
    return made, counted


def away(times: int = 10_000) -> list[Exception]:
    return [RegistryUnavailable("It is away.")] * times


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(sink, "_RETRY_S", 0.01)


def test_a_record_becomes_an_event():
    emitter = Emitter()
    own, counted = trail_of(emitter)
    with own.running():
        own.record(AuditRecord(action=Action.denied, outcome="denied", actor_id="al_1", ip="192.0.2.1", request_id="r"))
        assert emitter.took.wait(10)
    [event] = emitter.events
    assert (event.tenant_id, event.action, event.source) == ("_auditlane", "access.denied", "auditlane")
    assert (event.outcome, event.severity, event.ip) == ("denied", "Medium", "192.0.2.1")
    assert emitter.closed
    assert counted == {"emitted": 1}


def test_a_tenants_record_goes_into_both_logs():
    emitter = Emitter()
    own, counted = trail_of(emitter)
    with own.running():
        own.record(view(metadata={"route": "/"}))
        assert emitter.took.wait(10)
    ours, theirs = emitter.events
    assert (ours.tenant_id, theirs.tenant_id) == ("_auditlane", "acme")
    assert ours.metadata == theirs.metadata | {"tenant": "acme"}
    assert counted == {"emitted": 2}


def test_an_invalid_address_is_omitted():
    for ip in ("testclient", "fe80::1%eth0"):
        assert {event.ip for event in events_of(view(ip=ip), at=T0, event_id=uuid7())} == {None}


def test_closing_ends_every_group():
    emitter = Emitter()
    own, counted = trail_of(emitter, window=MINUTE)
    with own.running():
        for _ in range(3):
            own.record(view())
        assert not emitter.events
    assert [event.metadata["count"] for event in emitter.events] == ["3", "3"]
    assert counted == {"emitted": 2}


def test_records_wait_for_an_unavailable_registry():
    emitter = Emitter(*away(2))
    own, counted = trail_of(emitter)
    with own.running():
        own.record(view())
        own.record(view("john"))
        assert emitter.took.wait(10)
    assert emitter.reported == [("_auditlane", "jane"), ("acme", "jane"), ("_auditlane", "john"), ("acme", "john")]
    assert counted == {"emitted": 4}


def test_unsent_records_are_spooled_and_sent_by_the_next_process():
    spool, emitter = MemorySpool(), Emitter(*away())
    own, counted = trail_of(emitter, spool, window=MINUTE)
    with own.running():
        own.record(view())
        own.record(AuditRecord(action=Action.exported, tenant="acme", actor_id="jane"))
    assert not emitter.events
    assert counted == {"spooled": 4}
    left = spool.events
    assert sorted((one.tenant_id, one.action) for one in left) == sorted(
        (tenant, action) for tenant in ("_auditlane", "acme") for action in (Action.viewed, Action.exported)
    )
    later = Emitter()
    own, counted = trail_of(later, spool)
    with own.running():
        assert later.took.wait(10)
        wait_until(lambda: not spool.records)
    assert later.events == left, "with the same ids and times, so that duplicates collapse"
    assert counted == {"emitted": 4}


def test_unacknowledged_records_are_spooled_at_the_end():
    spool, emitter = MemorySpool(), Emitter(answers=False)
    own, counted = trail_of(emitter, spool)
    with own.running():
        own.record(view())
        wait_until(lambda: len(emitter.events) == 2)
        assert not counted
    assert spool.events == emitter.events
    assert counted == {"spooled": 2}


def test_records_that_kafka_returned_are_sent_again():
    spool, emitter = MemorySpool(), Emitter(answers=False)
    own, counted = trail_of(emitter, spool)
    with own.running():
        own.record(view())
        wait_until(lambda: len(emitter.events) == 2)
        emitter.answers = True
        emitter.answer(DeliveryFailed("Too late."))
        wait_until(lambda: len(spool.records) == 2)
    assert counted == {"undelivered": 2, "spooled": 2}
    again = Emitter()
    own, _ = trail_of(again, spool)
    with own.running():
        wait_until(lambda: not spool.records)
    assert again.events == emitter.events


def test_the_spool_is_kept_during_an_outage_without_duplicates():
    spool, emitter = MemorySpool(), Emitter(answers=False)
    spool.append([record_of(one) for one in events_of(view(), at=T0, event_id=uuid7())])
    before = list(spool.records)
    own, counted = trail_of(emitter, spool)
    with own.running():
        wait_until(lambda: len(emitter.events) == 2)
    assert spool.records == before
    assert not counted


def test_an_invalid_spooled_record_is_counted_and_reported():
    spool, emitter = MemorySpool(), Emitter()
    spool.append([b"{}"])
    own, counted = trail_of(emitter, spool)
    with own.running():
        wait_until(lambda: counted["dropped"] == 1)
    assert [(one.action, one.metadata["actions"]) for one in spool.events] == [("events.dropped", "unknown: 1")]


def test_records_beyond_the_memory_limit_are_spooled(monkeypatch):
    monkeypatch.setattr(sink, "MAX_QUEUED", 20)
    spool, emitter = MemorySpool(), Emitter(*away(10**6))
    own, counted = trail_of(emitter, spool)
    with own.running():
        for number in range(100):
            own.record(view(f"u-{number}"))
            wait_until(lambda: len(own._queue) < 20)
    assert [one.actor_id for one in spool.events] == [f"u-{number}" for number in range(100) for _ in range(2)]
    assert counted == {"spooled": 200}


def test_events_beyond_the_spool_limit_are_counted_and_reported_in_one_event(monkeypatch):
    monkeypatch.setattr(sink, "MAX_QUEUED", 5)
    spool, reserve, emitter = MemorySpool(3), MemorySpool(1), Emitter(*away(10**6))
    own, counted = trail_of(emitter, spool, reserve=reserve)
    with own.running():
        for _ in range(8):
            own.record(view())
    [reported] = reserve.events
    assert (reported.tenant_id, reported.action, reported.outcome) == ("_auditlane", "events.dropped", "failure")
    assert ACTIONS[reported.action].required.keys() <= reported.metadata.keys()
    assert int(reported.metadata["count"]) == counted["dropped"] > 0
    assert reported.metadata["actions"] == f"audit_log.viewed: {counted['dropped']}"
    assert len(spool.records) == 3


def changed(tenant: str, number: int = 0) -> AuditRecord:
    return AuditRecord(action="structure.changed", actor_id=f"{tenant}-{number}", tenant=tenant, description="x" * 500)


def test_one_tenants_records_give_way_to_the_others_in_memory(monkeypatch):
    monkeypatch.setattr(sink, "MAX_QUEUED", 20)
    own, counted = trail_of(Emitter())
    for number in range(50):
        own.record(changed("acme", number))
    assert counted == {"dropped": 30}, "alone, it may use the whole limit"
    for number in range(10):
        own.record(changed(f"t{number}", number))
    waiting = Counter(one.record.tenant for one in own._queue)
    assert waiting == {"acme": 10} | {f"t{number}": 1 for number in range(10)}
    monkeypatch.setattr(sink, "MAX_BYTES", own._queued_bytes)
    large = AuditRecord(action="structure.changed", actor_id="u", tenant="acme", description="x" * 3_000)
    own.record(large)
    assert large not in [one.record for one in own._queue]


def test_one_tenants_large_records_give_way_to_the_others_in_memory(monkeypatch):
    monkeypatch.setattr(sink, "MAX_BYTES", 100_000)
    own, _ = trail_of(Emitter())
    for number in range(50):
        own.record(
            AuditRecord(action="structure.changed", actor_id=str(number), tenant="acme", description="x" * 9_000)
        )
    for number in range(40):
        own.record(changed(f"t{number}", number))
    assert len({one.record.tenant for one in own._queue}) == 41


def test_one_tenants_records_leave_the_others_half_of_the_files(monkeypatch, tmp_path):
    monkeypatch.setattr(sink, "MAX_QUEUED", 20)
    most, counted = 100_000, Counter()
    spool = FileSpool(tmp_path, most_bytes=most)
    own = sink.KafkaAuditSink(
        lambda on_error: Emitter(*away(10**6)), spool, window=timedelta(0), max_event_bytes=524_288,
        count=lambda result: counted.update([result]), spool_bytes=most,
    )  # fmt: skip
    with own.running():
        for number in range(300):
            own.record(changed("acme", number))
            wait_until(lambda: len(own._queue) < 20)
        assert most // 3 < spool.size() <= most // 2
        assert counted["dropped"] > 0
        for number in range(20):
            own.record(changed(f"t{number}", number))
            wait_until(lambda: len(own._queue) < 20)
    kept: list[bytes] = []
    spool.drain(lambda records: bool(kept.extend(records)) or True)
    tenants = {AuditEvent.model_validate_json(one).tenant_id for one in kept}
    assert tenants >= {f"t{number}" for number in range(20)}


def test_dropped_events_are_reported_once_kafka_accepts_events_again(monkeypatch):
    monkeypatch.setattr(sink, "MAX_QUEUED", 5)
    emitter = Emitter(*away(10**6))
    own, counted = trail_of(emitter)
    with own.running():
        for _ in range(20):
            own.record(view())
        emitter.errors.clear()
        wait_until(lambda: any(event.action == Action.events_dropped for event in emitter.events))
    assert counted["dropped"] > 0


def test_an_event_that_the_client_rejects_is_kept_and_blocks_no_other():
    spool, emitter = MemorySpool(), Emitter(InvalidEvent("no"), ZeroDivisionError())
    own, counted = trail_of(emitter, spool)
    with own.running():
        for name in ("jane", "john"):
            own.record(AuditRecord(action="key.created", actor_id=name))
        assert emitter.took.wait(10)
    assert [name for _, name in emitter.reported] == ["john"]
    assert [one.actor_id for one in spool.events] == ["jane"]
    assert counted == {"refused": 1, "emitted": 1, "spooled": 1}


def test_a_record_after_closing_is_spooled():
    spool = MemorySpool()
    own, _ = trail_of(Emitter(), spool)
    with own.running():
        pass
    own.record(view())
    assert len(spool.records) == 2


def test_a_service_without_kafka_keeps_no_records_and_logs_that():
    with structlog.testing.capture_logs() as logs:
        own = sink.from_settings(load(kafka_bootstrap="127.0.0.1:1"), lambda result: None)
    missing = "AUDITLANE_REGISTRY_URL, AUDITLANE_PROVENANCE_KEYS_FILE"
    assert [(one["event"], one["missing"]) for one in logs] == [("trail.off", missing)]
    assert isinstance(own, NullAuditSink)
    with own.running():
        own.record(view())
