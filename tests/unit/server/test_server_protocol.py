"""Tests that request heads are limited in size, however they are split. Bodies and pipelined requests do not count
towards the limit, even if the client has offered to switch protocols.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from auditlane.server.protocol import MAX_HEAD_BYTES, Protocol

CHUNK = 1 << 14


async def echo(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    answer = f"{size} {sum(len(name) + len(value) for name, value in scope['headers'])}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(answer))]})
    await send({"type": "http.response.body", "body": answer})


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    bound = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(echo, http=Protocol, ws="none", lifespan="off", log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    yield bound.getsockname()[:2]
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def answers(address: tuple[str, int], sent: bytes, chunk: int = CHUNK) -> bytes:
    """Send this in chunks, and read until the server closes the connection."""
    got = b""
    with socket.create_connection(address, timeout=20) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for start in range(0, len(sent), chunk):
                line.sendall(sent[start : start + chunk])
        except ConnectionError:  # the server closes early, as it should for an oversized head
            pass
        try:
            while piece := line.recv(1 << 16):
                got += piece
        except ConnectionError:
            pass
    return got


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST / HTTP/1.1", b"Content-Length: %d" % len(body), *headers, b"", body])


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("unit", [b"x", b"\r\nX: y"], ids=["one header", "many headers"])
@pytest.mark.parametrize("begins", [b"GET / HTTP/1.1\r\nX: ", b"GET /"], ids=["headers", "address"])
def test_an_endless_head_ends_the_connection(address: tuple[str, int], begins: bytes, unit: bytes, before: int) -> None:
    """The server closes the connection. The 400 response may be lost, because the client is still sending."""
    got = answers(address, post(b"first") * before + begins + unit * (16 * MAX_HEAD_BYTES // len(unit)))
    assert got.count(b"200 OK") <= before


def test_requests_within_the_limit_are_answered(address: tuple[str, int]) -> None:
    large = b"X: " + b"x" * (MAX_HEAD_BYTES - 200)
    body = b"b" * (20 * MAX_HEAD_BYTES)
    sent = post(body, large) + post(body) + post(b"", large) + post(b"", b"Connection: close")
    got = answers(address, sent)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    assert got.count(b"%d " % len(body)) == 2


H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
OFFERS = {
    "h2c": H2C,
    "websocket": (b"Upgrade: websocket", b"Connection: keep-alive, UPGRADE"),
    "any": (b"upgrade: TLS/1.0, h2c", b"connection: upgrade"),
}
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n%s\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"


@pytest.mark.parametrize("chunk", [1, 60, CHUNK])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_a_protocol_upgrade_is_ignored(address: tuple[str, int], offer: tuple[bytes, ...], chunk: int) -> None:
    """The body belongs to its own request, however it is split, and the next request is separate."""
    looks_like_one = post(b"smuggled")
    sent = post(looks_like_one, *offer) + CHUNKED % b"\r\n".join(offer) + post(b"", *offer)
    got = answers(address, sent + post(b"last", b"Connection: close"), chunk)
    assert got.count(b"HTTP/1.1 ") == got.count(b"HTTP/1.1 200 OK") == 4, got
    sizes = [int(part.partition(b"\r\n\r\n")[2].split()[0]) for part in got.split(b"HTTP/1.1 200 OK")[1:]]
    assert sizes == [len(looks_like_one), 5, 0, 4]


def test_a_protocol_upgrade_with_connection_close_is_ignored(address: tuple[str, int]) -> None:
    got = answers(address, post(b"body", b"Connection: close, Upgrade", b"Upgrade: h2c") + post(b"behind"))
    assert got.count(b"200 OK") == 1
    assert got.partition(b"\r\n\r\n")[2].startswith(b"4 ")


@pytest.mark.parametrize(
    "sent",
    [
        b"CONNECT host:443 HTTP/1.1\r\n\r\n",
        b"CONNECT / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        post(b"", *H2C, b"X: one\r\n two"),
    ],
    ids=["connect", "connect to a path", "HTTP/2 at once", "several lines"],
)
def test_an_invalid_request_ends_the_connection(address: tuple[str, int], sent: bytes) -> None:
    got = answers(address, sent + post(b"behind"))
    assert got.startswith(b"HTTP/1.1 400 ")
    assert got.count(b"HTTP/1.1 ") == 1
