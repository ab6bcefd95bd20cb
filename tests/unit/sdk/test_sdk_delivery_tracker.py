"""What a flush waits for, and what it tells."""

from __future__ import annotations

import threading

import pytest

from auditlane.runtime.errors import ClientClosed, DeliveryFailed, KafkaUnavailable
from auditlane.sdk.delivery_tracker import KEPT_FAILURES, Ledger
from auditlane.sdk.results import Failure, FlushResult

FAILURE = Failure("id", "acme", DeliveryFailed("Event id was not delivered.", fix="Emit it again."))


def test_a_flush_waits_for_what_came_before_it_only():
    ledger = Ledger()
    before = ledger.open()
    results: list[FlushResult] = []
    flushing = threading.Thread(target=lambda: results.append(ledger.flush(30)))
    flushing.start()
    while ledger.open() == before:  # until the flush has ended the epoch
        pass
    ledger.settle(before, None)
    while before.open:
        ledger.settle(before, None)
    flushing.join(30)
    [result] = results
    assert result
    assert result.delivered >= 1
    assert ledger.pending == 1


def test_a_flush_tells_each_thing_once():
    ledger = Ledger()
    for failure in (None, None, FAILURE):
        ledger.settle(ledger.open(), failure)
    left = ledger.open()
    first = ledger.flush(0)
    assert (first.delivered, first.failed_count, first.failed, first.pending) == (2, 1, (FAILURE,), 1)
    ledger.settle(left, None)
    assert ledger.flush(0) == FlushResult(1, 0, (), 0)
    assert (ledger.emitted, ledger.delivered, ledger.failed) == (4, 3, 1)


def test_failures_kept_are_bounded_and_all_are_counted():
    ledger = Ledger()
    for _ in range(KEPT_FAILURES + 10):
        ledger.settle(ledger.open(), FAILURE)
    result = ledger.flush(0)
    assert (result.failed_count, len(result.failed)) == (KEPT_FAILURES + 10, KEPT_FAILURES)


def test_a_withdrawn_event_was_never_there():
    ledger = Ledger()
    ledger.withdraw(ledger.open())
    assert ledger.flush(0) == FlushResult(0, 0, (), 0)
    assert ledger.emitted == 0


def test_nothing_follows_a_sealing_flush():
    ledger = Ledger()
    ledger.flush(0, seal=True)
    with pytest.raises(ClientClosed):
        ledger.open()


def test_raising_says_the_first_reason_and_the_counts():
    with pytest.raises(DeliveryFailed, match="1 events failed, 2 are not") as caught:
        FlushResult(0, 1, (FAILURE,), 2).raise_for_failure()
    assert caught.value.fix == "Emit it again."
    with pytest.raises(KafkaUnavailable, match="away"):
        FlushResult(0, 0, (), 1, KafkaUnavailable("Kafka is away.")).raise_for_failure()
    with pytest.raises(DeliveryFailed, match="in time"):
        FlushResult(0, 0, (), 1).raise_for_failure()
    FlushResult(5, 0, (), 0).raise_for_failure()
