"""Tests `auditlane import` and `auditlane emit` as processes, with a real broker and registry."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import fastavro
import pytest
from cloudtrail_records import lines, records
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.contract.wire import unframe
from auditlane.local.demo import backfill
from auditlane.local.demo.history import events
from auditlane.runtime.settings import Settings

MANY = 20_000
START = datetime(2026, 3, 4, 16, 20, 5, tzinfo=UTC)
SCHEMA = fastavro.parse_schema(base_schema())


class Stack:
    """A topic for one test, and a command that is configured to use it."""

    def __init__(self, kafka: str, registry: str, topic: str, cache: Path) -> None:
        self.kafka, self.topic = kafka, topic
        self.variables = {
            "AUDITLANE_KAFKA_BOOTSTRAP": kafka,
            "AUDITLANE_REGISTRY_URL": registry,
            "AUDITLANE_TOPIC": topic,
            "AUDITLANE_CACHE_DIR": str(cache),
        }
        self.make_topic()
        client = RegistryClient(registry)
        client.register(f"{topic}-value", json.dumps(base_schema()))
        client.close()

    def make_topic(self, *, anew: bool = False) -> None:
        admin = AdminClient({"bootstrap.servers": self.kafka})
        if anew:
            admin.delete_topics([self.topic])[self.topic].result(30)
        deadline = time.monotonic() + 30
        while True:  # a topic disappears only some time after its deletion is confirmed
            try:
                admin.create_topics([NewTopic(self.topic, 2, 1)])[self.topic].result(30)
                return
            except KafkaException:
                assert time.monotonic() < deadline
                time.sleep(0.1)

    def start(self, *arguments: str, **more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "auditlane.cli", *arguments]
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(command, env={**os.environ, **self.variables, **more}, text=True, **pipes)

    def run(self, *arguments: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments, **more)
        out, err = process.communicate(stdin, timeout=120)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def records(self) -> list[dict[str, Any]]:
        consumer = Consumer(
            {"bootstrap.servers": self.kafka, "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
        )
        partitions = [TopicPartition(self.topic, one, 0) for one in range(2)]
        count = sum(consumer.get_watermark_offsets(one, timeout=20)[1] for one in partitions)
        consumer.assign(partitions)
        values: list[bytes] = []
        deadline = time.monotonic() + 60
        while len(values) < count:
            assert time.monotonic() < deadline
            values += [one.value() for one in consumer.consume(1000, timeout=0.5) if one.error() is None]
        consumer.close()
        return [fastavro.schemaless_reader(BytesIO(unframe(value)[1]), SCHEMA, None) for value in values]


@pytest.fixture
def stack(kafka: str, registry: str, unique: str, tmp_path: Path) -> Stack:
    return Stack(kafka, registry, unique, tmp_path / "cache")


def test_a_file_imported_twice_makes_the_same_events(stack, tmp_path):
    file = tmp_path / "trail.jsonl.gz"
    file.write_bytes(gzip.compress(lines(2000)))
    for _ in range(2):
        done = stack.run("import", str(file), "--format", "cloudtrail", "--json")
        assert done.returncode == 0, done.stderr
        counts = {"sent": 2000, "sent_earlier": 0, "sent_now": 2000, "refused": 0, "resumed_after": 0}
        assert json.loads(done.stdout) == counts | {"problems": []}
    events = [(one["tenant_id"], one["occurred_at"], one["event_id"]) for one in stack.records()]
    assert (len(events), len(set(events))) == (4000, 2000)


def test_a_broken_line_is_reported_and_the_rest_imported(stack, tmp_path):
    good = {"tenant_id": "acme", "action": "a", "occurred_at": "2026-01-01T00:00:00Z"}
    lines = [
        json.dumps(good),
        "{broken",
        json.dumps(good | {"occurred_at": None}),
        "",
        json.dumps(good | {"ip": "nowhere"}),
        json.dumps(good | {"occurred_at": "1999-01-01T00:00:00Z"}),
        json.dumps(good | {"nonsense": 1}),
        json.dumps(good),
    ]
    file = tmp_path / "events.jsonl"
    file.write_text("\n".join(lines))
    done = stack.run("import", str(file), "--json")
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert (summary["sent"], summary["refused"]) == (2, 5)
    assert [one["line"] for one in summary["problems"]] == [2, 3, 5, 6, 7]
    for word in ("JSON", "occurred_at", "ip", "ten years", "nonsense"):
        assert word in done.stderr
    assert "5 of 7 lines were rejected" in done.stderr
    first, second = stack.records()
    assert first["event_id"] != second["event_id"]


def test_an_interrupted_import_resumes(stack, tmp_path):
    """After Ctrl-C, running the same command again continues the import. All events arrive, and none arrives twice."""
    file = interrupted(stack, tmp_path)
    # The same broker under a different address, as when a local stack restarts on other ports.
    again = {"AUDITLANE_KAFKA_BOOTSTRAP": f"{stack.kafka},{stack.kafka}"}
    done = stack.run("import", str(file), "--tenant", "acme", "--json", **again)
    summary = json.loads(done.stdout)
    assert summary["sent"] == summary["sent_earlier"] + summary["sent_now"] == MANY
    assert 0 < summary["resumed_after"] == summary["sent_earlier"] < MANY
    assert len({one["event_id"] for one in stack.records()}) == MANY
    assert not list((tmp_path / "cache").glob("imports/*"))


def test_a_recreated_topic_gets_everything(stack, tmp_path):
    """The events that an interrupted import had sent were deleted with the old topic of the same name."""
    file = interrupted(stack, tmp_path)
    stack.make_topic(anew=True)
    done = stack.run("import", str(file), "--tenant", "acme")
    assert (done.returncode, done.stdout) == (0, f"{MANY} events imported.\n"), done.stderr
    assert len({one["event_id"] for one in stack.records()}) == MANY


def interrupted(stack: Stack, folder: Path) -> Path:
    """Write a file with MANY events, and interrupt its import with Ctrl-C after some batches."""
    file = folder / "many.jsonl"
    with file.open("w") as out:
        for number in range(MANY):
            out.write(json.dumps({"action": f"a{number % 50}", "occurred_at": "2026-01-01T00:00:00Z"}) + "\n")
    process = stack.start("import", str(file), "--tenant", "acme", "--json")
    deadline = time.monotonic() + 60
    while not list((folder / "cache").glob("imports/*.json")):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "again to resume" in err
    return file


def test_the_report_when_nothing_was_imported(stack):
    done = stack.run("import", "-", stdin="{broken\n[]\n")
    assert (done.returncode, done.stdout) == (3, "")
    assert "All 2 lines were rejected; nothing was imported." in done.stderr
    assert "the rest" not in done.stderr
    done = stack.run("import", "-", stdin="\n")
    assert (done.returncode, done.stdout) == (0, "No lines found; nothing was imported.\n"), done.stderr


def test_an_interrupted_pipe_does_not_promise_to_resume(stack):
    process = stack.start("import", "-", "--tenant", "acme")
    process.stdin.write("{broken\n" + " " * 200_000 + "\n")  # longer than one read, so the line is processed
    process.stdin.flush()
    assert "not JSON" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "cannot be resumed" in err
    assert "same command again" not in err


def test_a_document_of_records_from_standard_input(stack):
    found = records(5)
    done = stack.run("import", "-", "--format", "cloudtrail", "--tenant", "acme", stdin=json.dumps({"Records": found}))
    assert (done.returncode, done.stdout) == (0, "5 events imported.\n"), done.stderr
    assert {(one["tenant_id"], one["event_id"]) for one in stack.records()} == {
        ("acme", record["eventID"]) for record in found
    }


def test_a_damaged_file_is_reported(stack, tmp_path):
    file = tmp_path / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(lines(500))[:-200])
    done = stack.run("import", str(file), "--format", "cloudtrail")
    assert done.returncode == 3
    assert "damaged" in done.stderr
    assert "Cannot read" in stack.run("import", str(tmp_path / "none")).stderr


def test_emit_prints_the_id_when_kafka_has_it(stack):
    done = stack.run("emit", "--tenant", "acme", "--action", "Login", "--actor", "u-1", "--metadata", "k=v=w", "--json")
    assert done.returncode == 0, done.stderr
    [record] = stack.records()
    assert json.loads(done.stdout) == {"event_id": record["event_id"], "tenant_id": "acme"}
    assert (record["action"], record["actor_id"], record["metadata"]) == ("Login", "u-1", {"k": "v=w"})


def test_emit_takes_json_from_standard_input(stack):
    event_id = str(uuid.uuid4())
    stdin = json.dumps({"tenant_id": "acme", "action": "a", "event_id": event_id, "after": {"x": 1}})
    done = stack.run("emit", "-", "--action", "b", stdin=stdin)
    assert done.stdout.strip() == event_id, done.stderr
    assert stack.records()[0]["action"] == "b"


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "says"),
    [
        (("--tenant", "acme"), {}, 3, "action"),
        (("--tenant", "acme", "--action", "a", "--field", "x=1"), {}, 3, "custom fields: none"),
        (("--tenant", "_auditlane", "--action", "a"), {}, 3, "reserved"),
        (
            ("--tenant", "a", "--action", "a"),
            {"AUDITLANE_KAFKA_BOOTSTRAP": "", "AUDITLANE_REGISTRY_URL": "x"},
            2,
            "http",
        ),
        (("--tenant", "a", "--action", "a"), {"AUDITLANE_REGISTRY_URL": "http://127.0.0.1:9"}, 6, "registry"),
        (
            ("--tenant", "a", "--action", "a", "--timeout", "1"),
            {"AUDITLANE_KAFKA_BOOTSTRAP": "127.0.0.1:9"},
            6,
            "AUDITLANE_KAFKA_BOOTSTRAP",
        ),
    ],
)
def test_emit_reports_errors(stack, arguments, variables, code, says):
    done = stack.run("emit", *arguments, **variables)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert stack.records() == []


def test_the_demo_sends_only_events_that_are_missing(stack, monkeypatch):
    """Simulates a demo that was killed half-way: Kafka has some of the events, and the store does not have any yet."""
    for name, value in stack.variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    history = [event.model_copy(update={"fields": {}}) for event in events(1, START)]  # no contracts are registered
    stdin = "\n".join(event.model_dump_json(exclude={"fields"}) for event in history[100:800])
    assert stack.run("import", "-", stdin=stdin).returncode == 0
    tenants = {event.tenant_id for event in history}
    assert backfill.ids_in_kafka(settings, tenants) == {event.event_id for event in history[100:800]}
    stored = frozenset(event.event_id for event in history[:50])
    backfill.send(settings, history, stored)
    sent = [one["event_id"] for one in stack.records()]
    assert sorted(sent) == sorted(event.event_id for event in history[50:])
