"""Injects the faults of the long run (`make chaos`) one by one. A single worker survives each of them with exact
results.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, TopicPartition
from fixtures.proxy import Proxy, an_insert
from fixtures.registry import RegistryProcess
from fixtures.workers import WorkerProcess, World, wait_until

from auditlane.contract import topics


@pytest.fixture
def proxy(clickhouse: str) -> Iterator[Proxy]:
    """Start a proxy in front of ClickHouse."""
    made = Proxy(int(clickhouse.rpartition(":")[2]), an_insert)
    yield made
    made.close()


@contextmanager
def table_setting(world: World, name: str, value: object) -> Iterator[None]:
    world.client.command(f"ALTER TABLE {world.events} MODIFY SETTING {name} = {value}")
    yield
    world.client.command(f"ALTER TABLE {world.events} RESET SETTING {name}")


def survived(world: World, worker: WorkerProcess, rows: int) -> None:
    """Assert that the worker stored every event once, kept its partitions throughout, and wrote no dead letters."""
    world.completed()
    assert world.counts() == (rows, rows)
    assert not worker.events("partition.lost")
    assert not worker.events("partition.revoked")
    assert not worker.events("partition.halted")
    assert len(worker.events("partition.assigned")) == world.settings.topic_partitions
    assert not buried(worker)
    assert worker.stop() == 0


def buried(worker: WorkerProcess) -> float:
    return sum(map(float, re.findall(r"dead_letters_total\{.*\} (\S+)", worker.get("/metrics"))))


def failed(worker: WorkerProcess, with_: str) -> bool:
    return any(with_ in line["error"] for line in worker.events("range.failed"))


def test_a_worker_waits_for_a_table_that_rejects_inserts(world: World) -> None:
    """The same worker survives a read-only table, too many parts, and a full disk."""
    worker, rows = world.worker(), 0
    for name, value, error in (
        ("table_readonly", 1, "READ_ONLY"),
        ("parts_to_throw_insert", 1, "TOO_MANY_PARTS"),
        ("min_free_disk_bytes_to_perform_insert", 10**15, "NOT_ENOUGH_SPACE"),
    ):
        world.produce(50)  # a single part, which reaches the limit of 1
        world.completed()
        with table_setting(world, name, value):
            world.produce(100)
            wait_until(lambda error=error: failed(worker, error), why=worker.tail)
            assert world.counts() == (rows + 50, rows + 50)
        rows += 150
        world.completed()
    survived(world, worker, rows)


def test_memory_and_time_limits_are_waited_out(world: World, proxy: Proxy) -> None:
    worker = world.worker(clickhouse_url=proxy.url)
    for setting, error in (
        ("max_memory_usage=1000", "MEMORY_LIMIT_EXCEEDED"),
        ("max_execution_time=0.00001", "TIMEOUT_EXCEEDED"),
    ):
        proxy.add_settings(setting, times=2)
        world.produce(100)
        wait_until(lambda error=error: failed(worker, error), why=worker.tail)
        world.completed()
    survived(world, worker, 200)


def test_missing_and_late_responses(world: World, proxy: Proxy) -> None:
    """Four cases: an insert is stored but its response is lost, the response arrives after the worker gave up, the
    insert itself arrives after the worker gave up, or the insert is cut off.
    """
    worker = world.worker(clickhouse_url=proxy.url, insert_timeout_s=1)
    for kind, act in (
        ("lost", lambda: proxy.lose_answers(3)),
        ("delayed", lambda: proxy.delay_answers(1.5)),
        ("held", lambda: proxy.hold_requests(1.5)),
        ("cut", lambda: proxy.cut_requests(3)),
    ):
        act()
        world.produce(100)
        wait_until(lambda kind=kind: proxy.fired[kind], why=worker.tail)
        world.completed()
    survived(world, worker, 400)


def test_a_missing_dead_letter_topic_leaves_the_range_open(world: World) -> None:
    name = world.settings.dead_letter_topic
    world.admin.delete_topics([name])[name].result(10)
    wait_until(lambda: name not in world.admin.list_topics(timeout=10).topics)
    world.send(b"bad")
    world.produce(20, partition=0)
    worker = world.worker()
    world.stored(20)
    world.produce(20, partition=1)  # the other partition is unaffected
    world.stored(40)
    consumer = Consumer(world.kafka | {"group.id": world.settings.consumer_group})
    [committed] = consumer.committed([TopicPartition(world.settings.topic, 0)], timeout=10)
    consumer.close()
    assert committed.offset == 0
    assert '"range"' in committed.metadata
    topics.ensure(world.settings)
    world.completed()
    assert len(world.dead_letters(1)) == 1
    assert world.counts() == (40, 40)
    assert worker.stop() == 0


def test_offsets_set_back_by_another_member(world: World) -> None:
    """Brokers let any member commit any offset. Messages that are therefore consumed again are not stored twice."""
    first = world.worker()
    world.produce(200)
    world.completed()
    group = {"group.id": world.settings.consumer_group, "group.protocol": "consumer"}
    member = Consumer(world.kafka | group)
    member.subscribe([world.settings.dead_letter_topic])
    wait_until(lambda: (member.poll(0.05), member.assignment())[1], why=first.tail)
    back = [TopicPartition(world.settings.topic, one, 7) for one in range(2)]
    assert all(one.error is None for one in member.commit(offsets=back, asynchronous=False))
    first.kill()
    member.close()
    second = world.worker()
    wait_until(lambda: len(second.events("partition.assigned")) == 2, why=second.tail)
    assert {line["offset"] for line in second.events("partition.assigned")} == {7}
    world.completed()
    assert world.counts() == (200, 200)
    assert second.stop() == 0


def test_the_registry_killed_mid_run(world: World, own_registry: RegistryProcess) -> None:
    """Messages that need the registry wait, and the outage causes no dead letters."""
    world.use_registry(own_registry.url)
    worker = world.worker(registry_url=own_registry.url, registry_refresh_s=0.2)
    world.produce(50)
    world.completed()
    own_registry.end()
    world.send(b"\x00\x7f\xff\xff\xffwho knows this schema?")
    world.produce(50)
    wait_until(lambda: failed(worker, "registry"), why=worker.tail)
    assert not buried(worker)
    own_registry.start()
    world.completed()
    assert world.counts() == (100, 100)
    assert len(world.dead_letters(1)) == 1
    assert worker.stop() == 0
