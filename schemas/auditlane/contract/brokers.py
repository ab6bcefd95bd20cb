"""What brokers know of partitions that are assigned or looked at: topic ids, bounds, committed offsets."""

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

from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StoredOffsetsSummary, wants_store
from auditlane.contract.topic_ids import uuid_text
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.log import get

# Brokers that give no good answer within `ASK_S` make the worker start over. Its last round of four questions still
# ends within `max.poll.interval.ms`.
ASK_S: Final = 25.0
TRY_S: Final = 7.0  # for one question
PAUSE_S: Final = 0.5  # between rounds


def pattern(topic: str) -> str:
    """The subscription: the shared topic and every dedicated one. Both librdkafka and brokers (RE2) read it."""
    return rf"^{re.escape(topic)}(\..+)?$"


class Brokers:
    """Questions to the brokers. Called on the consuming thread, inside the callback of an assignment.

    `stored` asks the store (topic id, partition, first offset that Kafka holds); None when it does not answer.
    """

    def __init__(
        self, connect: Callable[[], AdminClient], stored: Callable[[str, int, int], StoredOffsetsSummary | None]
    ) -> None:
        self._connect = connect
        self._admin = connect()
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

    def found(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[AssignmentFacts]:
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

    def _found(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> list[AssignmentFacts]:
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

    def _one(
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
