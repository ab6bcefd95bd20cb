"""Kills a partition's leader, and then the controller, while producers and a worker are running. Nothing is lost or
duplicated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from fixtures.kafka_cluster import Cluster
from fixtures.workers import World, wait_until, world_on


def can_create_topic(bootstrap: str, name: str) -> bool:
    """Return whether a topic can be created, which requires a controller. A new client is used each time, since
    librdkafka keeps waiting for the controller that it already knows.
    """
    try:
        admin = AdminClient({"bootstrap.servers": bootstrap})
        admin.create_topics([NewTopic(name, 1, 2)], request_timeout=15)[name].result(20)
    except KafkaException as error:
        # Created by a request that got no response.
        return bool(error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS)
    return True


@pytest.fixture
def world(kafka_cluster: Cluster, registry: str, clickhouse: str, unique: str, tmp_path: Path) -> Iterator[World]:
    """Yield a world whose topics have three replicas."""
    with closing(
        world_on(kafka_cluster.bootstrap, registry, clickhouse, unique, tmp_path, topic_replication_factor=3)
    ) as made:
        yield made


@pytest.mark.long
def test_the_leader_dies_while_producing_and_then_the_controller(
    kafka_cluster: Cluster, world: World, unique: str
) -> None:
    topic = world.settings.topic
    worker = world.worker()
    sure = Producer(world.kafka | {"acks": "all", "enable.idempotence": True, "delivery.timeout.ms": 120_000})
    failed: list[object] = []

    def produce(count: int) -> None:
        for number in range(count):
            sure.produce(
                topic,
                key=f"tenant{number % 5}",
                value=world.value(f"tenant{number % 5}", number),
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )

    produce(300)
    world.stored(1)
    # One fault at a time: the controller is killed later, and the two partitions have different leaders.
    _, controller = kafka_cluster.controller()
    at = next(one for one in range(2) if kafka_cluster.leader(topic, one) != controller)
    leader = kafka_cluster.leader(topic, at)
    produce(300)  # in flight
    kafka_cluster.kill(leader)
    produce(300)
    assert sure.flush(120) == 0
    assert not failed
    wait_until(lambda: kafka_cluster.leader(topic, at) not in (-1, leader), why=kafka_cluster.tail)
    assert leader not in kafka_cluster.in_sync(topic, at)
    world.stored(900, patience_s=120)  # the group's coordinator may have died, and a commit waits for it for a minute
    kafka_cluster.start(leader)
    wait_until(lambda: leader in kafka_cluster.in_sync(topic, at), why=kafka_cluster.tail, patience_s=90)
    produce(100)
    assert sure.flush(60) == 0
    world.completed(patience_s=120)
    assert world.counts() == (1_000, 1_000)

    epoch, controller = kafka_cluster.controller()
    produce(100)  # in flight
    kafka_cluster.kill(controller)
    produce(100)
    assert sure.flush(120) == 0
    assert not failed
    wait_until(
        lambda: kafka_cluster.controller()[0] > epoch and kafka_cluster.controller()[1] not in (-1, controller),
        why=kafka_cluster.tail,
    )
    wait_until(
        lambda: can_create_topic(kafka_cluster.bootstrap, f"{unique}-after"), why=kafka_cluster.tail, patience_s=120
    )
    world.completed(patience_s=120)
    assert world.counts() == (1_200, 1_200)
    kafka_cluster.start(controller)
    wait_until(lambda: controller in kafka_cluster.in_sync(topic), why=kafka_cluster.tail, patience_s=90)
    assert worker.stop() == 0
