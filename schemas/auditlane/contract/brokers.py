"""Queries the brokers for a partition's topic id, its first and last offsets, and its committed offset."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

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

from auditlane.contract.librdkafka import reason
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StoredOffsetsSummary, wants_store
from auditlane.contract.topic_ids import uuid_text
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.log import get

# Retries end after `ASK_S`, and the worker restarts its consumer. The last round of four requests still ends within
# `max.poll.interval.ms`.
ASK_S: Final = 25.0
TRY_S: Final = 7.0  # per request
PAUSE_S: Final = 0.5  # between rounds


def pattern(topic: str) -> str:
    """Return the subscription pattern for the shared topic and all dedicated topics. It is valid in both librdkafka and
    RE2.
    """
    return rf"^{re.escape(topic)}(\..+)?$"


class Brokers:
    """Sends requests to the brokers, in the consuming thread, from the assignment callback.

    `stored` queries the store for a topic id, a partition and the first offset that Kafka holds. It returns None if the
    store does not respond.
    """

    def __init__(
        self, connect: Callable[[], AdminClient], stored: Callable[[str, int, int], StoredOffsetsSummary | None]
    ) -> None:
        self._connect = connect
        self._admin = connect()
        self._log = get("worker")
        self._stored = stored

    def topic_ids(self, topics: Iterable[str]) -> dict[str, str]:
        """Return the id of each topic as UUID text, by topic name. Raises KafkaUnavailable if the brokers do not
        respond.
        """
        names = sorted(set(topics))
        try:
            answers = self._admin.describe_topics(TopicCollection(names), request_timeout=TRY_S)
            return {name: uuid_text(answers[name].result(TRY_S).topic_id) for name in names}
        except (KafkaException, TimeoutError) as error:
            raise KafkaUnavailable(f"Cannot read the ids of the topics {', '.join(names)}: {reason(error)}.") from error

    def facts(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[AssignmentFacts]:
        """Return the facts about newly assigned partitions. Raises KafkaUnavailable.

        Retries for `ASK_S`, each time with a new client: brokers return transient errors while a leader or the
        controller is being replaced, and librdkafka keeps waiting for the previous controller.
        """
        gives_up = time.monotonic() + ASK_S
        while True:
            try:
                return self._read_facts(consumer, partitions)
            except KafkaUnavailable as error:
                if time.monotonic() > gives_up:
                    raise
                self._log.warning("brokers.asked_again", error=str(error))
                time.sleep(PAUSE_S)
                self._admin = self._connect()

    def _read_facts(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[AssignmentFacts]:
        ids = self.topic_ids(assigned.topic for assigned in partitions)
        try:
            committed = consumer.committed(
                [TopicPartition(assigned.topic, assigned.partition) for assigned in partitions], timeout=TRY_S
            )
        except KafkaException as error:
            raise KafkaUnavailable(f"Cannot read committed offsets: {reason(error)}.") from error
        for at in committed:
            if at.error is not None:
                where = f"{at.topic}[{at.partition}]"
                raise KafkaUnavailable(f"Cannot read the committed offset of {where}: {reason(at.error)}.")
        low = self._bounds(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        high = self._bounds(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return [self._facts_of(at, ids[at.topic], low, high) for at in committed]

    def _facts_of(
        self, at: TopicPartition, topic_id: str, low: dict[Partition, int], high: dict[Partition, int]
    ) -> AssignmentFacts:
        partition = Partition(at.topic, at.partition)
        committed = None if at.offset == OFFSET_INVALID else at.offset
        metadata = at.metadata or ""
        begin = low[partition]
        wanted = wants_store(committed, metadata, topic_id)
        stored = self._stored(topic_id, at.partition, begin) if wanted else None
        return AssignmentFacts(partition, topic_id, committed, metadata, begin, high[partition], stored)

    def _bounds(self, partitions: Sequence[TopicPartition], spec: OffsetSpec) -> dict[Partition, int]:
        specs = {TopicPartition(assigned.topic, assigned.partition): spec for assigned in partitions}
        try:
            answers = self._admin.list_offsets(
                specs, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=TRY_S
            )
            return {Partition(at.topic, at.partition): answer.result(TRY_S).offset for at, answer in answers.items()}
        except (KafkaException, TimeoutError) as error:
            raise KafkaUnavailable(f"Cannot read the partitions' first and last offsets: {reason(error)}.") from error


_UNREADABLE: Final = frozenset(
    {KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._LOG_TRUNCATION}  # noqa: SLF001
)


def out_of_range(error: KafkaError) -> bool:
    """Return whether an error means that Kafka does not hold the requested offset any more, or not yet."""
    return error.code() in _UNREADABLE
