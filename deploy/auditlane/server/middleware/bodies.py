"""How large a body may be, how many may be unfinished, and how slowly one may come. Nothing of it reaches a route."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Send

from auditlane.runtime.errors import Busy, RateLimited

MOST: Final = 1 << 20  # bytes of a body; the routes take a few hundred
MOST_OPEN: Final = 4 << 10  # … where no credential is asked for
PIECE_BYTES: Final = 64 << 10  # each piece of a body has the time-out anew
_SHARE: Final = 4  # one tenant may hold this part of what all bodies may take
LINGER_BYTES: Final = 32 << 20  # what is read and thrown away of a body that was refused
LINGER_S: Final = 5.0  # … and for how long at most, while it keeps coming
SILENCE_S: Final = 1.0


def has_body(headers: Headers) -> bool:
    """Whether a body follows the request's head."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


@dataclass(slots=True)
class PendingBodies:
    """The bodies that are on their way in this process: how many from each address, how many bytes of each tenant."""

    most_of_address: int
    most_bytes: int
    _of_address: dict[str, int] = field(default_factory=dict)
    _of_holder: dict[str, int] = field(default_factory=dict)
    _bytes: int = 0

    @contextmanager
    def one_of(self, address: str) -> Iterator[None]:
        """While a body from this address comes. Raises RateLimited when it has too many already."""
        before = self._of_address.get(address, 0)
        if before >= self.most_of_address:
            raise RateLimited(
                f"This address has {before} unfinished requests, as many as it may.",
                fix="Finish those first, or raise AUDITLANE_SERVE_BODIES_PER_ADDRESS.",
            )
        self._of_address[address] = before + 1
        try:
            yield
        finally:
            _less(self._of_address, address, 1)

    def take(self, holder: str, size: int) -> None:
        """Hold so many bytes more for this holder. Raises RateLimited when its share is used up, Busy when all is."""
        mine = self._of_holder.get(holder, 0) + size
        if mine > max(self.most_bytes // _SHARE, MOST):
            raise RateLimited("Too many bodies are on their way for this tenant.", fix="Send fewer requests at once.")
        if self._bytes + size > self.most_bytes:
            raise Busy("This process holds as many bodies as it may.", fix="Try again in a moment.")
        self._of_holder[holder] = mine
        self._bytes += size

    def give_back(self, holder: str, size: int) -> None:
        """The bytes are the route's now."""
        self._bytes -= size
        _less(self._of_holder, holder, size)


def _less(counts: dict[str, int], key: str, by: int) -> None:
    left = counts.get(key, 0) - by
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)


class RequestBody:
    """A request's body as it comes, with its time-out; `whole` once nothing of it is missing."""

    def __init__(self, receive: Receive, body_s: float, *, whole: bool) -> None:
        """`whole`: there is no body."""
        self.whole = whole
        self._receive = receive
        self._body_s = body_s
        self._began = 0.0
        self._got = 0

    async def receive(self) -> Message:
        """The next message. What comes after the body is waited for without end. Raises HTTPException, a 408."""
        if self.whole:
            return await self._receive()
        self._began = self._began or time.monotonic()
        due = self._began + self._body_s * (1 + self._got // PIECE_BYTES)
        try:
            message = await asyncio.wait_for(self._receive(), max(0.001, due - time.monotonic()))
        except TimeoutError:
            raise HTTPException(
                408, f"The body came too slowly: {self._got} bytes so far.", headers={"Connection": "close"}
            ) from None
        self._got += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body by the piece. Raises ClientDisconnect, and what `receive` raises."""
        while not self.whole:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect()
            yield message.get("body", b"")

    def closing(self, send: Send) -> Send:
        """`send` for an answer that may come before the body is whole: the connection then ends with it.

        What is not read must not be taken for the next request. A client that still sends does not see the answer
        when the connection is closed at once, so what comes is thrown away for a while.
        """
        early = False

        async def sent(message: Message) -> None:
            nonlocal early
            if message["type"] == "http.response.start" and not self.whole:
                early = True
                MutableHeaders(scope=message)["Connection"] = "close"
            last = message["type"] == "http.response.body" and not message.get("more_body", False)
            if early and last and not self.whole:
                await send({**message, "more_body": True})
                await self._discard()
                message = {"type": "http.response.body", "body": b"", "more_body": False}
            await send(message)

        return sent

    async def _discard(self) -> None:
        size, end = 0, time.monotonic() + LINGER_S
        while size <= LINGER_BYTES and (left := end - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), min(SILENCE_S, left))
            except TimeoutError:
                return
            size += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body", False):
                return


def replayed(first: Message, receive: Receive) -> Receive:
    """`receive` that gives this message before the others."""
    waiting: list[Message] = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def address_of(request: Request) -> str:
    """The host that the request came from, or what a trusted proxy says it is."""
    return request.client.host if request.client else ""
