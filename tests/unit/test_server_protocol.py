"""A request's head is bounded, in whatever pieces it comes; a body, and what comes behind one, is not taken for it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from auditlane.server.protocol import MOST_HEAD, Protocol

CHUNK = 1 << 14


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the size of the body and of the headers."""
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


def answers(address: tuple[str, int], sent: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    got = b""
    with socket.create_connection(address, timeout=20) as line:
        try:
            for start in range(0, len(sent), CHUNK):
                line.sendall(sent[start : start + CHUNK])
        except ConnectionError:  # it closed in the middle, as it should where the head is too large
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
def test_a_head_without_an_end(address: tuple[str, int], begins: bytes, unit: bytes, before: int) -> None:
    """It is ended. The 400 itself can be lost, as the connection is closed over what is still being sent."""
    got = answers(address, post(b"first") * before + begins + unit * (16 * MOST_HEAD // len(unit)))
    assert got.count(b"200 OK") <= before


def test_what_is_within_the_bound(address: tuple[str, int]) -> None:
    large = b"X: " + b"x" * (MOST_HEAD - 200)
    body = b"b" * (20 * MOST_HEAD)
    sent = post(body, large) + post(body) + post(b"", large) + post(b"", b"Connection: close")
    got = answers(address, sent)
    assert got.count(b"HTTP/1.1 200 OK") == 4
    assert got.count(b"%d " % len(body)) == 2
