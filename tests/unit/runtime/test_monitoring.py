"""Tests the monitoring HTTP server."""

from __future__ import annotations

import socket
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from auditlane.runtime.monitoring import Answer, MonitoringServer


def test_an_idle_connection_does_not_keep_its_thread() -> None:
    routes = {"/health/live": lambda: Answer.json(200, {"status": "live"})}
    server = MonitoringServer("127.0.0.1", 0, routes, fix="", idle_s=0.05)
    server.start()
    with closing(server), socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0), 30) as idle:
        idle.sendall(b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        received = b""
        while part := idle.recv(1_000):  # reads until the server closes the connection
            received += part
    assert received.startswith(b"HTTP/1.1 200")
    assert received.endswith(b'{"status": "live"}')


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_every_address_of_ipv6_includes_those_of_ipv4() -> None:
    server = MonitoringServer("::", 0, {"/health/live": lambda: Answer.json(200, {"status": "live"})}, fix="")
    server.start()
    with closing(server):
        assert server.url.startswith("http://[::]:")
        port = urlsplit(server.url).port or 0
        for address in ("127.0.0.1", "::1"):
            with socket.create_connection((address, port), 30) as connection:
                connection.sendall(b"GET /health/live HTTP/1.0\r\nHost: pod.example\r\n\r\n")
                assert connection.recv(12) == b"HTTP/1.1 200"
