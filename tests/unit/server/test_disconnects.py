"""Tests that a disconnect cancels the work for that client, and no other work."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from auditlane.query.clickhouse.cancellation import CancelScope, current_scope, is_cancelled
from auditlane.server.middleware.disconnects import DisconnectMiddleware

App = Callable[[Any, Any, Any], Awaitable[None]]


class Wire:
    """Carries the messages between a server and an app, and reports a disconnect after each complete request."""

    def __init__(self, *incoming: dict[str, Any]) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        for message in incoming:
            self.incoming.put_nowait(message)
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            self.incoming.put_nowait({"type": "http.disconnect"})

    def go(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})


def body(text: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": text, "more_body": more}


def run(app: App, wire: Wire, method: str = "GET") -> None:
    asyncio.run(DisconnectMiddleware(app)({"type": "http", "method": method}, wire.receive, wire.send))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_disconnect_cancels_the_running_work(method):
    wire, ended = Wire(body()), asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if method == "POST":
            assert (await receive())["body"] == b""
        found = current_scope()
        assert found
        found.attach("a query", ended.set)
        assert not is_cancelled()
        wire.go()
        await ended.wait()
        assert is_cancelled()
        if method == "GET":
            await receive()  # the body, which has already arrived
        assert await receive() == await receive() == {"type": "http.disconnect"}

    run(app, wire, method)


def test_a_body_arrives_as_it_was_sent():
    wire, got = Wire(body(b"a", more=True), body(b"b", more=True), body(b"c")), []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            got.append(message["body"])
            more = message["more_body"]

    for method in ("GET", "POST"):
        got.clear()
        run(app, wire, method)
        assert got == [b"a", b"b", b"c"]
        wire = Wire(body(b"a", more=True), body(b"b", more=True), body(b"c"))


def test_a_complete_response_is_not_a_disconnect():
    left: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found = current_scope()
        assert found
        found.attach("a connection that is back in its pool", lambda: left.append("cut"))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"x", "more_body": False})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    run(app, Wire(body()))
    assert left == []
    assert current_scope() is None


def test_work_that_starts_after_a_disconnect_ends_at_once():
    ended: list[str] = []
    gone = CancelScope()
    gone.attach("first", lambda: ended.append("first"))
    gone.attach("done", lambda: ended.append("done"))
    gone.detach("done")
    gone.cancel()
    gone.attach("second", lambda: ended.append("second"))
    gone.cancel()
    assert ended == ["first", "second"]
