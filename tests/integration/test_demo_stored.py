"""The demo on real parts: the sample stored once, also after a kill, and each record rebuilt from what is stored."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC
from importlib.resources import files
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from fixtures.workers import PATIENCE_S, World, wait_until

from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.importer.cloudtrail import rebuild
from auditlane.local.demo import LIVE_TENANT, SAMPLE_TENANT
from auditlane.runtime.settings import variable

SAMPLE = gzip.decompress((files("auditlane.local") / "sample" / "events.jsonl.gz").read_bytes()).splitlines()


class Demo:
    """`python -m auditlane.local.demo` in a world."""

    def __init__(self, world: World, folder: Path) -> None:
        options = world.settings.model_dump(exclude_unset=True)
        self.env = os.environ | {variable(name): str(value) for name, value in options.items()}
        self.folder = folder
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "auditlane.local.demo"]
        with (self.folder / "demo.out").open("ab") as out, (self.folder / "demo.err").open("ab") as err:
            self.started.append(subprocess.Popen(command, env=self.env, stdout=out, stderr=err))
        return self.started[-1]

    def lines(self) -> list[str]:
        return (self.folder / "demo.out").read_text().splitlines()

    def errors(self) -> str:
        return (self.folder / "demo.err").read_text()[-3_000:]


@pytest.fixture
def demo(world: World, tmp_path: Path) -> Iterator[Demo]:
    made = Demo(world, tmp_path)
    yield made
    for one in made.started:
        one.kill()
        one.wait(PATIENCE_S)


def on_topic(world: World) -> int:
    """Messages on the shared topic."""
    consumer = Consumer(world.kafka | {"group.id": "none"})
    places = [TopicPartition(world.settings.topic, one) for one in range(world.settings.topic_partitions)]
    try:
        return sum(consumer.get_watermark_offsets(one, timeout=10)[1] for one in places)
    finally:
        consumer.close()


def stored(world: World, tenant: str) -> tuple[int, int]:
    query = f"SELECT count(), uniqExact(event_id) FROM {world.events} WHERE tenant_id = '{tenant}'"
    [row] = world.client.query(query).result_rows
    return int(row[0]), int(row[1])


def test_a_demo_killed_while_it_imports_and_run_again_stores_the_sample_once(world: World, demo: Demo) -> None:
    first = demo.start()
    wait_until(lambda: on_topic(world) > 0, why=demo.errors)
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE_S)
    world.worker()
    second = demo.start()
    wait_until(demo.lines, why=demo.errors, patience_s=90)
    assert json.loads(demo.lines()[-1]) == {"ready": True, "rows": 2000}
    assert stored(world, SAMPLE_TENANT) == (2000, 2000)
    wait_until(lambda: stored(world, LIVE_TENANT)[0] > 0, why=demo.errors)
    second.send_signal(signal.SIGTERM)
    assert second.wait(PATIENCE_S) == 0, demo.errors()

    third = demo.start()
    wait_until(lambda: len(demo.lines()) == 2, why=demo.errors)
    third.send_signal(signal.SIGTERM)
    assert third.wait(PATIENCE_S) == 0
    assert stored(world, SAMPLE_TENANT) == (2000, 2000)

    query = f"SELECT {', '.join(BASE_FIELDS)} FROM `{world.settings.clickhouse_database}`.log WHERE tenant_id = %(t)s"
    rows = world.client.query(query, {"t": SAMPLE_TENANT}).result_rows
    rebuilt = {}
    for row in rows:
        values = dict(zip(BASE_FIELDS, row, strict=True))
        values["occurred_at"] = values["occurred_at"].replace(tzinfo=UTC)
        event = AuditEvent(**values)
        rebuilt[event.event_id] = rebuild(event)
    assert rebuilt == {record["eventID"]: record for record in map(json.loads, SAMPLE)}
