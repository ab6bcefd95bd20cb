"""Limits request bodies before they reach a route: their size, number and duration."""

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

MAX_BYTES: Final = 1 << 20  # maximum size of a body; the routes need a few hundred bytes
MAX_PUBLIC_BYTES: Final = 4 << 10  # maximum size of a body on routes without a credential
PIECE_BYTES: Final = 64 << 10  # the timeout restarts after this many bytes of a body
_SHARE: Final = 4  # one tenant may use 1/4 of the bytes allowed for all bodies
LINGER_BYTES: Final = 32 << 20  # maximum number of bytes of a rejected body that are read and discarded
LINGER_S: Final = 5.0  # maximum duration of discarding
SILENCE_S: Final = 1.0  # discarding ends after this time without data


def has_body(headers: Headers) -> bool:
    """Return whether the request has a body."""
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


@dataclass(slots=True)
class PendingBodies:
    """Counts this process's incomplete bodies by address, and their bytes by tenant."""

    address_limit: int
    byte_limit: int
    _of_address: dict[str, int] = field(default_factory=dict)
    _of_holder: dict[str, int] = field(default_factory=dict)
    _bytes: int = 0

    @contextmanager
    def counting(self, address: str) -> Iterator[None]:
        """Count a body from this address within the block. Raises RateLimited at the address's limit."""
        before = self._of_address.get(address, 0)
        if before >= self.address_limit:
            raise RateLimited(
                f"This address has {before} incomplete requests, which is the limit.",
                fix="Complete them first, or raise AUDITLANE_SERVE_BODIES_PER_ADDRESS.",
            )
        self._of_address[address] = before + 1
        try:
            yield
        finally:
            _subtract(self._of_address, address, 1)

    def add(self, holder: str, size: int) -> None:
        """Count bytes that are held for this holder. Raises RateLimited if they exceed the holder's share, and Busy if
        all bytes exceed the total."""
        mine = self._of_holder.get(holder, 0) + size
        if mine > max(self.byte_limit // _SHARE, MAX_BYTES):
            raise RateLimited(
                "The tenant's unfinished request bodies exceed its share of this process's memory.",
                fix="Send fewer concurrent requests; AUDITLANE_SERVE_BODY_BYTES is the limit for all tenants.",
            )
        if self._bytes + size > self.byte_limit:
            raise Busy(
                "This process has reached its limit for request bodies in memory.",
                fix="Try again in a moment; AUDITLANE_SERVE_BODY_BYTES is the limit.",
            )
        self._of_holder[holder] = mine
        self._bytes += size

    def remove(self, holder: str, size: int) -> None:
        """Subtract bytes that were passed to the route."""
        self._bytes -= size
        _subtract(self._of_holder, holder, size)


def _subtract(counts: dict[str, int], key: str, by: int) -> None:
    left = counts.get(key, 0) - by
    if left > 0:
        counts[key] = left
    else:
        counts.pop(key, None)


class RequestBody:
    """A request's body as it arrives, with a timeout. It is `whole` once complete."""

    def __init__(self, receive: Receive, body_s: float, *, whole: bool) -> None:
        """Store the body's source. `whole` is true for a request without a body."""
        self.whole = whole
        self._receive = receive
        self._body_s = body_s
        self._began = 0.0
        self._received = 0

    async def receive(self) -> Message:
        """Return the next message. Raises HTTPException 408 if the body is late. After the body, there is no
        timeout.
        """
        if self.whole:
            return await self._receive()
        self._began = self._began or time.monotonic()
        due = self._began + self._body_s * (1 + self._received // PIECE_BYTES)
        try:
            async with asyncio.timeout(max(0.001, due - time.monotonic())):  # unlike `wait_for`, it creates no task
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(
                408, f"The body arrived too slowly: {self._received} bytes so far.", headers={"Connection": "close"}
            ) from None
        self._received += len(message.get("body", b""))
        self.whole = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body in chunks. Raises ClientDisconnect, and the errors of `receive`."""
        while not self.whole:
            message = await self.receive()
            if message["type"] != "http.request":
                raise ClientDisconnect()
            yield message.get("body", b"")

    def closing(self, send: Send) -> Send:
        """Return a `send` that closes the connection after a response that precedes the body's end.

        The unread rest must not be parsed as the next request. A client that is still sending would not see the
        response if the connection were closed immediately, so the rest is discarded for a while.
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
    """Return a `receive` that returns this message first."""
    waiting: list[Message] = [first]

    async def again() -> Message:
        return waiting.pop() if waiting else await receive()

    return again


def address_of(request: Request) -> str:
    """Return the client's address, as reported by a trusted proxy, if any."""
    return request.client.host if request.client else ""
