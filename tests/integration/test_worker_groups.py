"""Tests group protocols and outages: classic groups, a second worker, and an unavailable registry and ClickHouse."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.registry import RegistryProcess
from fixtures.workers import World, wait_until, world_on

from auditlane.runtime import process


def test_a_worker_can_use_the_classic_group_protocol(world: World) -> None:
    world.produce(100)
    worker = world.worker(group_protocol="classic")
    world.completed()
    assert world.counts() == (100, 100)
    assert worker.stop() == 0


def test_auto_falls_back_to_a_classic_group_on_brokers_without_the_new_protocol(
    registry: str, clickhouse: str, unique: str, tmp_path: Path
) -> None:
    broker = make_broker(tmp_path, settings={"group.coordinator.rebalance.protocols": "classic"})
    running = broker.start(tmp_path / "kafka.out")
    wait_for_broker(broker.bootstrap)
    world = world_on(broker.bootstrap, registry, clickhouse, unique, tmp_path)
    worker = world.worker()
    world.produce(100)
    world.completed()
    assert worker.events("group.classic")
    assert world.counts() == (100, 100)
    assert worker.stop() == 0
    world.close()
    process.stop(running, grace_s=20)


def test_a_second_worker_takes_its_share(world: World) -> None:
    first = world.worker()
    world.produce(100)
    world.stored(100)
    second = world.worker()
    wait_until(lambda: second.events("partition.assigned"), why=second.tail)
    world.produce(300)
    world.completed()
    assert "auditlane_worker_partitions 1.0" in first.get("/metrics")
    assert first.stop() == 0
    world.produce(100)
    world.completed()
    assert second.stop() == 0
    assert world.counts() == (500, 500)


@pytest.mark.parametrize("protocol", ["consumer", "classic"])
def test_a_partition_revoked_while_paused_is_consumed_when_it_returns(world: World, protocol: str) -> None:
    """A halted partition is paused, and librdkafka keeps it paused across assignments."""
    for number in range(2):
        world.produce(10, partition=number)
        world.commit(number, 20)  # past the end
    first = world.worker(group_protocol=protocol)
    wait_until(lambda: len(first.events("partition.halted")) == 2, why=first.tail)
    second = world.worker(group_protocol=protocol)
    [moved] = wait_until(lambda: second.events("partition.halted"), why=second.tail)
    assert first.events("partition.revoked")
    world.produce(30, partition=moved["partition"])
    assert second.stop() == 0
    world.stored(20)
    assert len(first.events("partition.assigned")) == 3
    assert world.counts() == (20, 20)
    assert first.stop() == 0


def test_a_worker_without_partitions_is_ready_too(world: World) -> None:
    workers = [world.worker() for _ in range(3)]  # for two partitions
    assert len({worker.ready() for worker in workers}) == 3
    assert [worker.stop() for worker in workers] == [0, 0, 0]


def test_a_worker_waits_for_an_unreachable_registry(world: World, own_registry: RegistryProcess) -> None:
    """An outage does not cause dead letters. Once the registry is available again, the same worker stores the waiting
    messages.
    """
    world.use_registry(own_registry.url)
    own_registry.end()
    world.produce(50)
    worker = world.worker(registry_url=own_registry.url)
    wait_until(lambda: worker.events("range.failed"), why=worker.tail)
    assert world.counts() == (0, 0)
    assert '"registry"' in worker.get_status("/health/ready")[1]
    own_registry.start()
    world.completed()
    assert world.counts() == (50, 50)
    assert set(re.findall(r"dead_letters_total\{.*\} (\S+)", worker.get("/metrics"))) == {"0.0"}
    assert worker.stop() == 0
