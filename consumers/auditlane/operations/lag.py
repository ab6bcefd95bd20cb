"""Computes the lag of a consumer group by partition, from facts that it queries from the brokers."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from auditlane.contract.brokers import ASK_S
from auditlane.contract.intent import OpenCircuit, UnknownIntent, decode
from auditlane.contract.kafka_client import client_config
from auditlane.contract.librdkafka import client
from auditlane.contract.partition import Partition
from auditlane.contract.topics import admin
from auditlane.operations.consumer_group import members, name
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.start_offsets import StartOffsets
from auditlane.runtime.errors import NotFound
from auditlane.runtime.settings import Settings

_READ_S: Final = 10.0
_UNUSED_GROUP: Final = (
    "auditlane-lag"  # librdkafka requires a name; the client neither joins the group nor commits to it
)


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """The lag of one partition. `committed` is None until the group has committed an offset for it.

    `lost` counts offsets that Kafka deleted before the group reached them. `age_s` is the age of the oldest message
    that the group has not completed, or None if all are completed. `member` is empty while the partition is unassigned.
    `failing_s` is how long its worker has been unable to store the next messages, and `error` is the reason given in
    the worker's last commit. Both are set only if the worker has been failing for a minute or the partition is halted.
    `circuit` is set if the circuit breaker halted the partition.
    """

    partition: Partition
    committed: int | None
    end: int
    lag: int
    lost: int
    age_s: float | None
    member: str
    failing_s: float | None = None
    error: str = ""
    circuit: OpenCircuit | None = None

    @property
    def abandoned(self) -> bool:
        """Whether there are waiting messages but no assigned member."""
        return self.lag > 0 and not self.member


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """The facts that the brokers reported about one partition.

    `low` is the first offset that Kafka holds, `first` is the next offset that the group would read, and `end` is the
    one after the last. `oldest_ms` is the Kafka timestamp of the message at `first`, or None if it was not read in
    time. `metadata` was committed with the offset.
    """

    partition: Partition
    committed: int | None
    low: int
    first: int
    end: int
    oldest_ms: int | None
    member: str
    metadata: str = ""


def partition_lag(facts: PartitionFacts, *, now_ms: int) -> PartitionLag:
    """Compute one partition's lag. Pure."""
    age_s = None
    if facts.oldest_ms is not None and facts.first < facts.end:
        age_s = max(0.0, (now_ms - facts.oldest_ms) / 1_000)
    failing_s, error, circuit = _failing(facts.metadata, now_ms)
    return PartitionLag(
        facts.partition,
        facts.committed,
        facts.end,
        lag=max(0, facts.end - facts.first),
        lost=max(0, facts.low - facts.committed) if facts.committed is not None else 0,
        age_s=age_s,
        member=facts.member,
        failing_s=failing_s,
        error=error,
        circuit=circuit,
    )


def _failing(metadata: str, now_ms: int) -> tuple[float | None, str, OpenCircuit | None]:
    try:
        intent = decode(metadata)
    except UnknownIntent:
        return None, "", None
    if intent is None or not intent.failing_ms:
        return None, "", None
    return max(0.0, (now_ms - intent.failing_ms) / 1_000), intent.error, intent.circuit


@dataclass(frozen=True, slots=True)
class Total:
    """The lag of all partitions. `age_s` is the highest age, and the other values are sums."""

    lag: int
    age_s: float
    abandoned: int
    lost: int


def total(rows: Iterable[PartitionLag]) -> Total:
    """Sum the lag of all partitions, for use in a single alert."""
    found = list(rows)
    return Total(
        sum(one.lag for one in found),
        max((one.age_s or 0.0 for one in found), default=0.0),
        sum(one.abandoned for one in found),
        sum(one.lost for one in found),
    )


def document(group: str, rows: list[PartitionLag]) -> dict[str, Any]:
    """Return the partitions and their total as a JSON document."""
    return {
        "group": group,
        **asdict(total(rows)),
        "partitions": [
            {
                "topic": row.partition.topic,
                **asdict(row),
                "partition": row.partition.number,
                "abandoned": row.abandoned,
                "circuit": row.circuit and row.circuit._asdict(),
            }
            for row in rows
        ],
    }


