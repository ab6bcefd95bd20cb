"""How far a consumer group is behind, by partition: computed from what brokers tell, and asking them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from auditlane.contract.brokers import ASK_S
from auditlane.contract.intent import UnknownIntent, decode
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
_UNUSED_GROUP: Final = "auditlane-lag"  # librdkafka wants a name; nothing joins it and nothing is committed to it


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`committed` is None where the group has no offset: it then begins after what is stored, else at the first offset
    that Kafka holds.

    `lost` counts offsets that Kafka deleted before the group came to them. `age_s` is how long Kafka has had the oldest
    message that the group has not completed, None where there is none. `member` is empty while nobody has it.
    `failing_s` says for how long its worker has failed to store the next messages, as the worker noted with its last
    commit, and `error` why; None while it has not failed for a minute.
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

    @property
    def abandoned(self) -> bool:
        """Whether there is something to do and nobody to do it."""
        return self.lag > 0 and not self.member


def partition_lag(
    partition: Partition,
    *,
    committed: int | None,
    low: int,
    first: int,
    end: int,
    oldest_ms: int | None,
    member: str,
    now_ms: int,
    metadata: str = "",
) -> PartitionLag:
    """Pure: one partition's line. `oldest_ms` is the Kafka timestamp of the first message from `first` on, which is
    the first that the group would read. `metadata` is what was committed with the offset."""
    age = None if oldest_ms is None or first >= end else max(0.0, (now_ms - oldest_ms) / 1_000)
    lost = max(0, low - committed) if committed is not None else 0
    failing_s, error = _failing(metadata, now_ms)
    return PartitionLag(partition, committed, end, max(0, end - first), lost, age, member, failing_s, error)


def _failing(metadata: str, now_ms: int) -> tuple[float | None, str]:
    try:
        intent = decode(metadata)
    except UnknownIntent:
        return None, ""
    if intent is None or not intent.failing_ms:
        return None, ""
    return max(0.0, (now_ms - intent.failing_ms) / 1_000), intent.error


@dataclass(frozen=True, slots=True)
class Total:
    """Of all partitions: the sum of records, the most seconds."""

    lag: int
    age_s: float
    abandoned: int
    lost: int


def total(rows: Iterable[PartitionLag]) -> Total:
    """What one alert would look at."""
    found = list(rows)
    return Total(
        sum(one.lag for one in found),
        max((one.age_s or 0.0 for one in found), default=0.0),
        sum(one.abandoned for one in found),
        sum(one.lost for one in found),
    )


def document(group: str, rows: list[PartitionLag]) -> dict[str, Any]:
    """The partitions and their sum, ready for JSON."""
    return {
        "group": group,
        **asdict(total(rows)),
        "partitions": [
            {"topic": one.partition.topic, **asdict(one), "partition": one.partition.number, "abandoned": one.abandoned}
            for one in rows
        ],
    }


class GroupLag:
    """Asks the brokers; joins no group and commits nothing. Raises KafkaUnavailable, and NotFound for no such group.

    Each of its few questions takes `ask_s` at most. ClickHouse is asked where the group has no offset.
    """

    def __init__(self, settings: Settings, *, ask_s: float = ASK_S) -> None:
        self._group = settings.consumer_group
        self._ask_s = ask_s
        self._positions = KafkaOffsets(settings, ask_s=ask_s)
        self._admin: AdminClient = admin(settings)
        self._oldest = Oldest(settings)
        self._beginnings = StartOffsets(settings, ask_s=ask_s)

    def close(self) -> None:
        self._oldest.close()
        self._beginnings.close()
        self._positions.close()

    def rows(self, now_ms: int | None = None) -> list[PartitionLag]:
        """Every partition of the topics that the workers read, commits read before ends."""
        partitions = [one for topic in self._positions.topics() for one in self._positions.partitions(topic)]
        if not partitions:
            raise NotFound("There is no topic to read.", fix="Run `auditlane init`.")
        commits = self._positions.commits(partitions)
        committed = {one: commit and commit[0] for one, commit in commits.items()}
        members = self._members()
        if not members and not any(offset is not None for offset in committed.values()):
            raise NotFound(f"The group {self._group} has neither a member nor an offset.", field="--group")
        low, end = self._positions.low(partitions), self._positions.high(partitions)
        first = {one: self._first(one, committed[one], low[one], end[one]) for one in partitions}
        oldest = self._oldest.timestamps({one: at for one, at in first.items() if at < end[one]})
        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        return [
            partition_lag(
                one,
                committed=committed[one],
                low=low[one],
                first=first[one],
                end=end[one],
                oldest_ms=oldest.get(one),
                member=members.get(one, ""),
                metadata=(commits[one] or (0, ""))[1],
                now_ms=now,
            )
            for one in partitions
        ]

    def _first(self, partition: Partition, committed: int | None, low: int, end: int) -> int:
        """The first offset that the group would read."""
        if committed is not None:
            return max(committed, low)
        return self._beginnings.of(partition, self._positions.topic_id(partition.topic), low, end) if low < end else low

    def _members(self) -> dict[Partition, str]:
        """Who has which partition; nobody when the group is not there."""
        found = members(self._admin, self._group, self._ask_s)
        return {Partition(at.topic, at.partition): name(one) for one in found for at in one.assignment.topic_partitions}


class Oldest:
    """The Kafka timestamps of single messages, read by assignment; one that was read is not read again."""

    def __init__(self, settings: Settings) -> None:
        options = {
            "group.id": _UNUSED_GROUP,
            "client.id": "auditlane-lag",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "earliest",  # what is asked for was deleted meanwhile: the oldest that is left
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
        """Partition → timestamp in ms of the first message at or after its offset; left out where none came in time."""
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
                del left[partition]  # also at the end of the partition: there is nothing to read
        self._consumer.unassign()
