"""Tests the canary's decisions: its results, its pauses, and the installation's health."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest

from auditlane.contract.vocabulary import ACTIONS
from auditlane.observe.canary.canary import Canary
from auditlane.observe.canary.metrics import CanaryMetrics
from auditlane.observe.canary.process import sight_of
from auditlane.observe.canary.trip import (
    Limits,
    Outcome,
    Status,
    Trip,
    arrived,
    complaint,
    given_up,
    look_again_s,
    rest_s,
)
from auditlane.observe.timeline import OPERATIONAL
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.instruments import Instruments
from auditlane.runtime.settings import Settings

LIMITS = Limits(every_s=15, late_s=30, lost_s=300)
ON_TIME = Outcome("visible", "a", 0.1, 0.5)


def test_an_event_is_visible_late_or_lost_by_the_time_it_took() -> None:
    assert [arrived(seconds, LIMITS) for seconds in (0.5, 30.0, 30.1, 299.0)] == ["visible", "visible", "late", "late"]
    assert [given_up(seconds, LIMITS) for seconds in (30.1, 299.9, 300.0)] == [False, False, True]
    assert Limits.of(Settings(canary_late_s=40, canary_lost_s=10)).lost_s == 40


def test_a_frozen_worker_is_noticed_within_a_minute_with_the_default_settings() -> None:
    """In the worst case, the worker freezes just after it has stored an event, so the next event is the first to become
    overdue.
    """
    limits = Limits.of(Settings())
    frozen_s, sent_s = 100.0, 100.0 + limits.every_s
    waiting = Status(frozen_s, Trip("b", sent_s, acknowledged=True), ON_TIME)
    assert complaint(waiting, sent_s + 1, limits) == ""
    assert "acknowledged by Kafka, but it is not visible" in complaint(waiting, frozen_s + 60, limits)


def test_the_complaint_says_how_far_the_event_came_until_one_is_visible_in_time_again() -> None:
    sent = Trip("b", 0.0)
    assert complaint(Status(0.0), 1, LIMITS) == "No event has completed its way yet."
    assert "not acknowledged by Kafka." in complaint(Status(0.0, sent, ON_TIME), 31, LIMITS)
    unreadable = Trip("b", 0.0, acknowledged=True, problem="ClickHouse is away.")
    assert complaint(Status(0.0, unreadable, ON_TIME), 31, LIMITS).endswith("not visible: ClickHouse is away.")
    late = Status(0.0, Trip("c", 40.0), Outcome("late", "b", 0.1, 35.0))
    assert complaint(late, 41, LIMITS) == "The last event was late."
    assert complaint(Status(0.0, None, Outcome("refused", "b", problem="No brokers.")), 41, LIMITS) == "No brokers."
    assert complaint(Status(0.0, None, ON_TIME), 41, LIMITS) == ""


def test_pauses_are_bounded_and_an_interval_has_one_event() -> None:
    assert [look_again_s(waited) for waited in (0.0, 1.0, 10.0, 200.0)] == [0.05, 0.1, 1.0, 2.0]
    assert rest_s(100.0, 100.5, LIMITS) == 14.5
    assert rest_s(100.0, 160.0, LIMITS) == 0.0  # after a late event, the next event follows immediately


def test_the_metrics_go_bad_while_an_event_is_overdue() -> None:
    made = Instruments()
    metrics = CanaryMetrics(made)
    metrics.ended(ON_TIME)
    metrics.ended(Outcome("refused", "b"))

    def text(status: Status | None, now_s: float) -> str:
        metrics.measure(status, now_s, LIMITS)
        return generate_latest(made.registry).decode()

    well = text(Status(100.0, Trip("b", 115.0, acknowledged=True), ON_TIME), 120.0)
    assert "auditlane_canary_up 1.0" in well
    assert "auditlane_canary_success_age_seconds 20.0" in well
    assert 'auditlane_canary_results_total{result="visible"} 1.0' in well
    assert 'auditlane_canary_results_total{result="lost"} 0.0' in well
    assert 'auditlane_canary_visible_seconds_bucket{le="0.5"} 1.0' in well
    assert "auditlane_canary_acknowledged_seconds_count 1.0" in well
    assert "auditlane_canary_up 0.0" in text(Status(100.0, Trip("b", 115.0, acknowledged=True), ON_TIME), 146.0)
    assert "auditlane_canary_up 0.0" in text(None, 146.0)


def test_its_events_are_not_operational_events() -> None:
    assert ACTIONS["canary.sent"].resource == "canary"
    assert "canary.sent" not in OPERATIONAL


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({}, "AUDITLANE_CLICKHOUSE_URL or AUDITLANE_SERVE_URL"),
        ({"serve_url": "http://127.0.0.1:1"}, "AUDITLANE_SIGNING_KEYS_FILE"),
        ({"clickhouse_url": "http://127.0.0.1:1"}, "AUDITLANE_KAFKA_BOOTSTRAP, AUDITLANE_REGISTRY_URL"),
    ],
)
def test_a_missing_setting_is_named(given: dict[str, str], named: str) -> None:
    settings = Settings(**given)
    with pytest.raises(ConfigError, match=named):
        Canary(settings, sight_of(settings))
