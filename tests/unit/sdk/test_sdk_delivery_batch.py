"""Tests that each event of a batch gets one outcome, without a broker."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditlane.runtime.errors import AuditlaneError, BufferFull, ClientClosed, DeliveryFailed
from auditlane.runtime.ids import uuid7
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery import KafkaDelivery
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.transport import Message

SIZE = 400


class Outcomes:
    def __init__(self) -> None:
        self.found: list[tuple[int, AuditlaneError | None]] = []

    def acknowledged(self, indexes: Sequence[int]) -> None:
        self.found += [(index, None) for index in indexes]

    def settle(self, index: int, error: AuditlaneError | None) -> None:
        self.found.append((index, error))

    def spooled(self, index: int) -> None:
        raise AssertionError


def messages(count: int) -> list[Message]:
    ids = [uuid7() for _ in range(count)]
    return [("t", b"acme", bytes(6) + one.encode() + bytes(SIZE), {"h": b"v"}, one, "acme") for one in ids]


@pytest.fixture
def tracker() -> DeliveryTracker:
    return DeliveryTracker()


@pytest.fixture
def delivery(tracker: DeliveryTracker) -> KafkaDelivery:
    config = ClientConfig.load(
        kafka_bootstrap="127.0.0.1:1", registry_url="http://127.0.0.1:1", buffer_bytes=1_024, max_block_ms=0
    )
    return KafkaDelivery(config, tracker, lambda error, event_id: None)


def test_events_without_room_are_refused_and_the_others_fail_once_abandoned(delivery, tracker):
    outcomes, batch = Outcomes(), messages(5)
    refused = delivery.produce_all(batch, outcomes)
    assert {type(error) for _, error in refused} == {BufferFull}
    accepted = sorted({*range(5)} - {index for index, _ in refused})
    assert 0 < len(accepted) < 5
    assert (tracker.pending, tracker.emitted) == (len(accepted), len(accepted))
    delivery.abandon()
    delivery.stop(60)
    assert sorted(index for index, _ in outcomes.found) == accepted
    for index, error in outcomes.found:
        assert isinstance(error, AuditlaneError)
        assert batch[index][4] in error.message
    assert (tracker.pending, tracker.failed, tracker.pending_bytes) == (0, len(accepted), 0)


def test_a_closed_client_refuses_the_whole_batch(delivery, tracker):
    outcomes = Outcomes()
    tracker.flush(0, seal=True)
    refused = delivery.produce_all(messages(2), outcomes)
    assert [(index, type(error)) for index, error in refused] == [(0, ClientClosed), (1, ClientClosed)]
    assert not outcomes.found
    delivery.stop(60)


def test_an_event_that_librdkafka_refuses_does_not_affect_the_others(delivery, tracker):
    outcomes, ((topic, key, _, *others), second) = Outcomes(), messages(2)
    [(index, error)] = delivery.produce_all([(topic, key, bytes(2_000_000), *others), second], outcomes)
    assert (index, type(error)) == (0, DeliveryFailed)
    assert tracker.pending == 1
    delivery.abandon()
    delivery.stop(60)
    assert [index for index, _ in outcomes.found] == [1]
