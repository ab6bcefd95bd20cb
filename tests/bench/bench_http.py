"""Measures the cost of POST requests with one event and with a thousand events, for a gateway with and without a spool,
relative to a bare handler. The figures are reported, not asserted.

The servers run alternately on the same broker. Each ratio compares one such round, since the machine's speed drifts. On
a busy machine, compare the CPU times of the servers rather than their rates.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest
from bench_sdk import EVENT
from confluent_kafka.admin import AdminClient, NewTopic
from http_load import Load, load, request_of
from querying import store
from serving import HOUR

from auditlane.access.keys import KeysFile
from auditlane.access.permissions import VIEWER
from auditlane.access.signing import SigningKeys
from auditlane.access.tokens import Viewer, mint_client_token, mint_viewer_token
from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient

ROUNDS = 3
# name, events per request, connections, requests
POSTS = [("one event", 1, 16, 3_000), ("one event, one connection", 1, 1, 200), ("1,000 events", 1_000, 4, 40)]


_running: dict[str, psutil.Process] = {}  # the servers by URL


@contextmanager
def process(*command: str, **variables: str) -> Iterator[str]:
    started = subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, env=os.environ | variables)
    assert started.stdout is not None
    try:
        url = json.loads(started.stdout.readline())["url"]
        _running[url] = psutil.Process(started.pid)
        yield url
    finally:
        started.terminate()
        started.wait(30)
        started.stdout.close()


@pytest.fixture
def gateways(kafka: str, registry: str, unique: str, tmp_path: Path) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """Start `auditlane serve` without and with a spool. Yields the URLs by name, and the headers for requests."""
    admin = AdminClient({"bootstrap.servers": kafka})
    for created in admin.create_topics([NewTopic(unique, 6, 1), NewTopic(f"{unique}.bare", 6, 1)]).values():
        created.result(30)
    registrar = RegistryClient(registry)
    registrar.register(f"{unique}-value", json.dumps(base_schema()))
    registrar.close()
    keys = KeysFile.load_or_create(tmp_path / "keys.json")
    signing = SigningKeys.load_or_create(tmp_path / "signing.json")
    client = keys.create(roles=("writer",), now=datetime.now(UTC)).client
    token = mint_client_token(signing, client, now=datetime.now(UTC), ttl=HOUR).text
    variables = {
        "AUDITLANE_KAFKA_BOOTSTRAP": kafka,
        "AUDITLANE_REGISTRY_URL": registry,
        "AUDITLANE_INGEST_RATE": "0",  # one key sends all the events
        "AUDITLANE_TOPIC": unique,
        "AUDITLANE_KEYS_FILE": str(tmp_path / "keys.json"),
        "AUDITLANE_SIGNING_KEYS_FILE": str(tmp_path / "signing.json"),
        "AUDITLANE_LOG_LEVEL": "warning",
    }
    spool = {"AUDITLANE_INGEST_SPOOL_BYTES": str(1 << 30), "AUDITLANE_INGEST_SPOOL_DIR": str(tmp_path / "spool")}
    serve = "-m", "auditlane.cli", "serve", "--roles", "ingest", "--port", "0"
    with process(*serve, **variables) as without, process(*serve, **variables, **spool) as spooling:
        urls = {"gateway": without, "gateway with a spool": spooling}
        yield urls, {"authorization": f"Bearer {token}", "content-type": "application/json"}


def test_posts(gateways: tuple[dict[str, str], dict[str, str]], kafka: str, unique: str) -> None:
    urls, headers = gateways
    with process(str(Path(__file__).with_name("bare_http.py")), kafka, f"{unique}.bare") as bare:
        for name, events, connections, requests in POSTS:
            body = json.dumps(EVENT if events == 1 else [EVENT] * events).encode()
            request = request_of("POST", "/v1/events", headers, body)
            how = {"connections": connections, "status": 202}
            servers = urls | {"bare": bare}
            for url in servers.values():
                load(request, url, requests=max(1, requests // 10), **how)
            rounds = [
                {which: measured(request, url, requests, how) for which, url in servers.items()} for _ in range(ROUNDS)
            ]
            report(name, rounds, events)


def measured(request: bytes, url: str, requests: int, how: dict[str, int]) -> tuple[Load, float]:
    """Return the load result, and the server process's CPU time in µs per request."""
    before = sum(_running[url].cpu_times()[:2])
    found = load(request, url, requests=requests, **how)
    return found, (sum(_running[url].cpu_times()[:2]) - before) / requests * 1e6


def report(name: str, rounds: list[dict[str, tuple[Load, float]]], events: int) -> None:
    for which in rounds[0]:
        found = [one[which] for one in rounds]
        rate, p50, p99 = (statistics.median(getattr(one, what) for one, _ in found) for what in ("rate", "p50", "p99"))
        print(f"\n{name}, {which}: {rate:,.0f} requests/s, {rate * events:,.0f} events/s, ", end="")
        print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, ", end="")
        print(f"{statistics.median(cpu for _, cpu in found) / events:,.1f} µs of CPU per event", end="")
    for which in rounds[0]:
        if which != "bare":
            rates = statistics.median(one[which][0].rate / one["bare"][0].rate for one in rounds)
            times = statistics.median(one[which][1] / one["bare"][1] for one in rounds)
            print(f"\n{name}, {which}: {rates:.0%} of the bare handler's rate, {times:.2f} times its CPU time", end="")
    print()


# name, address, connections, requests
READS = [
    ("list", "/v1/events?limit=50", 4, 60),
    ("search, a field", "/v1/events?limit=50&query=actor:u-17%20-action:logout", 4, 20),
    ("search, free text", "/v1/events?limit=50&query=2FF", 2, 6),
    ("facets", "/v1/facets?field=action", 2, 10),
    ("histogram", "/v1/histogram", 2, 6),
]
ROWS = 1_000_000


@pytest.fixture
def reading(clickhouse: str, tmp_path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Start `auditlane serve` with a tenant that has many events. Yields its URL, and headers that authenticate a
    viewer.
    """
    with store(clickhouse) as filled:
        filled.generate("acme", ROWS)
        KeysFile.load_or_create(tmp_path / "keys.json")
        signing = SigningKeys.load_or_create(tmp_path / "signing.json")
        viewer = Viewer("acme", "jane", frozenset(VIEWER))
        token = mint_viewer_token(signing, viewer, now=datetime.now(UTC), ttl=HOUR).text
        variables = {
            "AUDITLANE_CLICKHOUSE_URL": clickhouse,
            "AUDITLANE_CLICKHOUSE_DATABASE": filled.database,
            "AUDITLANE_KEYS_FILE": str(tmp_path / "keys.json"),
            "AUDITLANE_SIGNING_KEYS_FILE": str(tmp_path / "signing.json"),
            "AUDITLANE_LOG_LEVEL": "warning",
        }
        with process("-m", "auditlane.cli", "serve", "--roles", "query", "--port", "0", **variables) as url:
            yield url, {"authorization": f"Bearer {token}"}


def test_reads(reading: tuple[str, dict[str, str]]) -> None:
    url, headers = reading
    for name, path, connections, requests in READS:
        found = load(request_of("GET", path, headers), url, requests=requests, connections=connections, status=200)
        print(f"\n{name}, {ROWS:,} events: {found.rate:,.1f}/s, p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms", end="")
