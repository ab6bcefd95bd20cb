"""Tests the canary on real services: with the store and the query API, with a frozen worker, and in `serve`."""

from __future__ import annotations

import json
import os
import signal
import urllib.error
import urllib.request
from typing import Any

import structlog
from fixtures.commands import Commands
from fixtures.workers import World, wait_until
from prometheus_client.parser import text_string_to_metric_families
from serving import Served

from auditlane.runtime.metrics import exposed_by

QUICK: dict[str, Any] = {"canary_every_s": 1, "canary_late_s": 8, "canary_lost_s": 600}


def get(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return 200, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def sent(world: World) -> int:
    query = f"SELECT count() FROM {world.events} WHERE tenant_id = '_auditlane' AND action = 'canary.sent'"
    return int(world.client.query(query).result_rows[0][0])


def test_a_frozen_worker_fails_the_canary_until_it_runs_again(world: World, commands: Commands) -> None:
    worker = world.worker()
    worker.ready()
    canary = commands.start("canary", "--port", "0", "--through", "store", **QUICK)
    assert canary.stdout is not None
    url = json.loads(canary.stdout.readline())["url"]
    wait_until(lambda: get(f"{url}/health/ready") == (200, '{"status": "ready"}'), why=worker.tail)
    families = list(text_string_to_metric_families(get(f"{url}/metrics")[1]))
    found = {one.name + "_total" * (one.type == "counter"): one.type for one in families}
    assert {name: kind for name, kind in found.items() if not name.endswith("_created")} == exposed_by("canary")
    os.kill(worker.process.pid, signal.SIGSTOP)
    wait_until(worker.stopped)
    wait_until(lambda: "acknowledged by Kafka, but it is not visible" in get(f"{url}/health/ready")[1])
    text = get(f"{url}/metrics")[1]
    assert "auditlane_canary_up 0.0" in text
    before = sent(world)
    os.kill(worker.process.pid, signal.SIGCONT)
    wait_until(lambda: get(f"{url}/health/ready")[0] == 200, why=worker.tail)
    assert "auditlane_canary_up 1.0" in (text := get(f"{url}/metrics")[1])
    assert 'auditlane_canary_results_total{result="late"} 1.0' in text
    assert 'auditlane_canary_results_total{result="lost"} 0.0' in text
    assert before >= 1
    canary.send_signal(signal.SIGINT)
    _, complaint = canary.communicate(timeout=30)
    assert canary.returncode == 0
    assert [json.loads(line)["event"] for line in complaint.splitlines()] == ["canary.overdue", "canary.recovered"]


def test_once_reports_a_visible_a_lost_and_a_refused_event(world: World, commands: Commands) -> None:
    lost = commands.run("canary", "--once", "--through", "store", code=1, canary_late_s=8, canary_lost_s=8)
    assert (lost["result"], lost["visible_s"]) == ("lost", None)
    assert lost["acknowledged_s"] > 0
    assert lost["problem"] == "The event was acknowledged, but not visible within 8 s."
    refused = commands.run("canary", "--once", "--through", "store", code=6, registry_url="http://127.0.0.1:1")
    assert (refused["result"], refused["acknowledged_s"]) == ("refused", None)
    worker = world.worker()
    worker.ready()
    settings = world.settings.model_dump(exclude_unset=True)
    within = {"canary_every_s": 1, "serve_canary": True, "observe_every_s": 0.2}
    with structlog.testing.capture_logs(), Served(world.folder, **settings | within) as served:
        keys = {"signing_keys_file": served.settings.signing_keys_file, "serve_url": served.url}
        visible = commands.run("canary", "--once", **keys)
        assert (visible["result"], visible["problem"]) == ("visible", "")
        assert visible["visible_s"] >= visible["acknowledged_s"] > 0
        assert "visible after" in commands.text("canary", "--once", **keys)
        # `serve` also sends canary events while it observes the installation.
        wait_until(lambda: "auditlane_canary_up 1.0" in get(f"{served.url}/metrics")[1])
        admin = served.client_token("admin")
        parts = {one["name"]: one for one in served.request("/v1/admin/health", admin).json()["parts"]}
        assert parts["canary"]["state"] == "up"
        assert parts["canary"]["detail"].startswith("visible after")
        assert served.request("/v1/admin/timeline", admin).json()["data"] == []
    assert sent(world) >= 4
