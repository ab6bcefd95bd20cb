"""Tests that a fault in a real stack fires its alerts in a real Prometheus, and that following the runbook resolves
them.
"""

from __future__ import annotations

import functools
import http.server
import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType
from fixtures.commands import Commands
from fixtures.prometheus import Prometheus
from fixtures.workers import World, wait_until
from serving import ServeProcess

pytestmark = pytest.mark.long


@contextmanager
def exporter(commands: Commands) -> Iterator[str]:
    process = commands.start("lag", "--serve", "0")
    assert process.stdout is not None
    try:
        yield str(json.loads(process.stdout.readline())["url"])
    finally:
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def send_as_if_days_ago(world: World) -> None:
    """Send an event with an old Kafka timestamp, as if no worker had been running since then."""
    entries = [ConfigEntry("message.timestamp.type", "CreateTime", incremental_operation=AlterConfigOpType.SET)]
    topic = ConfigResource(ResourceType.TOPIC, world.settings.topic, incremental_configs=entries)
    world.admin.incremental_alter_configs([topic])[topic].result(10)
    then = datetime.now(UTC) - timedelta(days=4)
    value, sent_ms = world.value("tenant0", 1, occurred_at=then), int(then.timestamp() * 1_000)
    world.producer.produce(world.settings.topic, key="tenant0", value=value, partition=0, timestamp=sent_ms)
    assert world.producer.flush(30) == 0


def test_alerts_fire_without_a_worker(prometheus: Prometheus, world: World, commands: Commands) -> None:
    alerts = ("AuditlaneNoWorker", "AuditlanePartitionUnassigned", "AuditlaneTargetDown")
    late = ("AuditlaneLag", "AuditlaneFreshnessBurn", "AuditlaneRetentionDanger")
    worker = world.worker()
    world.produce(100)
    world.completed()
    with exporter(commands) as url:
        prometheus.scrape({"auditlane-worker": [worker.ready()], "auditlane-lag": [url]})
        prometheus.is_quiet_about(*alerts, *late)
        worker.kill()
        prometheus.fires(*alerts)
        send_as_if_days_ago(world)
        prometheus.fires(*late)

        prometheus.scrape({"auditlane-worker": [world.worker().ready()]})
        world.stored(101)
        prometheus.is_quiet_about(*alerts, *late)


def test_a_halted_partition_with_lost_offsets(prometheus: Prometheus, world: World, commands: Commands) -> None:
    alerts = ("AuditlanePartitionHalted", "AuditlaneOffsetsLost")
    world.produce(40, partition=0)
    first = world.worker()
    world.completed()
    with exporter(commands) as url:
        prometheus.scrape({"auditlane-worker": [first.ready()], "auditlane-lag": [url]})
        prometheus.is_quiet_about(*alerts)
        assert first.stop() == 0
        world.produce(40, partition=0)
        world.admin.delete_records([TopicPartition(world.settings.topic, 0, 60)])
        wait_until(lambda: world.low(0) == 60)
        second = world.worker()
        prometheus.scrape({"auditlane-worker": [second.ready()]})
        prometheus.fires(*alerts)

        assert second.stop() == 0
        commands.text("accept-loss", world.settings.topic, "0", "--to", "60", "--yes")
        prometheus.scrape({"auditlane-worker": [world.worker().ready()]})
        world.stored(60)
        prometheus.is_quiet_about(*alerts)


def test_rejected_messages_and_the_circuit_breaker(prometheus: Prometheus, world: World) -> None:
    alerts = ("AuditlaneCircuitOpen", "AuditlaneDeadLetters", "AuditlaneDeadLetterRatio")
    first = world.worker(dlq_ratio_window=50)
    world.produce(20, partition=0)
    world.stored(20)
    prometheus.scrape({"auditlane-worker": [first.ready()]})
    prometheus.is_quiet_about(*alerts)
    wait_until(lambda: prometheus.query("sum(auditlane_worker_dead_letters_total)") == [0.0])
    for number in range(20):
        world.send(b"junk", key=f"tenant{number % 4}")
    prometheus.fires("AuditlaneDeadLetters", "AuditlaneDeadLetterRatio")
    for number in range(200):
        world.producer.produce(world.settings.topic, key=f"tenant{number % 4}", value=b"junk", partition=0)
    assert world.producer.flush(30) == 0
    prometheus.fires("AuditlaneCircuitOpen")

    assert first.stop() == 0
    second = world.worker(dlq_ratio_window=50, dlq_max_ratio=1.0)
    prometheus.scrape({"auditlane-worker": [second.ready()]})
    world.completed()
    prometheus.is_quiet_about(*alerts)


def test_a_lag_that_is_not_read(prometheus: Prometheus, world: World, commands: Commands) -> None:
    world.produce(1)
    with exporter(commands) as url:
        prometheus.scrape({"auditlane-lag": [url]})
        prometheus.is_quiet_about("AuditlaneLagUnknown")
    prometheus.fires("AuditlaneLagUnknown")
    with exporter(commands) as url:
        prometheus.scrape({"auditlane-lag": [url]})
        prometheus.is_quiet_about("AuditlaneLagUnknown")


class _Textfile(http.server.SimpleHTTPRequestHandler):
    """Serves the file `metrics` from a folder, as the node exporter serves its text files."""

    def log_message(self, *_: object) -> None:
        pass


def test_verify_alerts_fire_and_resolve(
    prometheus: Prometheus, world: World, commands: Commands, tmp_path: Path
) -> None:
    folder = tmp_path / "textfile"
    folder.mkdir()
    verify = ("verify", "--metrics", str(folder / "metrics"))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Textfile, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        prometheus.scrape({"node": [f"http://127.0.0.1:{server.server_port}"]})
        world.produce(50)
        world.worker()
        world.completed()
        prometheus.fires("AuditlaneVerifyStale")
        commands.run(*verify)
        prometheus.is_quiet_about("AuditlaneVerifyStale", "AuditlaneVerifyFailed")
        world.client.command(f"SYSTEM START MERGES {world.events}")  # a mutation needs merges
        world.client.command(f"DELETE FROM {world.events} WHERE kafka_offset = 0")
        commands.run(*verify, code=1)
        prometheus.fires("AuditlaneVerifyFailed")

        commands.run("replay", world.settings.topic)
        commands.run(*verify)
        prometheus.is_quiet_about("AuditlaneVerifyFailed")
    finally:
        server.shutdown()
        server.server_close()


def test_an_invalid_keys_file(prometheus: Prometheus, world: World, tmp_path: Path) -> None:
    folder = tmp_path / "serve"
    folder.mkdir()
    with ServeProcess(folder, **world.settings.model_dump(exclude_unset=True)) as served:
        prometheus.scrape({"auditlane-serve": [served.url]})
        wait_until(lambda: prometheus.query("auditlane_credentials_stale"))
        prometheus.is_quiet_about("AuditlaneCredentialsStale")
        keys = folder / "keys.json"
        valid = keys.read_text()
        keys.write_text(valid + "}")
        prometheus.fires("AuditlaneCredentialsStale")
        keys.write_text(valid)
        prometheus.is_quiet_about("AuditlaneCredentialsStale")
