"""Tests the demo on real services. Its history is stored only once, even after a kill, and all views show the same
count.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from fixtures.workers import PATIENCE_S, World, wait_until, world_on
from ocsf_schema import VERSIONS, needs_schema, ocsf_schema
from serving import Served

from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.local.demo.fields import FIELDS
from auditlane.local.demo.history import events
from auditlane.local.demo.origin import SEED
from auditlane.local.demo.tenants import TENANTS
from auditlane.runtime.settings import variable

NAMES = [tenant.name for tenant in TENANTS]


class Demo:
    """Runs `python -m auditlane.local.demo` in a world."""

    def __init__(self, world: World, folder: Path) -> None:
        options = world.settings.model_dump(exclude_unset=True) | {"data_dir": folder / "data"}
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

    def stop(self) -> None:
        self.started[-1].send_signal(signal.SIGTERM)
        assert self.started[-1].wait(PATIENCE_S) == 0, self.errors()

    def kill(self) -> None:
        for process in self.started:
            process.kill()
            process.wait(PATIENCE_S)

    def first_start(self) -> datetime:
        return datetime.fromisoformat(json.loads((self.folder / "data" / "demo.json").read_text())["start"])


@pytest.fixture
def demo(world: World, tmp_path: Path) -> Iterator[Demo]:
    made = Demo(world, tmp_path)
    yield made
    made.kill()


@pytest.fixture(scope="module")
def imported(
    kafka: str, registry: str, clickhouse: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[World, Demo]]:
    """Provide a world into which the demo's history has been imported, and the stopped demo."""
    folder = tmp_path_factory.mktemp("demo")
    world = world_on(kafka, registry, clickhouse, f"t{uuid.uuid4().hex[:12]}", folder)
    demo = Demo(world, folder)
    try:
        world.worker()
        demo.start()
        wait_until(demo.lines, why=demo.errors, patience_s=90)
        demo.stop()
        yield world, demo
    finally:
        demo.kill()
        world.close()


def on_topic(world: World) -> int:
    consumer = Consumer(world.kafka | {"group.id": "none"})
    places = [TopicPartition(world.settings.topic, one) for one in range(world.settings.topic_partitions)]
    try:
        return sum(consumer.get_watermark_offsets(one, timeout=10)[1] for one in places)
    finally:
        consumer.close()


def stored(world: World, table: str = "events") -> dict[str, AuditEvent]:
    """Return the stored events by id, with custom fields as text. Fails if an id occurs twice."""
    columns = ", ".join([*BASE_FIELDS, "fields"])
    query = f"SELECT {columns} FROM `{world.settings.clickhouse_database}`.{table} WHERE tenant_id IN %(tenants)s"
    found = {}
    for row in world.client.query(query, {"tenants": NAMES}).result_rows:
        values = dict(zip([*BASE_FIELDS, "fields"], row, strict=True))
        values["occurred_at"] = values["occurred_at"].replace(tzinfo=UTC)
        event = AuditEvent(**values)
        assert event.event_id not in found
        found[event.event_id] = event
    return found


@pytest.mark.long
def test_a_demo_killed_while_it_imports_and_run_again_stores_each_event_once(world: World, demo: Demo) -> None:
    first = demo.start()
    wait_until(lambda: on_topic(world) > 0, why=demo.errors)
    first.send_signal(signal.SIGKILL)
    first.wait(PATIENCE_S)
    world.worker()
    second = demo.start()
    wait_until(demo.lines, why=demo.errors, patience_s=90)
    begin = demo.first_start()
    summary = json.loads(demo.lines()[-1])
    assert summary["ready"] is True
    assert len(events(SEED, begin)) <= summary["rows"] <= len(events(SEED, begin, datetime.now(UTC)))
    wait_until(lambda: len(stored(world)) > summary["rows"], why="for a live event")
    assert second.poll() is None
    demo.stop()

    demo.start()
    wait_until(lambda: len(demo.lines()) == 2, why=demo.errors)
    demo.stop()
    assert demo.first_start() == begin
    found = stored(world)
    for event in events(SEED, begin):
        kept = found[event.event_id]
        assert (kept.occurred_at, kept.action, kept.before, kept.after) == (
            event.occurred_at,
            event.action,
            event.before,
            event.after,
        )
        assert kept.fields == {name: str(value) for name, value in event.fields.items()}
    live = [event for event in found.values() if event.occurred_at > begin]
    assert {field.name for field in FIELDS["acme"]} >= set().union(
        *(event.fields for event in live if event.tenant_id == "acme")
    )


def test_console_page_export_and_sql_agree_on_the_count(imported: tuple[World, Demo], tmp_path: Path) -> None:
    world, _ = imported
    settings = world.settings.model_dump(exclude_unset=True) | {"audit_aggregation_s": 3_600}
    with Served(tmp_path, **settings) as served:
        admin = served.client_token("admin")

        def counts(tenant: str) -> set[int]:
            token = served.viewer_token(tenant)
            console = {
                row["tenant"]: row["events"] for row in served.request("/v1/admin/tenants", admin).json()["data"]
            }
            page = served.request("/v1/histogram", token).json()["events"]
            exported = len(served.request("/v1/export?format=jsonl", token).data.splitlines())
            query = f"SELECT count() FROM `{world.settings.clickhouse_database}`.log WHERE tenant_id = %(tenant)s"
            [[rows]] = world.client.query(query, {"tenant": tenant}).result_rows
            return {console[tenant], page, exported, rows}

        for tenant in NAMES:  # reading a log soon adds an event to it
            wait_until(lambda tenant=tenant: len(counts(tenant)) == 1, why=lambda tenant=tenant: str(counts(tenant)))


@needs_schema
def test_the_demo_as_ocsf_is_valid(imported: tuple[World, Demo]) -> None:
    world, demo = imported
    classes = set()
    for version in VERSIONS:
        schema = ocsf_schema(version)
        for tenant in NAMES:
            command = ["export", "--tenant", tenant, "--format", "ocsf", "--ocsf-version", version, "--include-access"]
            made = subprocess.run(
                [sys.executable, "-m", "auditlane.cli", *command],
                env=demo.env,
                capture_output=True,
                timeout=120,
                check=True,
            )
            events = [json.loads(line) for line in made.stdout.splitlines()]
            query = f"SELECT count() FROM `{world.settings.clickhouse_database}`.log WHERE tenant_id = %(tenant)s"
            assert len(events) == world.client.query(query, {"tenant": tenant}).result_rows[0][0] > 100
            assert [problem for event in events for problem in schema.problems(event)] == []
            classes |= {event["class_uid"] for event in events}
    assert {2004, 3001, 3002, 3004, 3005, 3006, 3007, 6001, 6003} <= classes
