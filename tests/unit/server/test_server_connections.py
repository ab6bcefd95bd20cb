"""Tests the limits on connections: their number, slow request heads, and pipelined requests."""

from __future__ import annotations

import resource
import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from serving import Served

from auditlane.runtime.client_address import TrustedProxies
from auditlane.server.protocol import MAX_PIPELINED, Connections
from auditlane.server.run import allow_files

GET = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connected(served: Served, source: str = "127.0.0.1") -> socket.socket:
    at = urlsplit(served.url)
    return socket.create_connection((at.hostname, at.port), 30, source_address=(source, 0))


def ended(connection: socket.socket) -> bytes:
    text = b""
    try:
        while piece := connection.recv(65_536):
            text += piece
    except ConnectionResetError:
        pass
    return text


def test_a_head_that_takes_too_long_ends_the_connection(tmp_path: Path):
    with Served(tmp_path, serve_head_timeout_s=0.3) as served:
        for begun in (b"", b"GET /health/live HT", GET[:-2], b"\r\n"):
            with connected(served) as connection:
                connection.sendall(begun)
                assert ended(connection) == b""
        with connected(served) as connection:  # also for a connection's second head
            connection.sendall(GET + GET[:-2])
            assert ended(connection).startswith(b"HTTP/1.1 200")


def test_a_slow_response_does_not_count_as_a_slow_head(tmp_path: Path):
    with Served(tmp_path, serve_head_timeout_s=0.1, serve_body_timeout_s=0.5) as served:
        token = served.client_token("vendor")
        with connected(served) as connection:
            head = f"POST /v1/viewer-tokens HTTP/1.1\r\nHost: here\r\nAuthorization: Bearer {token}\r\n"
            connection.sendall(head.encode() + b"Content-Length: 1000\r\n\r\n{")
            assert ended(connection).startswith(b"HTTP/1.1 408")


def test_the_connections_of_one_address_are_limited(tmp_path: Path):
    with Served(tmp_path, serve_connections_per_address=3) as served, ExitStack() as open_:
        held = [open_.enter_context(connected(served, "127.0.0.2")) for _ in range(3)]
        for connection in held:
            connection.sendall(GET)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        with connected(served, "127.0.0.2") as refused:
            assert ended(refused) == b""
        assert served.request("/health/live").status == 200
        held[0].close()
        while True:  # the server notices this a moment later
            with connected(served, "127.0.0.2") as again:
                again.sendall(GET[:-2] + b"Connection: close\r\n\r\n")
                if ended(again).startswith(b"HTTP/1.1 200"):
                    break


def test_all_connections_and_those_of_proxies_are_counted():
    all_ = Connections(limit=4, address_limit=2, proxies=TrustedProxies.parse("10.0.0.0/8"))
    entered = [all_.enter(host) for host in ("2001:db8::1", "2001:db8::2", "10.0.0.1")]
    assert None not in entered
    assert all_.enter("2001:db8::3") is None  # an address in the same /64
    entered.append(all_.enter("10.0.0.1"))
    assert all_.enter("192.0.2.1") is None  # four is the maximum
    for address in entered:
        all_.leave(address)
    assert (all_.count, dict(all_.by_address)) == (0, {})


def test_pipelined_requests_are_limited(tmp_path: Path):
    with Served(tmp_path) as served:
        with connected(served) as connection:
            connection.sendall(GET * MAX_PIPELINED)
            text = b""
            while text.count(b"HTTP/1.1 200") < MAX_PIPELINED:
                piece = connection.recv(65_536)
                assert piece
                text += piece
        with connected(served) as connection:
            connection.sendall(GET * 2_000)
            assert ended(connection).count(b"HTTP/1.1 200") < 100
        assert served.request("/health/live").status == 200


def test_the_limit_of_open_files_is_raised_to_its_maximum():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1_024), hard))
        allow_files(2_048)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(2_048, hard)
        allow_files(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(2_048, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
