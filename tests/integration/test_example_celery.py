"""Tests docs/examples/celery with a real worker. Its pool forks processes, loses one, and replaces others."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
from fixtures.stack import Stack
from web_examples import EXAMPLES, Example

WORKER = [sys.executable, "-m", "celery", "-A", "shop", "worker", "-c", "2", "--max-tasks-per-child", "2"]
QUIET = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "INFO"]
FOLDER = EXAMPLES / "celery"


def test_the_celery_example_records_each_task(stack: Stack, unique: str, tmp_path: Path) -> None:
    environ = stack.env | {"QUEUE_FOLDER": str(tmp_path / "queue"), "TENANT": unique}
    subprocess.run([sys.executable, "shop.py"], cwd=FOLDER, env=environ, check=True, timeout=60)
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        process = subprocess.Popen([*WORKER, *QUIET], cwd=FOLDER, env=environ, stdout=out, stderr=out)
    began = datetime.now(UTC) - timedelta(minutes=2)
    example = Example("", process, stack, log, began)
    try:
        events = example.events(unique, 6, agent=None, actor_id="jane")
    finally:
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()  # after SIGTERM, Celery may wait forever for the lost process
        process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    assert {summary(event) for event in events} == {
        ("document.published", "d-1", None, None),
        ("task.failed", "shop.import_file", "ValueError", None),
        ("task.retried", "shop.send_invoice", "ConnectionError", None),
        ("invoice.sent", "i-1", None, None),
        ("task.revoked", "shop.publish", None, "expired"),
        ("task.failed", "shop.use_all_memory", "WorkerLostError", None),
    }, log.read_text()
    assert len(events) == 6
    assert {(one["actor_id"], one["request_id"]) for one in events} == {("jane", "request-1")}
    assert not any(text in str(events) for text in ("password", "customers.csv", "mail.example.com"))


def summary(event: dict[str, Any]) -> tuple[str, str, str | None, str | None]:
    metadata = event["metadata"]
    return event["action"], event["resource_id"], metadata.get("exception"), metadata.get("reason")
