"""Tests that the worker exposes exactly the listed metrics, and that lag counts uncompleted messages."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from auditlane.contract.intent import Intent
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.metrics import LATE_S, exposed_by
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.consumer_loop import Runner, now_ms
from auditlane.worker.metrics import (
    Lag,
    LagGauge,
    PendingIntents,
    RecentTokens,
    WorkerMetrics,
    broker_figures,
    late_rows,
)
from auditlane.worker.protocol.actions import Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import InFlightRange, PartitionState, Policy, Range, Step
from auditlane.worker.sink.insert_pool import Done

AT = Partition("t", 0)


def state(begin: int, position: int, *timestamps: int) -> PartitionState:
    held = Columns(list(range(begin, begin + len(timestamps))), list(timestamps), [None] * len(timestamps),
                   [b"v"] * len(timestamps))  # fmt: skip
    return PartitionState(AT, "id", 1, begin=begin, position=position, held=held)


def flying(first: int, last: int, timestamp: int) -> PartitionState:
    columns = Columns([first, last], [timestamp, timestamp + 5], [None] * 2, [b"v"] * 2)
    partition_state = state(last + 1, last + 1)
    partition_state.flight = InFlightRange(Range(AT, "id", first, last, columns, "", 1), Step.WRITE)
    return partition_state


def test_exactly_the_listed_metrics_are_created() -> None:
    families = text_string_to_metric_families(WorkerMetrics().render().decode())
    made = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert {name for name in made if not name.endswith("_created")} == exposed_by("worker").keys()


def test_retries_are_counted_by_cause_and_begin_at_zero() -> None:
    text = WorkerMetrics().render().decode()
    for remedy in Remedy:
        assert f'auditlane_worker_retries_total{{class="{remedy.value}",step="insert"}} 0.0' in text
    assert 'auditlane_worker_retries_total{class="retry",step="commit"} 0.0' in text


def test_messages_in_flight_buffered_and_unread_are_lag() -> None:
    measure = LagGauge().measure
    assert measure([state(5, 5)], {AT: 5}, 9_000) == Lag(0, 0.0)
    assert measure([state(5, 7, 4_000, 6_000)], {AT: 7}, 9_000) == Lag(2, 5.0)
    assert measure([flying(2, 4, 1_000)], {AT: 10}, 9_000) == Lag(8, 8.0)
    assert measure([state(5, 7, 4_000, 6_000), flying(2, 4, 8_000)], {}, 9_000) == Lag(5, 5.0)  # ends are not known yet


def test_an_unread_message_ages_from_when_it_was_first_seen() -> None:
    behind = LagGauge()
    assert behind.measure([state(5, 5)], {AT: 6}, 1_000) == Lag(1, 0.0)
    assert behind.measure([state(5, 5)], {AT: 8}, 4_000) == Lag(3, 3.0)
    assert behind.measure([state(8, 8)], {AT: 8}, 5_000) == Lag(0, 0.0)
    assert behind.measure([state(8, 8)], {AT: 9}, 6_000) == Lag(1, 0.0)


def test_a_clock_that_is_behind_kafkas_gives_no_negative_age() -> None:
    assert LagGauge().measure([state(5, 6, 9_500)], {AT: 6}, 9_000) == Lag(1, 0.0)


@pytest.mark.parametrize(
    ("remedy", "level"), [(Remedy.wait, "debug"), (Remedy.look, "warning"), (Remedy.retry, "warning")]
)
def test_waiting_behind_another_insert_is_counted_separately_without_a_warning(remedy: Remedy, level: str) -> None:
    range_ = Range(AT, "id", 0, 0, Columns([0], [1], [None], [b"v"]), "", 1)
    pool = Mock(poll=Mock(return_value=[Done(Write(range_), Failure(remedy, "why"))]))
    metrics = WorkerMetrics()
    consumer, ends = Mock(consume=Mock(return_value=[])), Mock(known={})
    runner = Runner(Core(Policy()), consumer, Mock(), pool, metrics, Failpoints(), ends)
    with capture_logs() as logs:
        runner.turn()
    assert runner.age_s(now_ms() + 130_000) >= 130
    runner.close()
    assert runner.age_s(now_ms() + 130_000) == 0, "a loop that has ended does not stall"
    assert [one["log_level"] for one in logs if one["event"] == "range.failed"] == [level]
    assert f'retries_total{{class="{remedy.value}",step="insert"}} 1.0' in metrics.render().decode()
    assert 'retries_total{class="retry_slower",step="insert"} 0.0' in metrics.render().decode()


def test_late_rows_are_those_stored_too_long_after_their_message() -> None:
    late, timely = 10_000, 10_001
    stored_ms = 10_001 + round(LATE_S * 1_000)
    assert late_rows([late, timely, late], [], stored_ms) == 2
    assert late_rows([late, timely, late], [2], stored_ms) == 1, "a rejected message is not a row"
    assert late_rows([late, timely], [1], stored_ms) == 1
    assert late_rows([timely], [], stored_ms) == 0


def test_tokens_count_for_the_window_of_the_preflight() -> None:
    tokens = RecentTokens()
    tokens.add(3, 0)
    tokens.add(2, 9_999)
    tokens.add(4, 30_000)
    assert tokens.count(30_000) == 9
    assert tokens.count(609_999) == 9
    assert tokens.count(610_000) == 4, "the first ten seconds have left the window"
    assert tokens.count(2_000_000) == 0


def test_a_pending_intent_ages_until_its_range_is_complete() -> None:
    pending = PendingIntents()
    sealed = flying(2, 4, 1_000)
    assert sealed.flight is not None
    sealed.flight.step = Step.INTENT
    assert pending.age_s([sealed], 9_000) == 0, "it is not committed yet"
    sealed.flight.step = Step.WRITE
    assert pending.age_s([sealed], 10_000) == 0
    sealed.flight.step = Step.PUBLISH
    assert pending.age_s([sealed, state(5, 5)], 12_500) == 2.5
    assert pending.age_s([flying(5, 6, 1_000)], 13_000) == 0, "the next range"


def test_an_intent_of_an_earlier_assignment_counts_from_its_commit() -> None:
    pending, rebuilt = PendingIntents(), state(2, 2)
    rebuilt.rebuild = Intent("id", 2, 4, "x", at_ms=4_000)
    assert pending.age_s([rebuilt], 9_000) == 5
    assert pending.age_s([flying(2, 4, 1_000)], 10_000) == 6, "its range is in flight now"


def test_brokers_are_counted_by_state_and_the_slowest_sets_the_round_trip() -> None:
    told = {
        "brokers": {
            "k:1/bootstrap": {"nodeid": -1, "state": "UP", "rtt": {"p99": 9_000_000}},
            "GroupCoordinator": {"nodeid": -1, "state": "UP", "rtt": {"p99": 9_000_000}},
            "k:1/1": {"nodeid": 1, "state": "UP", "rtt": {"p99": 1_500}},
            "k:2/2": {"nodeid": 2, "state": "AUTH_REQ", "rtt": {"p99": 0}},
            "k:3/3": {"nodeid": 3, "state": "DOWN", "rtt": {"p99": 250_000}},
            "k:4/4": {"nodeid": 4, "state": "INIT"},
        }
    }
    figures = broker_figures(told)
    assert figures.states == {"up": 1, "connecting": 1, "down": 1, "idle": 1}
    assert figures.round_trip_s == 0.25
    assert broker_figures({}).states == {"up": 0, "connecting": 0, "down": 0, "idle": 0}
