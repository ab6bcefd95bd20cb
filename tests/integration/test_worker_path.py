"""Tests the path from Kafka to rows on real services: exact counts, dead letters, restarts, halts and drains."""

from __future__ import annotations

import json

from confluent_kafka import TopicPartition
from fixtures.workers import World, wait_until

from auditlane.local.doctor.host import service


def test_every_event_becomes_one_row(world: World) -> None:
    world.produce(500)
    worker = world.worker()
    world.stored(500)
    world.completed()
    assert world.counts() == (500, 500)
    status = json.loads(worker.get("/health/ready"))
    assert len(status.pop("provenance_keys")) == 1
    assert status == {"status": "ready", "missing": {}, "halted": {}, "failing": {}}
    assert json.loads(worker.get("/health/live")) == {"status": "live"}
    metrics = worker.get("/metrics")
    assert "auditlane_worker_messages_total 500.0" in metrics
    assert "auditlane_worker_rows_total 500.0" in metrics
    assert worker.stop() == 0


def test_a_corrupt_message_is_dead_lettered_alone(world: World) -> None:
    world.produce(60, partition=0)
    world.send(b"not framed", key="tenant3")
    world.send(None, key=None)
    world.produce(60, partition=0)
    worker = world.worker()
    world.completed()
    assert world.counts() == (120, 120)
    letters = {int(dict(one.headers())["__connect.errors.offset"]): one for one in world.dead_letters(2)}
    assert sorted(letters) == [60, 61]
    assert (letters[60].key(), letters[60].value()) == (b"tenant3", b"not framed")
    assert (letters[61].key(), letters[61].value()) == (None, None)
    headers = {name: value.decode() for name, value in letters[60].headers()}
    assert headers["auditlane.error.code"] == "NOT_FRAMED"
    assert headers["__connect.errors.topic"] == world.settings.topic
    assert headers["__connect.errors.partition"] == "0"
    assert headers["__connect.errors.exception.message"]
    assert headers["auditlane.topic.id"] == world.topic_id()
    assert 'auditlane_worker_dead_letters_total{code="NOT_FRAMED"}' in worker.get("/metrics")


def test_a_restart_resumes(world: World) -> None:
    world.produce(200)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    world.produce(300)
    second = world.worker()
    world.completed()
    assert world.counts() == (500, 500)
    assert {line["offset"] > 0 for line in second.events("partition.assigned")} == {True}


def test_a_terminated_worker_stores_its_buffered_messages(world: World) -> None:
    world.produce(300)
    worker = world.worker(range_age_ms=600_000)  # no range becomes due because of its age
    metric = "auditlane_worker_messages_total 300.0"
    wait_until(lambda: metric in worker.get("/metrics"), why=worker.tail)
    assert world.counts() == (0, 0)
    assert worker.stop() == 0
    assert world.counts() == (300, 300)
    world.completed()


def test_without_a_committed_offset_it_begins_after_the_stored_rows(world: World) -> None:
    world.produce(200)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    world.produce(100)
    again = world.worker(consumer_group=world.settings.consumer_group + "b")
    world.stored(300)
    assert again.stop() == 0
    assert world.counts() == (300, 300)
    begun = {line["offset"] for line in again.events("partition.assigned")}
    assert 0 not in begun
    assert "auditlane_worker_messages_total 100.0" in again.last_metrics


def test_an_offset_set_back_by_hand_stores_nothing_twice(world: World) -> None:
    world.produce(300)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    world.commit(0, 7)
    world.commit(1, 3)
    second = world.worker(range_rows=11)
    world.completed()
    assert second.stop() == 0
    assert world.counts() == (300, 300)


def test_offsets_that_kafka_lost_halt_one_partition(world: World) -> None:
    world.produce(40, partition=0)
    world.produce(40, partition=1)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    world.produce(40, partition=0)
    world.produce(40, partition=1)
    world.admin.delete_records([TopicPartition(world.settings.topic, 0, 60)])
    wait_until(lambda: world.low(0) == 60)
    second = world.worker()
    world.stored(120)
    [halted] = wait_until(lambda: second.events("partition.halted"), why=second.tail)
    assert "offsets 40-59 were not stored" in halted["reason"]
    assert world.counts() == (120, 120)
    assert "auditlane_worker_halted_partitions 1.0" in second.get("/metrics")
    assert "offsets 40-59" in str(json.loads(second.get("/health/ready"))["halted"]), (
        "still ready, since other partitions are consumed"
    )
    findings = [(one.level, one.message) for one in service("worker", second.ready(), world.settings)]
    assert [level for level, _ in findings] == ["ok", "fail"]
    assert "is halted: offsets 40-59" in findings[1][1]
    assert second.stop() == 0


def test_a_dedicated_topic_is_consumed_too(world: World) -> None:
    world.topic_for("acme")
    world.produce(20)
    world.worker()
    world.stored(20)
    world.producer.produce(f"{world.settings.topic}.acme", key="acme", value=world.value("acme", 1))
    assert world.producer.flush(30) == 0
    world.stored(21)
    assert world.counts() == (21, 21)
