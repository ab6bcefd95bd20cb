"""Tests `auditlane serve --processes`. The processes share a port, and only trusted proxies can set the client's
address.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import urllib3
from fixtures.workers import wait_until
from prometheus_client.parser import text_string_to_metric_families

HTTP = urllib3.PoolManager(retries=False, timeout=30.0)


@contextmanager
def serving(folder: Path, *arguments: str, **variables: str) -> Iterator[tuple[dict[str, Any], Callable[[], str]]]:
    """Run `serve` without a store, which these requests do not need. Yields the ready line, and a function that returns
    the log so far.
    """
    environment = {
        "AUDITLANE_CLICKHOUSE_URL": "http://127.0.0.1:1",
        "AUDITLANE_KEYS_FILE": str(folder / "keys.json"),
        "AUDITLANE_SIGNING_KEYS_FILE": str(folder / "signing.json"),
        "AUDITLANE_LOG_JSON": "true",
        **{f"AUDITLANE_{name.upper()}": value for name, value in variables.items()},
    }
    (folder / "keys.json").write_text('{"version": 1, "clients": []}')
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "auditlane.cli", "serve", "--port", "0", "--roles", "query", *arguments],
            env=dict(os.environ) | environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, log.read_text()
        yield json.loads(line), log.read_text
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 0, log.read_text()


def live(url: str, **headers: str) -> int:
    """Request liveness on a new connection, which any of the processes may accept. Returns the status."""
    return HTTP.request("GET", f"{url}/health/live", headers={"connection": "close", **headers}).status


def test_workers_share_the_port_and_a_dead_one_is_replaced(tmp_path):
    with serving(tmp_path, "--processes", "2") as (ready, _):
        pids = [one["pid"] for one in ready["processes"]]
        assert len(set(pids)) == 2
        assert {live(ready["url"]) for _ in range(20)} == {200}
        os.kill(pids[0], signal.SIGKILL)
        parent = psutil.Process(ready["pid"])

        def others() -> bool:
            children = {child.pid for child in parent.children()}
            return len(children) == 2 and pids[0] not in children

        wait_until(others, why="the process that was killed is not replaced")
        assert {live(ready["url"]) for _ in range(20)} == {200}
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 403), ("0.0.0.0", 200)])
def test_every_worker_knows_its_listening_address(tmp_path, host, status):
    """Foreign host names are rejected only if the address is on the loopback interface."""
    with serving(tmp_path, "--processes", "2", "--host", host) as (ready, _):
        assert {live(ready["url"], host="serve.example") for _ in range(20)} == {status}


@pytest.mark.parametrize(("trusted", "client"), [("", "127.0.0.1"), ("127.0.0.0/8", "203.0.113.9")])
def test_only_a_trusted_proxy_sets_the_client_address(tmp_path, trusted, client):
    with serving(tmp_path, trusted_proxies=trusted) as (ready, log):
        answer = HTTP.request("GET", f"{ready['url']}/v1/events", headers={"x-forwarded-for": "8.8.8.8, 203.0.113.9"})
        assert answer.status == 401

        def requests() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in log().splitlines()]
            return [line for line in lines if line["event"] == "http.request"]

        wait_until(requests, why="the request is not logged")
        assert [one["client"] for one in requests()] == [client]


def test_metrics_are_those_of_all_processes_and_survive_a_death(tmp_path):
    with serving(tmp_path, "--processes", "2") as (ready, _):
        pids = [one["pid"] for one in ready["processes"]]

        def read() -> dict[tuple[str, ...], float]:
            text = HTTP.request("GET", f"{ready['url']}/metrics", headers={"connection": "close"}).data.decode()
            families = text_string_to_metric_families(text)
            return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}

        total = ("auditlane_http_requests_total", "GET", "/health/live", "200")
        limit = ("auditlane_http_requests_limit",)
        assert {live(ready["url"]) for _ in range(20)} == {200}
        seen = [read() for _ in range(6)]
        assert {found[total] for found in seen} == {20.0}
        assert {found[limit] for found in seen} == {512.0}
        os.kill(pids[0], signal.SIGKILL)
        wait_until(lambda: read()[limit] == 256, why="the gauges of the process that was killed remain")
        assert read()[total] == 20
        wait_until(lambda: read()[limit] == 512, why="the process that was killed is not replaced")
        live(ready["url"])
        after = read()
        assert after[total] == 21
        counters = [key for key in seen[0] if key[0].endswith(("_total", "_count", "_sum", "_bucket"))]
        assert all(after[key] >= seen[0][key] for key in counters)
