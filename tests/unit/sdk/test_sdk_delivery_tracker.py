"""Tests which events a flush waits for, and what it returns."""

from __future__ import annotations

import threading

import pytest

from auditlane.runtime.errors import ClientClosed, DeliveryFailed, KafkaUnavailable
from auditlane.sdk.delivery_tracker import KEPT_FAILURES, DeliveryTracker
from auditlane.sdk.results import Failure, FlushResult

FAILURE = Failure("id", "acme", DeliveryFailed("Event id was not delivered.", fix="Emit it again."))


def test_a_flush_waits_for_earlier_events_only():
    tracker = DeliveryTracker()
    before = tracker.open()
    results: list[FlushResult] = []
    flushing = threading.Thread(target=lambda: results.append(tracker.flush(30)))
    flushing.start()
    while tracker.open() == before:  # repeats until the flush has ended the epoch
        pass
    tracker.settle(before, None)
    while before.open:
        tracker.settle(before, None)
    flushing.join(30)
    [result] = results
    assert result
    assert result.delivered >= 1
    assert tracker.pending == 1


def test_a_flush_reports_each_result_once():
    tracker = DeliveryTracker()
    for failure in (None, None, FAILURE):
        tracker.settle(tracker.open(), failure)
    left = tracker.open()
    first = tracker.flush(0)
    assert (first.delivered, first.failed_count, first.failed, first.pending) == (2, 1, (FAILURE,), 1)
    tracker.settle(left, None)
    assert tracker.flush(0) == FlushResult(1, 0, (), 0)
    assert (tracker.emitted, tracker.delivered, tracker.failed) == (4, 3, 1)


def test_the_kept_failures_are_bounded_and_all_are_counted():
    tracker = DeliveryTracker()
    for _ in range(KEPT_FAILURES + 10):
        tracker.settle(tracker.open(), FAILURE)
    result = tracker.flush(0)
    assert (result.failed_count, len(result.failed)) == (KEPT_FAILURES + 10, KEPT_FAILURES)


def test_a_withdrawn_event_does_not_count():
    tracker = DeliveryTracker()
    tracker.withdraw(tracker.open())
    assert tracker.flush(0) == FlushResult(0, 0, (), 0)
    assert tracker.emitted == 0


def test_no_event_is_accepted_after_a_sealing_flush():
    tracker = DeliveryTracker()
    tracker.flush(0, seal=True)
    with pytest.raises(ClientClosed):
        tracker.open()


def test_the_error_has_the_first_reason_and_the_counts():
    with pytest.raises(DeliveryFailed, match="1 events failed, 2 are not") as caught:
        FlushResult(0, 1, (FAILURE,), 2).raise_for_failure()
    assert caught.value.fix == "Emit it again."
    with pytest.raises(KafkaUnavailable, match="away"):
        FlushResult(0, 0, (), 1, KafkaUnavailable("Kafka is away.")).raise_for_failure()
    with pytest.raises(DeliveryFailed, match="in time"):
        FlushResult(0, 0, (), 1).raise_for_failure()
    FlushResult(5, 0, (), 0).raise_for_failure()


def test_acknowledged_events_can_be_settled_together():
    tracker = DeliveryTracker()
    epochs = [tracker.open(size) for size in (10, 20, 30)]
    tracker.settle_all(epochs[0], 2, 30)
    assert (tracker.pending, tracker.pending_bytes, tracker.delivered) == (1, 30, 2)
    result = tracker.flush(0)
    assert (result.delivered, result.pending) == (2, 1)
    tracker.settle_all(epochs[0], 1, 30)
    assert tracker.flush(0) == FlushResult(1, 0, (), 0)
    assert (tracker.pending, tracker.pending_bytes) == (0, 0)
