"""The Kafka consumer: its options, the topics it subscribes to, and what it can ask brokers about a partition."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from auditlane.contract.kafka import client_config
from auditlane.contract.librdkafka import CONSUMER
from auditlane.contract.topic_ids import uuid_text
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings
from auditlane.worker.protocol.ranges import Partition
from auditlane.worker.recovery import Found, Stored, wants_store

ENDS_MS: Final = 5_000  # how old what is known of the partitions' ends may be, for the metrics
# Brokers that give no good answer within `ASK_S` make the worker start over. Its last round of four questions still
# ends within `max.poll.interval.ms`.
ASK_S: Final = 25.0
TRY_S: Final = 7.0  # for one question
PAUSE_S: Final = 0.5  # between rounds


def pattern(topic: str) -> str:
    """The subscription: the shared topic and every dedicated one. Both librdkafka and brokers (RE2) read it."""
    return rf"^{re.escape(topic)}(\..+)?$"


def consumer_config(settings: Settings, *, protocol: str) -> dict[str, Any]:
    """librdkafka's options; `protocol` is `consumer` (KIP-848) or `classic`."""
    options: dict[str, Any] = {
        "group.id": settings.group,
        "group.protocol": protocol,
        "client.id": "auditlane-worker",
        **CONSUMER,
        "allow.auto.create.topics": False,
        # The broker's rebalance timeout too: how long others wait for a member that was told to give a partition up and
        # did not hear it, as the answer to its heartbeat was lost. The loop polls every few milliseconds.
        "max.poll.interval.ms": 60_000,
        "fetch.queue.backoff.ms": 10,
        # Of each partition. More than so much lets the first of them fill what is fetched ahead, and the others wait:
        # librdkafka asks for them in the same order again and again.
        "fetch.message.max.bytes": 2 << 20,
        "queued.min.messages": 100_000,
        "queued.max.messages.kbytes": max(8 << 10, (settings.queue_bytes >> 10) // 8),
    }
    if protocol == "classic":
        options["partition.assignment.strategy"] = "cooperative-sticky"
    return client_config(settings, **options)


class Membership:
    """Whether the group has us: a member that gets no partitions is told nothing by its client (KIP-848)."""

    def __init__(self, admin: AdminClient, group: str) -> None:
        self._admin, self._group = admin, group
        self._asked: Future[Any] | None = None

    def has(self, member_id: str | None) -> bool:
        """What the last answer said; asks again when there was one. Never waits."""
        asked, self._asked = self._asked, self._asked or self._ask()
        if asked is None or not asked.done():
            return False
        self._asked = None
        return asked.exception() is None and member_id in {one.member_id for one in asked.result().members}

    def _ask(self) -> Future[Any]:
        asked: Future[Any] = self._admin.describe_consumer_groups([self._group])[self._group]
        return asked


class Ends:
    """Where partitions end, asked in the background: also of those that are paused and so learn it from no fetch."""

    def __init__(self, admin: AdminClient) -> None:
        self._admin = admin
        self._asked: dict[Partition, Future[Any]] = {}
        self._ask_at = 0
        self.known: dict[Partition, int] = {}

    def ask(self, partitions: Iterable[Partition], now: int) -> None:
        """Take in the answers and, at most every `ENDS_MS`, ask again. Never waits."""
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


class Brokers:
    """Questions to the brokers. Called on the consuming thread, inside the callback of an assignment.

    `stored` asks the store (topic id, partition, first offset that Kafka holds); None when it does not answer.
    """

    def __init__(self, connect: Callable[[], AdminClient], stored: Callable[[str, int, int], Stored | None]) -> None:
        self._connect, self._admin = connect, connect()
        self._log = get("worker")
        self._stored = stored

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Topic name → its id as UUID text. Raises KafkaUnavailable."""
        names = sorted(set(topics))
        try:
            answers = self._admin.describe_topics(TopicCollection(names), request_timeout=TRY_S)
            return {name: uuid_text(answers[name].result(TRY_S).topic_id) for name in names}
        except (KafkaException, TimeoutError) as error:
            raise KafkaUnavailable(f"The brokers did not describe {', '.join(names)}: {error}.") from error

    def found(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[Found]:
        """What there is to know about partitions that were just assigned. Raises KafkaUnavailable.

        Retries for `ASK_S`, each time with a new client: brokers answer with transient errors while a leader or the
        controller is being replaced, and librdkafka keeps waiting for the controller that it knew.
        """
        gives_up = time.monotonic() + ASK_S
        while True:
            try:
                return self._found(consumer, partitions)
            except KafkaUnavailable as error:
                if time.monotonic() > gives_up:
                    raise
                self._log.warning("brokers.asked_again", error=str(error))
                time.sleep(PAUSE_S)
                self._admin = self._connect()

    def _found(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[Found]:
        ids = self.topic_ids(one.topic for one in partitions)
        try:
            committed = consumer.committed(
                [TopicPartition(one.topic, one.partition) for one in partitions], timeout=TRY_S
            )
        except KafkaException as error:
            raise KafkaUnavailable(f"The brokers did not tell committed offsets: {error.args[0]}.") from error
        for one in committed:
            if one.error is not None:
                raise KafkaUnavailable(f"No committed offset of {one.topic}[{one.partition}]: {one.error}.")
        low = self._bounds(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        high = self._bounds(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return [self._one(one, ids[one.topic], low, high) for one in committed]

    def _one(self, at: TopicPartition, topic_id: str, low: dict[Partition, int], high: dict[Partition, int]) -> Found:
        partition = Partition(at.topic, at.partition)
        committed = None if at.offset == OFFSET_INVALID else at.offset
        metadata = at.metadata or ""
        begin = low[partition]
        wanted = wants_store(committed, metadata, topic_id)
        stored = self._stored(topic_id, at.partition, begin) if wanted else None
        return Found(partition, topic_id, committed, metadata, begin, high[partition], stored)

    def _bounds(self, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[Partition, int]:
        asked = {TopicPartition(one.topic, one.partition): spec for one in partitions}
        try:
            answers = self._admin.list_offsets(
                asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TRY_S
            )
            return {Partition(one.topic, one.partition): answer.result(TRY_S).offset for one, answer in answers.items()}
        except (KafkaException, TimeoutError) as error:
            raise KafkaUnavailable(f"The brokers did not tell the partitions' bounds: {error}.") from error


_UNREADABLE: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION}  # noqa: SLF001
)


def out_of_range(error: KafkaError) -> bool:
    """Whether an error of one partition says that Kafka cannot deliver the position."""
    return error.code() in _UNREADABLE


def unsupported(error: KafkaError) -> bool:
    """Whether the brokers lack the group protocol. Those that once had it refuse by version, which arrives as a fatal
    error whose cause only its text tells."""
    refused = KafkaError(KafkaError.UNSUPPORTED_VERSION)
    return error.code() in (KafkaError._UNSUPPORTED_FEATURE, refused.code()) or (  # noqa: SLF001
        error.code() == KafkaError._FATAL and refused.str() in error.str()  # noqa: SLF001
    )
