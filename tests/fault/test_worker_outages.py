"""Kills services while a worker is running. The worker waits, keeps its partitions and events, and still exits on
SIGTERM.
"""

from __future__ import annotations

import signal
from pathlib import Path

from fixtures.clickhouse import EngineProcess
from fixtures.kafka import make_broker, wait_for_broker
from fixtures.workers import wait_until, world_on

from auditlane.runtime import process
from auditlane.worker.service import HARD_EXIT


def test_clickhouse_killed_under_load(registry: str, kafka: str, unique: str, tmp_path: Path) -> None:
    engine = EngineProcess(tmp_path / "engine")
    world = world_on(kafka, registry, engine.url, unique, tmp_path)
    worker = world.worker(range_rows=20, range_age_ms=10)
    world.produce(100)
    world.stored(1)
    engine.kill()
    world.produce(200)
    wait_until(lambda: worker.events("range.failed"), why=worker.tail)
    engine = EngineProcess(tmp_path / "engine", port=int(engine.url.rpartition(":")[2]))
    world.completed()
    assert world.counts() == (300, 300)
    assert worker.stop() == 0
    world.close()
    engine.stop()


def test_a_worker_without_its_broker_ends_in_time(registry: str, clickhouse: str, unique: str, tmp_path: Path) -> None:
    broker = make_broker(tmp_path)
    running = broker.start(tmp_path / "kafka.out")
    wait_for_broker(broker.bootstrap)
    world = world_on(broker.bootstrap, registry, clickhouse, unique, tmp_path)
    world.produce(100)
    worker = world.worker(shutdown_timeout_s=3, range_age_ms=600_000)
    wait_until(lambda: "auditlane_worker_messages_total 100.0" in worker.get("/metrics"), why=worker.tail)
    running.send_signal(signal.SIGSTOP)
    assert worker.stop() in (0, HARD_EXIT), "in time, though its commit waits for the broker"
    running.send_signal(signal.SIGCONT)
    world.worker()
    world.completed()
    assert world.counts() == (100, 100)
    world.close()
    process.stop(running, grace_s=20)


def test_a_hanging_insert_does_not_block_a_stopping_worker(
    registry: str, kafka: str, unique: str, tmp_path: Path
) -> None:
    engine = EngineProcess(tmp_path / "engine")
    world = world_on(kafka, registry, engine.url, unique, tmp_path)
    worker = world.worker(shutdown_timeout_s=3, insert_timeout_s=600)
    world.produce(50)
    world.completed()
    engine.process.send_signal(signal.SIGSTOP)
    world.produce(50)
    wait_until(lambda: "auditlane_worker_messages_total 100.0" in worker.get("/metrics"), why=worker.tail)
    worker.process.terminate()
    assert worker.ended() in (0, HARD_EXIT), "long before the insert's time-out"
    engine.process.send_signal(signal.SIGCONT)
    world.worker()
    world.completed()
    assert world.counts() == (100, 100)
    world.close()
    engine.stop()
