"""Runs the same tests on the simulator's in-memory log and group and on real Kafka, to verify that both behave
alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)
from fixtures.group_member import Member
from fixtures.workers import wait_until
from simulator.kafka import Kafka, OutOfRange

from auditlane.contract.brokers import out_of_range
from auditlane.contract.partition import Partition

PARTITIONS = 2


class Log(Protocol):
    """A topic with two partitions, and a group."""

    def transaction(self, count: int) -> None:
        """Write `count` messages to partition 0 in one transaction. Kafka adds a commit marker after them."""

    def fetch(self, position: int) -> list[int]:
        """Return the offsets in partition 0, starting at a position. Raises OutOfRange."""

    def join(self, name: str) -> None: ...
    def poll(self, name: str) -> set[int]:
        """Poll as this group member, and return its assigned partitions."""

    def expel(self, name: str) -> None:
        """Expire the member's session without notifying the member."""

    def commit(self, name: str, partition: int, offset: int, metadata: str = "") -> bool: ...
    def committed(self, partition: int) -> tuple[int, str] | None: ...


class Twin:
    def __init__(self) -> None:
        self._kafka = Kafka(PARTITIONS)
        self._members = self._kafka.members.copy()

    def transaction(self, count: int) -> None:
        for number in range(count + 1):
            self._kafka.produce(Partition("t", 0), period=202611, good=True, control=number == count)

    def fetch(self, position: int) -> list[int]:
        return list(self._kafka.fetch(Partition("t", 0), position, 100).offsets)

    def join(self, name: str) -> None:
        self._kafka.join(name)
        self._members[name] = self._kafka.members[name]

    def poll(self, name: str) -> set[int]:
        self._kafka.poll(self._members[name])
        return {one.number for one in self._members[name].owned}

    def expel(self, name: str) -> None:
        self._kafka.leave(name)

    def commit(self, name: str, partition: int, offset: int, metadata: str = "") -> bool:
        member = self._members[name]
        return self._kafka.commit(member, member.epoch, {Partition("t", partition): (offset, metadata)})

    def committed(self, partition: int) -> tuple[int, str] | None:
        return self._kafka.committed.get(Partition("t", partition))


class Real:
    def __init__(self, bootstrap: str, name: str) -> None:
        self._bootstrap, self._name = bootstrap, name
        self._admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
        self._admin.create_topics([NewTopic(name, PARTITIONS, 1)])[name].result(10)
        quick = {"consumer.session.timeout.ms": "1000", "consumer.heartbeat.interval.ms": "200"}
        entries = [ConfigEntry(one, to, incremental_operation=AlterConfigOpType.SET) for one, to in quick.items()]
        group = ConfigResource(ResourceType.GROUP, name, incremental_configs=entries)
        self._admin.incremental_alter_configs([group])[group].result(10)
        options = {"auto.offset.reset": "error", "enable.auto.commit": False, "log_level": 0}
        self._asks = Consumer({"bootstrap.servers": bootstrap, "group.id": name} | options)
        self._producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0})
        self._producer.init_transactions(30)
        self._members: dict[str, Member] = {}
        self._end = 0

    def transaction(self, count: int) -> None:
        self._producer.begin_transaction()
        for _ in range(count):
            self._producer.produce(self._name, b"v", partition=0)
        self._producer.commit_transaction(30)
        self._end += count + 1
        # The broker responds before it writes the commit marker.
        wait_until(lambda: self._asks.get_watermark_offsets(TopicPartition(self._name, 0), timeout=10)[1] == self._end)

    def fetch(self, position: int) -> list[int]:
        end = self._asks.get_watermark_offsets(TopicPartition(self._name, 0), timeout=10)[1]
        self._asks.assign([TopicPartition(self._name, 0, position)])
        offsets: list[int] = []
        while position < end - 1 or position > end:  # the last offset is the commit marker
            for message in self._asks.consume(100, 0.2):
                if (error := message.error()) is not None:
                    assert out_of_range(error)
                    raise OutOfRange(str(error))
                offsets.append(message.offset() or 0)
                position = offsets[-1] + 1
        return offsets

    def join(self, name: str) -> None:
        member = self._members[name] = Member(self._bootstrap, self._name, self._name)
        count = len(self._members)
        wait_until(lambda: (member.poll(), self._size() == count)[1])

    def _size(self) -> int:
        found = self._admin.describe_consumer_groups([self._name])[self._name].result(10)
        return len(found.members)

    def poll(self, name: str) -> set[int]:
        return self._members[name].poll()

    def expel(self, name: str) -> None:
        left = self._size() - 1
        self._members[name].freeze()
        wait_until(lambda: self._size() == left)
        self._members[name].wake()

    def commit(self, name: str, partition: int, offset: int, metadata: str = "") -> bool:
        return self._members[name].commit(partition, offset, metadata)

    def committed(self, partition: int) -> tuple[int, str] | None:
        [one] = self._asks.committed([TopicPartition(self._name, partition)], timeout=10)
        return None if one.offset < 0 else (one.offset, one.metadata or "")

    def close(self) -> None:
        for member in self._members.values():
            member.close()
        self._asks.close()


@pytest.fixture(params=["twin", "real"])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    if request.param == "twin":
        yield Twin()
        return
    made = Real(request.getfixturevalue("kafka"), request.getfixturevalue("unique"))
    yield made
    made.close()


def test_control_records_take_offsets_and_are_never_delivered(log: Log) -> None:
    log.transaction(3)
    log.transaction(2)
    assert log.fetch(0) == [0, 1, 2, 4, 5]
    assert log.fetch(3) == [4, 5]
    assert log.fetch(5) == [5]
    with pytest.raises(OutOfRange):
        log.fetch(8)


def test_a_commit_stores_metadata_and_one_without_metadata_clears_it(log: Log) -> None:
    log.join("a")
    wait_until(lambda: log.poll("a") == {0, 1})
    assert log.committed(0) is None
    assert log.commit("a", 0, 7, "a plan")
    assert log.committed(0) == (7, "a plan")
    assert log.commit("a", 0, 7)
    assert log.committed(0) == (7, "")
    assert log.committed(1) is None


def test_a_partition_moves_once_released_and_commits_only_require_membership(log: Log) -> None:
    log.join("a")
    wait_until(lambda: log.poll("a") == {0, 1})
    log.join("b")
    assert [log.poll("b") for _ in range(3)] == [set(), set(), set()]
    assert log.commit("b", 0, 3, "set back by a member that holds nothing")
    assert log.committed(0) == (3, "set back by a member that holds nothing")
    wait_until(lambda: len(log.poll("a")) == 1)
    wait_until(lambda: len(log.poll("b")) == 1)
    assert log.poll("a") | log.poll("b") == {0, 1}


def test_an_expelled_member_cannot_commit_and_is_replaced_at_once(log: Log) -> None:
    log.join("a")
    wait_until(lambda: log.poll("a") == {0, 1})
    log.join("b")
    log.expel("a")
    wait_until(lambda: log.poll("b") == {0, 1})
    assert not log.commit("a", 0, 9, "from a zombie")
    assert log.committed(0) is None
    assert log.commit("b", 0, 4)
