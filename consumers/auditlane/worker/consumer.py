"""The options of the Kafka consumer, its group membership, and the end offsets of its partitions."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import (
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from auditlane.contract.brokers import ASK_S
from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import CONSUMER
from auditlane.contract.partition import Partition
from auditlane.runtime.settings import Settings

STATISTICS_MS: Final = 15_000
EXPECTED_S: Final = 30.0  # interval between requests for the number of partitions
ENDS_MS: Final = 5_000  # interval between requests for the end offsets, which only the metrics need


def consumer_config(settings: Settings, *, protocol: str) -> dict[str, Any]:
    """Return librdkafka's options. `protocol` is `consumer` (KIP-848) or `classic`."""
    options: dict[str, Any] = {
        "group.id": settings.consumer_group,
        "group.protocol": protocol,
        "client.id": "auditlane-worker",
        **CONSUMER,
        "allow.auto.create.topics": False,
        # Also the broker's rebalance timeout: how long other members wait for one that missed a revocation because the
        # response to its heartbeat was lost. The loop polls every few milliseconds.
        "max.poll.interval.ms": 60_000,
        "fetch.queue.backoff.ms": 10,
        # Per partition. With a higher limit, the first partitions fill the prefetch queue and starve the others, since
        # librdkafka always fetches them in the same order.
        "fetch.message.max.bytes": 2 << 20,
        "queued.min.messages": 100_000,
        "statistics.interval.ms": STATISTICS_MS,
        "queued.max.messages.kbytes": max(8 << 10, (settings.worker_buffer_bytes >> 10) // 8),
    }
    if protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return client_config(settings, **options)


class Membership:
    """Checks whether the group has admitted this member. With KIP-848, the client itself reports this only when the
    member has partitions.
    """

    def __init__(self, admin: AdminClient, group: str) -> None:
        self._admin = admin
        self._group = group
        self._asked: Future[Any] | None = None

    def has(self, member_id: str | None) -> bool:
        """Return the result of the last request, and send another one if it has completed. Never blocks."""
        asked, self._asked = self._asked, self._asked or self._ask()
        if asked is None or not asked.done():
            return False
        self._asked = None
        return asked.exception() is None and member_id in {one.member_id for one in asked.result().members}

    def _ask(self) -> Future[Any]:
        asked: Future[Any] = self._admin.describe_consumer_groups([self._group])[self._group]
        return asked


class EndOffsets:
    """Polls the end offsets of partitions in the background, including paused partitions, which are not fetched."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._asked: dict[Partition, Future[Any]] = {}
        self._ask_at = 0
        self.known: dict[Partition, int] = {}

    def ask(self, partitions: Iterable[Partition], now: int) -> None:
        """Collect the responses, and send new requests at most every `ENDS_MS`. Never blocks."""
        for partition, asked in list(self._asked.items()):
            if asked.done():
                del self._asked[partition]
                if asked.exception() is None:
                    self.known[partition] = asked.result().offset
        if self._asked or now < self._ask_at:
            return
        self._ask_at = now + ENDS_MS
        spec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        if wanted := {TopicPartition(*one): spec for one in partitions}:
            answers = self._admin.list_offsets(
                wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=ASK_S
            )
            self._asked = {Partition(one.topic, one.partition): answer for one, answer in answers.items()}


class ExpectedPartitions:
    """Counts the partitions of all topics that the group reads. Uses a separate thread, since the request blocks."""

    def __init__(self, admin: AdminClient, pattern: str) -> None:
        self.count = 0
        self._admin = admin
        self._pattern = re.compile(pattern)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="expected-partitions", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop without waiting, since the thread may be in the middle of a request."""
        self._stop.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                topics = self._admin.list_topics(timeout=ASK_S).topics
            except KafkaException:  # keep the last known number
                topics = None
            if topics:
                self.count = sum(len(one.partitions) for name, one in topics.items() if self._pattern.match(name))
            self._stop.wait(EXPECTED_S)


def unsupported(error: KafkaError) -> bool:
    """Return whether the brokers lack the group protocol.

    Brokers on which it is disabled reject the version of the request. The client then reports a fatal error, and only
    its message states the cause.
    """
    refused = KafkaError(KafkaError.UNSUPPORTED_VERSION)
    return error.code() in (KafkaError._UNSUPPORTED_FEATURE, refused.code()) or (  # noqa: SLF001
        error.code() == KafkaError._FATAL and refused.str() in error.str()  # noqa: SLF001
    )
