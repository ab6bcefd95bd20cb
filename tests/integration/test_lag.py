"""Tests `auditlane lag` on a real broker and group."""

from __future__ import annotations

import json
import signal
import urllib.request
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from fixtures.commands import Commands
from fixtures.workers import World, wait_until
from prometheus_client.parser import text_string_to_metric_families

from auditlane.runtime.metrics import exposed_by


def lag(commands: Commands, *options: str, code: int = 0) -> Any:
    """Run `auditlane lag --json` as a process. Returns its parsed output, or its stderr if it prints no output."""
    process = commands.start("lag", "--json", *options)
    out, complaint = process.communicate(timeout=60)
    assert process.returncode == code, complaint
    return json.loads(out) if out else complaint


def test_lag_before_during_and_after_a_worker(world: World, commands: Commands) -> None:
    error = lag(commands, code=3)
    assert "no member and no committed offset" in str(error)
    world.produce(5, partition=0)
    world.commit(0, 2)
    report = lag(commands)
    assert report["group"] == world.settings.consumer_group
    first, second = report["partitions"]
    assert (first["committed"], first["end"], first["lag"], first["member"]) == (2, 5, 3, "")
    assert 0 <= first["age_s"] < 300
    assert first["abandoned"]
    assert (second["committed"], second["lag"], second["age_s"]) == (None, 0, None)
    lag(commands, "--max-lag", "2", code=1)
    assert lag(commands, "--max-lag", "3", "--max-age", "3600")["lag"] == 3

    worker = world.worker()
    worker.ready()
    wait_until(lambda: lag(commands)["lag"] == 0, why=worker.tail)
    wait_until(lambda: all(one["member"] for one in lag(commands)["partitions"]), why=worker.tail)
    assert "auditlane-worker" in lag(commands)["partitions"][0]["member"]
    assert worker.stop() == 0


def test_a_new_group_over_a_stored_partition_is_not_behind(world: World, commands: Commands) -> None:
    """The worker starts after the stored rows, and commits an offset only when a message arrives."""
    world.produce(40, partition=0)
    first = world.worker()
    world.stored(40)
    world.completed()
    assert first.stop() == 0
    topic, group = world.settings.topic, world.settings.consumer_group

    def forgotten() -> bool:
        try:
            return world.admin.delete_consumer_groups([group])[group].result(10) is None
        except KafkaException:  # the group's last member is still leaving
            return False

    wait_until(forgotten)
    world.admin.delete_records([TopicPartition(topic, 0, 25)])
    wait_until(lambda: world.low(0) == 25)
    second = world.worker()
    second.ready()
    wait_until(lambda: second.events("partition.assigned"), why=second.tail)
    partition = lag(commands, "--max-age", "0", "--max-lag", "0")["partitions"][0]
    assert (partition["committed"], partition["end"], partition["lag"], partition["age_s"]) == (None, 40, 0, None)
    found = commands.run("verify")
    assert (found["counts"]["stored"], found["counts"]["pending"], found["ok"]) == (15, 0, True)
    process = commands.start("lag", "--json", clickhouse_url="http://127.0.0.1:1")
    assert json.loads(process.communicate(timeout=60)[0])["lag"] == 15, "without the store, Kafka's messages count"
    assert second.stop() == 0


def test_watching_prints_a_line_per_poll_until_interrupted(world: World, commands: Commands) -> None:
    world.produce(3, partition=1)
    world.commit(1, 0)
    watching = commands.start("lag", "--watch", "--json", "--every", "0.2")
    assert watching.stdout is not None
    assert json.loads(watching.stdout.readline())["lag"] == 3
    world.produce(2, partition=1)
    wait_until(lambda: json.loads(watching.stdout.readline())["lag"] == 5)
    watching.send_signal(signal.SIGINT)
    _, complaint = watching.communicate(timeout=30)
    assert (watching.returncode, complaint) == (0, "")


def test_the_exporter_has_the_lag_and_the_letters_without_a_worker(world: World, commands: Commands) -> None:
    world.produce(5, partition=0)
    world.commit(0, 2)
    exporter = commands.start("lag", "--serve", "0")
    assert exporter.stdout is not None
    url = json.loads(exporter.stdout.readline())["url"]

    def get(path: str) -> str:
        with urllib.request.urlopen(url + path, timeout=10) as answer:
            return answer.read().decode()

    topic = f'{{topic="{world.settings.topic}"}}'
    wait_until(lambda: f"auditlane_group_lag_records{topic} 3.0" in get("/metrics"))
    wait_until(lambda: 'auditlane_group_up{reading="dead_letters"} 1.0' in get("/metrics"))
    text = get("/metrics")
    assert f"auditlane_group_unassigned_partitions{topic} 2.0" in text
    assert "auditlane_dead_letters_oldest_seconds 0.0" in text
    assert json.loads(get("/health/ready")) == {"status": "ready"}
    assert json.loads(get("/health/live")) == {"status": "live"}
    families = list(text_string_to_metric_families(text))
    found = {one.name + "_total" * (one.type == "counter"): one.type for one in families}
    assert {name: kind for name, kind in found.items() if not name.endswith("_created")} == exposed_by("lag")
    exporter.send_signal(signal.SIGINT)
    _, complaint = exporter.communicate(timeout=30)
    assert (exporter.returncode, complaint) == (0, "")
