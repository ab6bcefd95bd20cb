"""Tests which measurements of an installation lead to which events, and in which log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditlane.access.audit import AuditRecord
from auditlane.contract.intent import OpenCircuit
from auditlane.contract.vocabulary import ACTIONS
from auditlane.observe.conditions import Policy, size
from auditlane.observe.decide import Decision, decide
from auditlane.observe.measurements import Disk, Measurements, TopicLag
from auditlane.observe.state import ObserverState

SHARED = "audit.events"
POLICY = Policy(SHARED, checks=2)
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERY = timedelta(seconds=15)


def run(*found: Measurements, policy: Policy = POLICY, state: ObserverState | None = None) -> list[AuditRecord]:
    """Return the events that result from these checks. Between the checks, the state moves to another process."""
    events: list[AuditRecord] = []
    text = (state or ObserverState()).dump()
    for number, one in enumerate(found):
        decision = decided(ObserverState.parse(text), one, number, policy)
        events += decision.events
        text = decision.state.dump()
    for event in events:
        assert ACTIONS[event.action].required.keys() <= event.metadata.keys(), "as the vocabulary requires"
        assert (event.actor_type, event.resource) == ("system", ACTIONS[event.action].resource)
    return events


def decided(state: ObserverState, found: Measurements, number: int = 0, policy: Policy = POLICY) -> Decision:
    return decide(state, found, policy, now=START + number * EVERY, expiry_within=timedelta(days=14))


def lag(seconds: float, topic: str = SHARED, **given: Any) -> Measurements:
    return Measurements(topics={topic: TopicLag(seconds, int(seconds * 10), **given)})


def names(events: list[AuditRecord]) -> list[str]:
    return [event.action for event in events]


def test_lag_is_detected_once_and_cleared_once() -> None:
    detected, cleared = run(lag(10), lag(61), lag(75, behind=(0, 3)), lag(90), lag(40), lag(20), lag(0), lag(0))
    assert (detected.action, detected.resource_id, detected.outcome, detected.severity) == (
        "lag.detected",
        SHARED,
        "failure",
        None,
    )
    assert detected.occurred_at == START + 2 * EVERY
    assert detected.metadata == {
        "seconds": "75",
        "events": "750",
        "since": "2026-03-01T12:00:15Z",
        "partitions": "0, 3",
    }
    assert (cleared.action, cleared.outcome) == ("lag.cleared", "success")
    assert (cleared.metadata["since"], cleared.metadata["seconds"]) == ("2026-03-01T12:00:15Z", "0")


def test_lag_above_ten_times_the_limit_is_severe() -> None:
    assert [event.severity for event in run(lag(601), lag(601), lag(0), lag(0))] == ["High", None]


def test_what_cannot_be_measured_changes_nothing() -> None:
    unknown, uncertain = Measurements(), lag(0, certain=False)
    assert names(run(lag(61), unknown, uncertain, lag(61), unknown, uncertain, lag(0), unknown, lag(0))) == [
        "lag.detected",
        "lag.cleared",
    ]
    assert names(run(lag(61, certain=False), lag(61, certain=False))) == ["lag.detected"], (
        "it is above the limit anyway"
    )


def test_a_topic_that_is_deleted_is_not_behind() -> None:
    assert names(run(lag(61), lag(61), Measurements(topics={}), Measurements(topics={}))) == [
        "lag.detected",
        "lag.cleared",
    ]


@pytest.mark.parametrize(
    ("topic", "tenant"), [(SHARED, None), (f"{SHARED}.acme", "acme"), (f"{SHARED}.", None), ("audit.eventsx", None)]
)
def test_a_dedicated_topic_concerns_its_tenant(topic: str, tenant: str | None) -> None:
    [event] = run(lag(61, topic), lag(61, topic))
    assert (event.tenant, event.resource_id) == (tenant, topic)


def test_topics_are_independent() -> None:
    both = Measurements(topics={"audit.events": TopicLag(90, 9), "audit.events.acme": TopicLag(0, 0)})
    assert [event.resource_id for event in run(both, both)] == ["audit.events"]


def circuit(**partitions: tuple[str, int]) -> Measurements:
    circuits = {int(name[1:]): OpenCircuit(*one) for name, one in partitions.items()}
    return Measurements(topics={SHARED: TopicLag(0, 0, circuits=circuits)})


def test_an_opened_circuit_is_reported_with_its_numbers_until_it_is_closed() -> None:
    one, two = {"p0": ("FIELD_RULE", 700)}, {"p0": ("FIELD_RULE", 700), "p4": ("NOT_FRAMED", 10)}
    opened, closed = run(circuit(), circuit(**one), circuit(**two), circuit(**two), circuit(), circuit())
    assert (opened.action, opened.resource_id) == ("circuit_breaker.opened", SHARED)
    assert opened.metadata == {
        "code": "FIELD_RULE",
        "count": "700",
        "since": "2026-03-01T12:00:15Z",
        "partitions": "0",
    }
    assert (closed.action, closed.metadata["code"], closed.metadata["count"]) == (
        "circuit_breaker.closed",
        "FIELD_RULE",
        "700",
    )


def test_several_partitions_are_one_event() -> None:
    [opened] = run(circuit(p0=("NOT_FRAMED", 10), p1=("FIELD_RULE", 30), p2=("NOT_FRAMED", 10)))
    assert (opened.metadata["code"], opened.metadata["count"], opened.metadata["partitions"]) == (
        "FIELD_RULE",
        "50",
        "0, 1, 2",
    )


def test_a_circuit_that_opens_again_and_again_is_reported_once_per_gap() -> None:
    opened, closed = circuit(p0=("FIELD_RULE", 700)), circuit()
    assert names(run(*[opened, closed] * 21)) == ["circuit_breaker.opened", "circuit_breaker.closed"] * 2


def disk(free: int) -> Measurements:
    return Measurements(disks={"data folder": Disk(free << 30, 100 << 30)})


def test_a_disk_is_reported_below_a_tenth_free_and_again_above_a_fifth() -> None:
    filling, freed = run(disk(11), disk(9), disk(9), disk(15), disk(15), disk(21), disk(21))
    assert (filling.action, filling.severity, filling.metadata) == (
        "disk.filling",
        None,
        {"left": "9.0 GiB", "total": "100.0 GiB"},
    )
    assert (freed.action, freed.metadata["left"]) == ("disk.freed", "21.0 GiB")
    assert [event.severity for event in run(disk(2), disk(2))] == ["High"]
    assert names(run(disk(0), disk(0))) == ["disk.filling"]


def test_a_full_disk_of_a_store_that_cannot_be_asked_is_reported_once() -> None:
    full = Measurements(disks={"clickhouse:default": Disk(1 << 30, 100 << 30)})
    away = Measurements(disks={"data folder": Disk(90 << 30, 100 << 30)}, all_disks=False)
    policy = Policy(SHARED, checks=2, gap_ms=0)
    assert names(run(*[full] * 3, *[away] * 3, *[full] * 3, policy=policy)) == ["disk.filling"]


def test_an_event_has_the_same_id_wherever_it_is_recorded() -> None:
    first, second = run(lag(61), lag(61)), run(lag(61), lag(61))
    assert first == second
    assert first[0].event_id != run(lag(61), lag(62))[0].event_id


def test_recent_events_pass_to_the_next_observer_for_ten_minutes() -> None:
    state = decided(decided(ObserverState(), lag(61)).state, lag(61), 1).state
    [recent] = ObserverState.parse(state.dump()).recent
    assert (recent.action, recent.occurred_at) == ("lag.detected", START + EVERY)
    assert decided(state, lag(61), 40).state.recent
    assert not decided(state, lag(61), 41).state.recent


def test_a_state_of_another_version_is_read_as_far_as_it_is_known() -> None:
    state = decided(ObserverState(), lag(61)).state
    newer = state.dump()[:-1] + ',"of_later":{"x":1}}'
    assert ObserverState.parse(newer) == state
    assert ObserverState.parse("") == ObserverState()
    with pytest.raises(ValueError, match="JSON"):
        ObserverState.parse("{")


def test_a_quiet_installation_has_a_small_state() -> None:
    topics = {f"{SHARED}.tenant{number}": TopicLag(0.4, 2) for number in range(1_000)}
    assert len(decided(ObserverState(), Measurements(topics=topics)).state.dump()) < 200


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1_023, "1023 B"), (1_536, "1.5 KiB"), (5 << 30, "5.0 GiB"), (3 << 50, "3072.0 TiB")],
)
def test_sizes_are_readable(count: int, text: str) -> None:
    assert size(count) == text
