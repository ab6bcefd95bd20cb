"""The worker's instruments are those listed in one place, and lag counts uncompleted messages."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from structlog.testing import capture_logs

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.metrics import METRICS
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.consumer_loop import Runner
from auditlane.worker.metrics import Lag, LagGauge, WorkerMetrics
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
    one = state(last + 1, last + 1)
    one.flight = InFlightRange(Range(AT, "id", first, last, columns, "", 1), Step.WRITE)
    return one


def test_exactly_the_listed_metrics_are_created() -> None:
    listed = {one.name for one in METRICS if one.name.startswith("auditlane_worker_")}
    made = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in WorkerMetrics().registry.collect()
    }
    assert made == listed


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
    assert measure([state(5, 7, 4_000, 6_000), flying(2, 4, 8_000)], {}, 9_000) == Lag(5, 5.0)  # ends not known yet


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
    assert [one["log_level"] for one in logs if one["event"] == "range.failed"] == [level]
    assert f'retries_total{{class="{remedy.value}",step="insert"}} 1.0' in metrics.render().decode()
    assert 'retries_total{class="retry_slower",step="insert"} 0.0' in metrics.render().decode()