class GroupLag:
    """Queries the brokers, without joining the group or committing.

    It makes few requests, each of which takes at most `ask_s` seconds. ClickHouse is queried for partitions without a
    committed offset.
    """

    def __init__(self, settings: Settings, *, ask_s: float = ASK_S) -> None:
        self._group = settings.consumer_group
        self._ask_s = ask_s
        self._positions = KafkaOffsets(settings, ask_s=ask_s)
        self._admin: AdminClient = admin(settings)
        self._oldest = Oldest(settings)
        self._start_offsets = StartOffsets(settings, ask_s=ask_s)

    def close(self) -> None:
        self._oldest.close()
        self._start_offsets.close()
        self._positions.close()

    def rows(self, now_ms: int | None = None, *, unused: bool = False) -> list[PartitionLag]:
        """Return the lag of every partition of the topics that the workers read. Commits are read before the ends.

        Raises KafkaUnavailable if Kafka does not respond. Raises NotFound if there is no topic or, unless `unused` is
        set, if no worker has ever joined.
        """
        topics = self._positions.topics()
        partitions = [partition for topic in topics for partition in self._positions.partitions(topic)]
        if not partitions:
            raise NotFound("None of the topics that the workers read exists.", fix="Run `auditlane init`.")
        commits = self._positions.commits(partitions)
        committed = {partition: commit and commit[0] for partition, commit in commits.items()}
        members = self._members()
        if not unused and not members and not any(offset is not None for offset in committed.values()):
            raise NotFound(f"The consumer group {self._group} has no member and no committed offset.", field="--group")
        low, end = self._positions.low(partitions), self._positions.high(partitions)
        first = {
            partition: self._first(partition, committed[partition], low[partition], end[partition])
            for partition in partitions
        }
        oldest = self._oldest.timestamps({partition: at for partition, at in first.items() if at < end[partition]})
        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        return [
            partition_lag(
                PartitionFacts(
                    partition,
                    committed[partition],
                    low[partition],
                    first[partition],
                    end[partition],
                    oldest_ms=oldest.get(partition),
                    member=members.get(partition, ""),
                    metadata=(commits[partition] or (0, ""))[1],
                ),
                now_ms=now,
            )
            for partition in partitions
        ]

    def _first(self, partition: Partition, committed: int | None, low: int, end: int) -> int:
        """Return the next offset that the group would read."""
        if committed is not None:
            return max(committed, low)
        return (
            self._start_offsets.of(partition, self._positions.topic_id(partition.topic), low, end) if low < end else low
        )

    def _members(self) -> dict[Partition, str]:
        """Return the assigned member of each partition. The result is empty if the group does not exist."""
        found = members(self._admin, self._group, self._ask_s)
        return {Partition(at.topic, at.partition): name(one) for one in found for at in one.assignment.topic_partitions}


class Oldest:
    """Reads the Kafka timestamps of single messages, by assignment, and caches them."""

    def __init__(self, settings: Settings) -> None:
        options = {
            "group.id": _UNUSED_GROUP,
            "client.id": "auditlane-lag",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # falls back to the oldest remaining message if the wanted one has been deleted
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "allow.auto.create.topics": False,
            "queued.min.messages": 1,
            "fetch.message.max.bytes": 64 << 10,
        }
        self._consumer: Consumer = client(
            Consumer, client_config(settings, **options), logger=logging.getLogger("librdkafka")
        )
        self._known: dict[tuple[Partition, int], int] = {}

    def close(self) -> None:
        self._consumer.close()

    def timestamps(self, wanted: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return the timestamp in milliseconds of the first message at or after each offset. Messages that were not
        read in time are omitted.
        """
        missing = {at: offset for at, offset in wanted.items() if (at, offset) not in self._known}
        if missing:
            self._read(missing)
        self._known = {key: at_ms for key, at_ms in self._known.items() if wanted.get(key[0]) == key[1]}
        return {partition: at_ms for (partition, _), at_ms in self._known.items()}

    def _read(self, missing: dict[Partition, int]) -> None:
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in missing.items()])
        deadline = time.monotonic() + _READ_S
        left = dict(missing)
        while left and time.monotonic() < deadline:
            for message in self._consumer.consume(100, 0.1):
                partition = Partition(message.topic() or "", message.partition() or 0)
                offset = left.get(partition)
                if offset is None:
                    continue
                if message.error() is None:
                    self._known[partition, offset] = message.timestamp()[1]
                del left[partition]  # the message or the end of the partition has arrived
        self._consumer.unassign()
