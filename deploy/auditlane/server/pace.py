"""What one process takes at once, and how slowly a body may come: uvicorn bounds neither.

A sender that sends its body by the drop would hold a place for hours. Headers that come by the drop never get here:
they are the proxy's to bound.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

from fastapi import Request
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.runtime.errors import Busy
from auditlane.server.problems import of_error

PIECE_BYTES: Final = 64 << 10  # each piece of a body has the time-out anew
# A process that is busy is not dead, and tokens must be had whatever else is slow.
ALWAYS: Final = ("/health/", "/metrics", "/v1/token", "/auth/", "/vendors/")


class Pace:
    """ASGI middleware. `most` requests are worked on at once, until their answers begin; `body_s` for each 64 KiB."""

    def __init__(self, app: ASGIApp, *, most: int, body_s: float) -> None:
        self._app = app
        self._most = most
        self._body_s = body_s
        self._now = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        counted = not scope["path"].startswith(ALWAYS)
        if counted and self._now >= self._most:
            busy = Busy(
                f"This process works on {self._most} requests, as many as it takes at once.",
                fix="Try again in a moment; if it goes on, add processes or raise AUDITLANE_SERVE_REQUESTS.",
            )
            refused = of_error(Request(scope), busy)
            refused.headers["Connection"] = "close"  # the unread body must not be taken for the next request
            await refused(scope, receive, send)
            return
        self._now += counted
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start" and not begun:
                begun = True
                self._now -= counted
            await send(message)

        try:
            await self._app(scope, _timed(receive, self._body_s), watched)
        finally:
            if not begun:
                self._now -= counted


def _timed(receive: Receive, body_s: float) -> Receive:
    """`receive` that raises a 408 when the body is slower; what comes after the body is waited for without end."""
    began, got, whole = time.monotonic(), 0, False

    async def timed() -> Message:
        nonlocal got, whole
        if whole:
            return await receive()
        due = began + body_s * (1 + got // PIECE_BYTES)
        try:
            message = await asyncio.wait_for(receive(), max(0.001, due - time.monotonic()))
        except TimeoutError:
            raise HTTPException(
                408, f"The body came too slowly: {got} bytes so far.", headers={"Connection": "close"}
            ) from None
        got += len(message.get("body", b""))
        whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return timed
