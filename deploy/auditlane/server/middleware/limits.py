"""What one process takes at once. A request is authenticated, then its body arrives, and only then is it worked on.

Whoever has no credential costs a look at the head; whoever sends a body by the drop holds no place that others need.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.access.audit import auditor_of
from auditlane.access.scope import TENANT_HEADER
from auditlane.contract.frontegg import TENANT_HEADER as THEIR_TENANT_HEADER
from auditlane.runtime.errors import AuditlaneError, Busy, RateLimited
from auditlane.runtime.fair_share import CURRENT, LONGEST_S, READS, Share, Shares, Timed
from auditlane.runtime.settings import Settings
from auditlane.server.auth.authentication import CheckedRoute, RouteChecks
from auditlane.server.middleware.bodies import (
    MOST,
    MOST_OPEN,
    PendingBodies,
    RequestBody,
    address_of,
    has_body,
    replayed,
)
from auditlane.server.middleware.client_networks import network_of
from auditlane.server.problems import Failure, answer, of_error, of_http

# A process that is busy is not dead, and tokens must be had whatever else is slow.
ALWAYS: Final = ("/health/", "/metrics", "/v1/token", "/auth/", "/vendors/")
# How long a 429 is delayed, without holding a place: a client that retries at once would be refused hundreds of times a
# second.
HOLD_S: Final = 1.0
_CLOSE: Final = {"Connection": "close"}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


Whose = Callable[[Request], Awaitable[str]]


class RequestSlots:
    """The requests that are worked on, in all and by tenant."""

    def __init__(self, most: int, of_tenant: int) -> None:
        self._most = most
        self._of_tenant = of_tenant
        self._all = 0
        self._tenants: dict[str, int] = {}

    def require(self) -> None:
        """Raise Busy when there is no place."""
        if self._all >= self._most:
            raise Busy(
                f"This process works on {self._most} requests, as many as it takes at once.",
                fix="Try again in a moment; if it goes on, add processes or raise AUDITLANE_SERVE_MAX_CONCURRENCY.",
            )

    def require_for(self, tenant: str) -> None:
        """Raise RateLimited when the tenant has its share of the places."""
        if tenant and self._tenants.get(tenant, 0) >= self._of_tenant:
            raise RateLimited(
                f"{self._of_tenant} requests about this tenant are worked on, as many as may be at once.",
                fix="Send fewer at once, or wait as long as Retry-After says.",
            )

    def add(self, tenant: str, by: int) -> None:
        self._all += by
        if tenant and (count := self._tenants.get(tenant, 0) + by):
            self._tenants[tenant] = count
        else:
            self._tenants.pop(tenant, None)


class _RequestSlot:
    """One request's place. It is given back while the body is waited for, and when the answer begins."""

    def __init__(self, places: RequestSlots, *, counted: bool) -> None:
        self._places = places
        self._counted = counted
        self._taken = False
        self.tenant = ""
        self.answered = False

    def take(self, *, again: bool = False) -> None:
        """Raises Busy, RateLimited. `again`: it had one, and what came for it is worked on in any case."""
        if not self._counted or self._taken or self.answered:
            return
        if not again:
            self._places.require()
            self._places.require_for(self.tenant)
        self._places.add(self.tenant, 1)
        self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._places.add(self.tenant, -1)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Without the place, then with it again."""
        self.leave()
        yield
        self.take(again=True)


class ConcurrencyLimit:
    """ASGI middleware: who asks, what of the body there is, and a place to work on it, in this order."""

    def __init__(
        self, app: ASGIApp, *, route_checks: RouteChecks, settings: Settings, streamed: Mapping[str, int], whose: Whose
    ) -> None:
        """`streamed`: the paths whose routes read their body by the piece, and its most bytes. Such a body may be of
        unknown length, and is not waited for as a whole. `whose` tells which tenant's a request is where the route asks
        for no credential before it runs; "" where that cannot be told."""
        self._whose = whose
        self._app = app
        self._entrance = route_checks
        self._streamed = dict(streamed)
        self._body_s = settings.serve_body_timeout_s
        self._places = RequestSlots(settings.serve_max_concurrency, settings.serve_requests_per_tenant)
        self._unfinished = PendingBodies(settings.serve_bodies_per_address, settings.serve_body_bytes)
        self._shares = Shares(settings.serve_share_per_tenant)
        self._reads = Shares(settings.serve_reads_per_tenant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        place = _RequestSlot(self._places, counted=not scope["path"].startswith(ALWAYS))
        share, reads = Share(self._shares), Share(self._reads)
        CURRENT.set(share)
        READS.set(reads)
        try:
            await Timed(self._answer(scope, receive, send, place, share, reads), share.charge)
        finally:
            place.leave()
            share.settle()
            reads.settle()

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, place: _RequestSlot, share: Share, reads: Share
    ) -> None:
        request, door = Request(scope), self._entrance.door(scope)
        arriving = RequestBody(receive, self._body_s, whole=not has_body(request.headers))
        send = arriving.closing(send)

        async def begun(message: Message) -> None:
            if message["type"] == "http.response.start":
                worked = message["status"] != HTTPStatus.TOO_MANY_REQUESTS  # or it tells nothing of what others cost
                share.settle(worked=worked)
                reads.settle(worked=worked)
                place.leave()
                place.answered = True
                if message["status"] == HTTPStatus.TOO_MANY_REQUESTS:
                    await asyncio.sleep(HOLD_S)
            await send(message)

        try:
            refusal = self._too_large(request, door)
            if refusal is None:
                receive = await self._admitted(request, door, arriving, place, share, reads)
        except AuditlaneError as error:
            refusal = of_error(request, error)
        except HTTPException as error:
            refusal = of_http(request, error)
        await (refusal or self._app)(scope, receive, begun)

    def _too_large(self, request: Request, door: CheckedRoute | None) -> Response | None:
        """The answer to a body that is not read at all: one too large, or one that does not say how large it is."""
        streamed = self._streamed.get(request.url.path)
        if "transfer-encoding" in request.headers:
            if streamed:
                return None
            text, fix = "The body's length is missing.", "Send Content-Length."
            return answer(request, Failure(status=411, code="LENGTH_REQUIRED", detail=text, fix=fix, headers=_CLOSE))
        most = streamed or (MOST_OPEN if door and not door.checks else MOST)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            text = f"A body has at most {most} bytes here."
            return answer(request, Failure(status=413, code="TOO_LARGE", detail=text, headers=_CLOSE))
        return None

    async def _admitted(
        self,
        request: Request,
        door: CheckedRoute | None,
        arriving: RequestBody,
        place: _RequestSlot,
        share: Share,
        reads: Share,
    ) -> Receive:
        """What the app receives, once the request may be worked on. Raises what is answered instead."""
        place.take()
        if door is None:
            return arriving.receive  # nothing is there: nothing is read
        await door.admit(request.scope)
        auditor = auditor_of(request)
        place.leave()
        place.tenant = (auditor.tenant or _named(request.headers)) if door.checks else await self._of_open(request)
        wait_s = share.reserve(place.tenant)
        if wait_s > LONGEST_S:
            raise RateLimited(
                "Requests about this tenant take more of this process's time than they may while others ask.",
                fix="Send fewer at once, or wait as long as Retry-After says.",
                retry_after_s=wait_s,
            )
        if request.method not in _WITH_BODY:  # never refused: ClickHouse may be slow for another reason
            wait_s = max(wait_s, min(reads.reserve(place.tenant), LONGEST_S))
        if wait_s:
            await asyncio.sleep(wait_s)
        if arriving.whole or request.method not in _WITH_BODY:
            place.take()
            return arriving.receive
        with self._unfinished.one_of(network_of(address_of(request))):
            if request.url.path in self._streamed:
                first = await arriving.receive()
            else:
                first = await self._whole(arriving, place.tenant or auditor.actor_id or "", counted=bool(door.checks))
        place.take()
        return _streaming(replayed(first, arriving.receive), arriving, place)

    async def _of_open(self, request: Request) -> str:
        return "" if request.url.path.startswith(ALWAYS) else await self._whose(request)

    async def _whole(self, arriving: RequestBody, holder: str, *, counted: bool) -> Message:
        """All of the body. What open routes take is small, and not counted: tokens must be had whatever else comes."""
        body = bytearray()
        held = 0
        try:
            async for piece in arriving.pieces():
                if counted:
                    self._unfinished.take(holder, len(piece))
                    held += len(piece)
                body += piece
        finally:
            self._unfinished.give_back(holder, held)
        return {"type": "http.request", "body": bytes(body), "more_body": False}


def _named(headers: Mapping[str, str]) -> str:
    """The tenant that a client of the whole environment names, as it does for us or for Frontegg."""
    return (headers.get(TENANT_HEADER) or headers.get(THEIR_TENANT_HEADER, ""))[:100]


def _streaming(receive: Receive, arriving: RequestBody, place: _RequestSlot) -> Receive:
    """`receive` that gives the place back while more of the body is waited for."""

    async def received() -> Message:
        if arriving.whole:
            return await receive()
        with place.away():
            return await receive()

    return received
