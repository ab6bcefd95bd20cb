"""Tests that a halted partition resumes after the command that its message names. Nothing else is lost, and nothing is
stored twice.
"""

from __future__ import annotations

import json
import re
import shlex
import signal

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from fixtures.commands import Commands
from fixtures.workers import WorkerProcess, World, wait_until

from auditlane.contract.intent import Intent
from auditlane.local.doctor import host


def halted(worker: WorkerProcess) -> str:
    """Return the reason why the worker halted. Fails unless it halted exactly once."""
    [line] = wait_until(lambda: worker.events("partition.halted"), why=worker.tail)
    return str(line["reason"])


def named(reason: str) -> list[str]:
    """Return the arguments of the command that the message names."""
    return shlex.split(re.findall("`auditlane ([^`]+)`", reason)[0])


def test_the_command_in_the_message_skips_the_lost_offsets(world: World, commands: Commands) -> None:
    world.produce(40, partition=0)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    world.produce(40, partition=0)
    world.admin.delete_records([TopicPartition(world.settings.topic, 0, 60)])
    wait_until(lambda: world.low(0) == 60)
    second = world.worker()
    reason = halted(second)
    assert "offsets 40-59 were not stored" in reason
    assert "stop the workers and run" in reason
    port = int(second.ready().rpartition(":")[2])
    doctor = list(host.workers(world.settings.model_copy(update={"worker_port": port})))
    assert any(one.level == "fail" and reason in one.message for one in doctor)
    command = named(reason)
    assert "Stop every worker" in commands.text(*command, "--yes", code=5)
    looked = commands.run(*command, "--dry-run")
    assert (looked["offsets"], looked["first"], looked["to"], looked["stored"]) == (20, 40, 60, 0)
    assert looked["members"] == 1
    assert second.stop() == 0

    assert "--yes" in commands.text(*command, code=2), "standard input is not a terminal"
    assert "Kafka still holds offsets 60-60" in commands.text(*command[:-1], "61", "--yes", code=2)
    assert "starts at offset 60" in commands.text(*command[:-1], "59", "--yes", code=2)
    output = commands.text(*command, "--yes")
    assert f"{world.settings.topic}[0]: 20 offsets (40-59) abandoned; ClickHouse holds 0 rows of them." in output
    third = world.worker()
    world.stored(61)
    world.completed()
    assert json.loads(third.get("/health/ready"))["halted"] == {}
    assert third.stop() == 0
    rows = world.client.query(
        f"SELECT resource_id, metadata['offsets'] FROM {world.events} WHERE action = 'loss.accepted'"
    ).result_rows
    assert [tuple(row) for row in rows] == [(f"{world.settings.topic}[0]", "20")]
    assert world.counts() == (61, 61)
    found = commands.run("verify")
    assert found["ok"]
    assert (found["counts"]["gone"], found["counts"]["beyond_retention"]) == (60, 40)
    given_up = commands.run("verify", world.settings.topic, "--range", "0:40-59")["counts"]
    assert (given_up["gone"], given_up["beyond_retention"]) == (20, 0)


def test_a_worker_that_cannot_be_stopped_can_be_frozen(world: World, commands: Commands) -> None:
    """For example, `auditlane up` would restart its worker. Kafka expels a frozen worker from the group."""
    world.produce(10, partition=0)
    world.commit(0, 0)
    world.admin.delete_records([TopicPartition(world.settings.topic, 0, 4)])
    wait_until(lambda: world.low(0) == 4)
    worker = world.worker()
    command = named(halted(worker))
    worker.process.send_signal(signal.SIGSTOP)
    wait_until(lambda: commands.run(*command, "--dry-run")["members"] == 0)
    assert commands.run(*command, "--yes")["offsets"] == 4
    worker.process.send_signal(signal.SIGCONT)
    world.stored(7)
    world.completed()
    assert json.loads(worker.get("/health/ready"))["halted"] == {}
    assert worker.stop() == 0
    assert world.counts() == (7, 7)


@pytest.mark.long
def test_a_truncated_log_resumes_once_its_rows_are_moved_aside(world: World, commands: Commands) -> None:
    """Follows docs/operate/workers.md. Rows above the end of the log simulate messages that a broker has lost."""
    world.produce(40, partition=0)
    first = world.worker()
    world.completed()
    assert first.stop() == 0
    topic, topic_id = world.settings.topic, world.topic_id()
    source = f"(SELECT * FROM {world.events} WHERE kafka_offset < 10)"
    world.client.command(
        f"INSERT INTO {world.events} SELECT * REPLACE (kafka_offset + 40 AS kafka_offset, "
        f"generateUUIDv4() AS event_id) FROM {source}"
    )
    consumer = Consumer(world.kafka | {"group.id": world.settings.consumer_group})
    at = TopicPartition(topic, 0, 50, Intent(topic_id).encode())

    def taken() -> bool:
        try:
            return bool(consumer.commit(offsets=[at], asynchronous=False))
        except KafkaException:  # the worker has not left the group yet
            return False

    wait_until(taken)
    consumer.close()
    second = world.worker()
    reason = halted(second)
    assert "offset 50 was committed but the log ends at 40: it was truncated" in reason
    assert "docs/operate/workers.md" in reason
    assert second.stop() == 0

    command = ("accept-loss", topic, "0", "--to", "40", "--yes")
    assert "rows with offsets 40-49, which Kafka will assign again" in commands.text(*command, code=5)
    world.client.command(f"SYSTEM START MERGES {world.events}")
    world.client.command(
        f"ALTER TABLE {world.events} UPDATE kafka_topic_id = toUUID('00000000-0000-0000-0000-000000000000') "
        f"WHERE kafka_topic_id = toUUID('{topic_id}') AND kafka_partition = 0 AND kafka_offset >= 40",
        settings={"mutations_sync": 2},
    )
    world.client.command(f"SYSTEM STOP MERGES {world.events}")
    assert "no offsets abandoned" in commands.text(*command)
    world.produce(20, partition=0)
    third = world.worker()
    world.stored(50 + 20 + 1)
    world.completed()
    assert third.stop() == 0
    assert world.counts() == (71, 71)
    found = commands.run("verify")
    assert found["ok"]
    assert found["counts"]["beyond_retention"] == 10
