"""Detects clients that disconnect during a request, and cancels their queries."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.query.clickhouse.cancellation import CancelScope

_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})  # methods whose routes may never call `receive`


class DisconnectMiddleware:
    """Innermost ASGI middleware, so that waiting for a disconnect does not count as a slow body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        line = _Line(receive)
        if scope["method"] in _BODILESS:
            await line.prefetch()

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                line.cancel_scope.finish()  # from here on, the server reports every request as disconnected
            await send(message)

        try:
            with line.cancel_scope.active():
                await self._app(scope, line.receive, sent)
        finally:
            await line.close()


class _Line:
    """A request's `receive`. Once the body is complete, a task listens for the disconnect."""

    def __init__(self, receive: Receive) -> None:
        self.cancel_scope = CancelScope()
        self._receive = receive
        self._fetched: Message | None = None
        self._gone = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def prefetch(self) -> None:
        """Receive the first message, so that the listener starts if the body ends with it."""
        self._fetched = await self._next()

    async def receive(self) -> Message:
        if self._fetched is not None:
            message, self._fetched = self._fetched, None
            return message
        if self._listener is not None:
            await self._gone.wait()
        return {"type": "http.disconnect"} if self._gone.is_set() else await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self._leave()
        elif not message.get("more_body", False):
            self._listener = asyncio.create_task(self._listen())
        return message

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self._gone.set()
        self.cancel_scope.cancel()

    async def close(self) -> None:
        self.cancel_scope.finish()
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener
