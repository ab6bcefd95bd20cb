"""Reads the first and last offsets of the partitions of a topic, and the offsets committed by the live group, without
joining it.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeVar

from confluent_kafka import OFFSET_INVALID, Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from auditlane.contract.brokers import ASK_S, Brokers, pattern
from auditlane.contract.intent import UnknownIntent, decode
from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import client, reason
from auditlane.contract.partition import Partition
from auditlane.contract.topics import admin
from auditlane.operations.selection import Bounds, Selection
from auditlane.runtime.errors import KafkaUnavailable, NotFound
from auditlane.runtime.settings import Settings

T = TypeVar("T")
Commit = tuple[int, str]
MOVING: Final = frozenset(
    {
        KafkaError.NOT_COORDINATOR,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError._WAIT_COORD,  # noqa: SLF001 - librdkafka's own codes have this form
    }
)


class KafkaOffsets:
    """Reads offsets without changing them.

    Every method raises KafkaUnavailable, for example if a response takes longer than `ask_s` seconds.
    """

    def __init__(self, settings: Settings, *, ask_s: float = ASK_S) -> None:
        self._ask_s = ask_s
        self._subscribed = re.compile(pattern(settings.topic))
        self._admin: AdminClient = admin(settings)
        options = {"group.id": settings.consumer_group, "enable.auto.commit": False, "enable.auto.offset.store": False}
        self._group: Consumer = client(
            Consumer, client_config(settings, **options), logger=logging.getLogger("librdkafka")
        )

    def close(self) -> None:
        """Close the connections. The group is not affected."""
        self._group.close()

    def topics(self) -> list[str]:
        """Return the topics that the workers read."""
        known = _answer(lambda: self._admin.list_topics(timeout=self._ask_s).topics)
        return sorted(name for name in known if self.consumed(name))

    def consumed(self, topic: str) -> bool:
        """Return whether the workers subscribe to a topic with this name."""
        return self._subscribed.match(topic) is not None

    def partitions(self, topic: str) -> list[Partition]:
        """Return the topic's partitions. Raises NotFound if the topic does not exist."""
        found = _answer(lambda: self._admin.list_topics(timeout=self._ask_s).topics.get(topic))
        if found is None or found.error is not None:
            raise NotFound(f"Kafka has no topic {topic}.", field="topic")
        return [Partition(topic, number) for number in sorted(found.partitions)]

    def topic_id(self, topic: str) -> str:
        """Return the topic's id as UUID text."""
        return Brokers(lambda: self._admin, lambda *_: None).topic_ids([topic])[topic]

    def bounds(self, topic: str, selection: Selection) -> list[Bounds]:
        """Return the bounds of every partition. Commits are read first, so that they cannot exceed the ends."""
        partitions = self.partitions(topic)
        topic_id, consumed = self.topic_id(topic), self.consumed(topic)
        committed = _of_topic(self.commits(partitions), topic_id)
        low, high = self.low(partitions), self.high(partitions)
        since, until = (self._at(partitions, at, high) for at in (selection.since_ms, selection.until_ms))
        return [
            Bounds(
                partition,
                topic_id,
                low[partition],
                high[partition],
                committed.get(partition),
                since.get(partition),
                until.get(partition),
                consumed,
            )
            for partition in partitions
        ]

    def committed(self, partitions: Iterable[Partition]) -> dict[Partition, int | None]:
        """Return the offsets committed by the live group. The offset is None for a partition without a commit."""
        return {one: commit and commit[0] for one, commit in self.commits(partitions).items()}

    def commits(self, partitions: Iterable[Partition]) -> dict[Partition, Commit | None]:
        """Return the committed offset and metadata of each partition, or None for a partition without a commit.

        This uses a consumer that names the group but never joins it. librdkafka's admin client (2.16) would crash the
        process if a coordinator that has just moved responded to this request.
        """
        wanted = [TopicPartition(*one) for one in partitions]
        deadline = time.monotonic() + self._ask_s
        while True:
            try:
                answers = self._group.committed(wanted, timeout=self._ask_s)
                break
            except KafkaException as error:
                if error.args[0].code() not in MOVING or time.monotonic() > deadline:
                    raise _unanswered(error) from error
                time.sleep(0.1)
        for answer in answers:
            if answer.error is not None:
                where = f"{answer.topic}[{answer.partition}]"
                raise KafkaUnavailable(f"Cannot read the committed offset of {where}: {reason(answer.error)}.")
        return {
            Partition(answer.topic, answer.partition): None
            if answer.offset == OFFSET_INVALID
            else (answer.offset, answer.metadata or "")
            for answer in answers
        }

    def low(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return the first offset that Kafka still holds in each partition."""
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]

    def high(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """Return, for each partition, the offset after the last one visible to a read-committed reader."""
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def count_since(self, at_ms: int) -> int:
        """Count the messages sent at `at_ms` or later, in all topics that the workers read."""
        partitions = [one for topic in self.topics() for one in self.partitions(topic)]
        high = self.high(partitions)
        return sum(high[one] - offset for one, offset in self._at(partitions, at_ms, high).items())

    def _at(self, partitions: list[Partition], at_ms: int | None, high: dict[Partition, int]) -> dict[Partition, int]:
        if at_ms is None:
            return {}
        found = self._offsets(partitions, OffsetSpec.for_timestamp(at_ms))
        return {one: high[one] if offset < 0 else offset for one, offset in found.items()}

    def _offsets(self, partitions: Iterable[Partition], spec: Any) -> dict[Partition, int]:
        wanted = {TopicPartition(*one): spec for one in partitions}

        def request() -> dict[Partition, int]:
            answers = self._admin.list_offsets(
                wanted, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=self._ask_s
            )
            return {
                Partition(one.topic, one.partition): answer.result(self._ask_s).offset
                for one, answer in answers.items()
            }

        return _answer(request)


def _of_topic(commits: Mapping[Partition, Commit | None], topic_id: str) -> dict[Partition, int]:
    """Return the committed offsets. Commits whose metadata names an earlier topic with the same name are ignored."""
    found: dict[Partition, int] = {}
    for partition, commit in commits.items():
        offset, metadata = commit or (None, "")
        try:
            intent = decode(metadata)
        except UnknownIntent:
            intent = None
        if offset is not None and (intent is None or intent.topic_id == topic_id):
            found[partition] = offset
    return found


def _answer(request: Callable[[], T]) -> T:
    try:
        return request()
    except (KafkaException, TimeoutError) as error:
        raise _unanswered(error) from error


def _unanswered(error: BaseException) -> KafkaUnavailable:
    return KafkaUnavailable(
        f"The brokers did not respond: {reason(error)}.",
        fix="Check AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA.",
    )
