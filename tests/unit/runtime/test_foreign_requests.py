"""Tests cross-origin requests from browsers, and which callers a worker's health port accepts."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from auditlane.runtime.foreign_requests import is_foreign
from auditlane.runtime.monitoring import MonitoringServer
from auditlane.worker.health import health_server

FOREIGN_HOSTS = (
    "evil.example",
    "evil.example:8081",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "192.0.2.7",
    "[::1",
)
FOREIGN_ORIGINS = ("https://evil.example", "http://127.0.0.1.evil.example:8081", "null", "", "file://", "http://[::1")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8081", "localhost:8081", "LOCALHOST", "[::1]:8081", "127.8.9.1"]
)
def test_this_machine_is_not_foreign(host):
    assert not is_foreign([host], [])
    assert not is_foreign([host], [f"http://{host}"])
    assert not is_foreign([], [])


@pytest.mark.parametrize("host", [*FOREIGN_HOSTS, ""])
def test_a_foreign_host_is_recognized(host):
    assert is_foreign([host], [])
    assert is_foreign(["127.0.0.1", host], [])


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_a_foreign_origin_is_recognized(origin):
    assert is_foreign(["127.0.0.1"], [origin])


def test_a_configured_name_is_not_foreign():
    own = ["audit.example"]
    assert not is_foreign(["audit.example:443"], ["https://audit.example"], own)
    assert is_foreign(["other.example"], [], own)


@contextmanager
def health(host: str, *, live: bool = True) -> Iterator[MonitoringServer]:
    halted, failing = (
        {"audit.events.acme[1]": "offsets are lost"},
        {"audit.events[0]": {"since": "", "error": "at 10.0.0.7"}},
    )
    made = health_server(
        host,
        0,
        metrics=lambda: b"auditlane_worker_partitions 1.0\n",
        live=lambda: live,
        ready=lambda: {"clickhouse": "10.0.0.7:8123 does not respond"},
        halted=lambda: halted,
        failing=lambda: failing,
        verifies=lambda: ["k1"],
    )
    made.start()
    try:
        yield made
    finally:
        made.close()


def ask(server: MonitoringServer, path: str, **headers: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", int(server.url.rpartition(":")[2]), timeout=30)
    with closing(connection):
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read()


def test_a_worker_whose_loop_stalls_is_not_live():
    with health("127.0.0.1", live=False) as server:
        assert ask(server, "/health/live") == (503, b'{"status": "stalled"}')


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics", "/none"])
@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_on_loopback_a_worker_refuses_foreign_pages_and_names(path, headers):
    with health("127.0.0.1") as server:
        assert ask(server, path, **headers) == (403, b'{"status": "refused"}')


def test_on_loopback_a_worker_lists_its_halted_partitions():
    with health("127.0.0.1") as server:
        status, body = ask(server, "/health/ready", Host="localhost")
        assert status == 503
        assert set(json.loads(body)) == {"status", "missing", "halted", "failing", "provenance_keys"}


@pytest.mark.parametrize("host", ["127.0.0.1", "worker-1.internal.example"])
def test_on_another_address_a_worker_accepts_any_name_and_discloses_only_its_status(host):
    with health("0.0.0.0") as server:
        assert ask(server, "/health/ready", Host=host) == (503, b'{"status": "waiting"}')
        assert ask(server, "/health/live", Host=host, Origin="https://other.example") == (200, b'{"status": "live"}')
        assert ask(server, "/metrics", Host=host)[0] == 200
