"""Limits concurrent requests. A request is authenticated first, then its body is received, and only then is it
processed.

A client without a credential therefore costs only the parsing of its headers, and a client that sends its body slowly
does not occupy a slot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.access.audit import auditor_of
from auditlane.access.scope import TENANT_HEADER
from auditlane.contract.frontegg import TENANT_HEADER as THEIR_TENANT_HEADER
from auditlane.query.clickhouse.executor import ROUTE
from auditlane.query.export.links import DOWNLOAD_PATH, DownloadLinks
from auditlane.runtime.errors import AuditlaneError, Busy, RateLimited
from auditlane.runtime.fair_share import CURRENT, LONGEST_S, READS, Share, Shares, Timed
from auditlane.runtime.settings import Settings
from auditlane.server.auth.authentication import Authenticator, CheckedRoute, RouteChecks
from auditlane.server.metrics import HttpMetrics
from auditlane.server.middleware.bodies import (
    MAX_BYTES,
    MAX_PUBLIC_BYTES,
    PendingBodies,
    RequestBody,
    address_of,
    has_body,
    replayed,
)
from auditlane.server.middleware.client_addresses import network_of
from auditlane.server.problems import Failure, answer, of_error, of_http

# Exempt: a busy process must not appear dead, and tokens must be available even when other routes are slow.
ALWAYS: Final = ("/health/", "/metrics", "/v1/token", "/auth/", "/vendors/")
# Delay of a 429, without occupying a slot. A client that retries immediately would otherwise be rejected hundreds of
# times per second.
HOLD_S: Final = 1.0
_CLOSE: Final = {"Connection": "close"}
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class RequestSlots:
    """Counts requests in progress, in total and by tenant. `count` is called with 1 or -1 at each change."""

    def __init__(self, limit: int, tenant_limit: int, count: Callable[[int], None]) -> None:
        self._count = count
        self._limit = limit
        self._tenant_limit = tenant_limit
        self._total = 0
        self._tenants: dict[str, int] = {}

    def require(self) -> None:
        """Raise Busy if no slot is free."""
        if self._total >= self._limit:
            raise Busy(
                f"This process is already handling {self._limit} requests, which is the limit.",
                fix="Try again in a moment. If this persists, add processes or raise AUDITLANE_SERVE_MAX_CONCURRENCY.",
            )

    def require_for(self, tenant: str) -> None:
        """Raise RateLimited if the tenant occupies its share of the slots."""
        if tenant and self._tenants.get(tenant, 0) >= self._tenant_limit:
            raise RateLimited(
                f"{self._tenant_limit} requests of this tenant are already in progress, which is the limit.",
                fix="Send fewer concurrent requests, or retry after the time in Retry-After.",
            )

    def add(self, tenant: str, by: int) -> None:
        self._total += by
        self._count(by)
        if tenant and (count := self._tenants.get(tenant, 0) + by):
            self._tenants[tenant] = count
        else:
            self._tenants.pop(tenant, None)


class _RequestSlot:
    """One request's slot. It is released while the request waits for its body, and when the response starts."""

    def __init__(self, slots: RequestSlots, *, counted: bool) -> None:
        self._slots = slots
        self._counted = counted
        self._taken = False
        self.tenant = ""
        self.answered = False

    def take(self, *, again: bool = False) -> None:
        """Occupy a slot. Raises Busy or RateLimited, unless `again` is true, since a request in progress always
        continues.
        """
        if not self._counted or self._taken or self.answered:
            return
        if not again:
            self._slots.require()
            self._slots.require_for(self.tenant)
        self._slots.add(self.tenant, 1)
        self._taken = True

    def leave(self) -> None:
        if self._taken:
            self._taken = False
            self._slots.add(self.tenant, -1)

    @contextmanager
    def away(self) -> Iterator[None]:
        self.leave()
        yield
        self.take(again=True)


class ConcurrencyLimit:
    """ASGI middleware that authenticates a request, receives its body, and takes a slot, in this order."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        route_checks: RouteChecks,
        settings: Settings,
        streamed: Mapping[str, int],
        authenticator: Authenticator,
        links: DownloadLinks | None,
        metrics: HttpMetrics,
    ) -> None:
        """Wrap the app. `streamed` maps the routes that read their body in chunks to the maximum body size in bytes.

        Such a body may have an unknown length, and only its first chunk is awaited. `links` opens download links.
        """
        self._authenticator = authenticator
        self._links = links
        self._app = app
        self._route_checks = route_checks
        self._streamed = dict(streamed)
        self._body_s = settings.serve_body_timeout_s
        limit = settings.serve_max_concurrency
        self._slots = RequestSlots(limit, settings.serve_requests_per_tenant, metrics.slots(limit))
        self._pending_bodies = PendingBodies(settings.serve_bodies_per_address, settings.serve_body_bytes)
        self._shares = Shares(settings.serve_share_per_tenant)
        self._reads = Shares(settings.serve_reads_per_tenant)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        slot = _RequestSlot(self._slots, counted=not scope["path"].startswith(ALWAYS))
        share, reads = Share(self._shares), Share(self._reads)
        CURRENT.set(share)
        READS.set(reads)
        try:
            await Timed(self._answer(scope, receive, send, slot, share, reads), share.charge)
        finally:
            slot.leave()
            share.settle()
            reads.settle()

    async def _answer(
        self, scope: Scope, receive: Receive, send: Send, slot: _RequestSlot, share: Share, reads: Share
    ) -> None:
        request, route = Request(scope), self._route_checks.find(scope)
        if route is not None:
            ROUTE.set(route.route.path)
        body = RequestBody(receive, self._body_s, whole=not has_body(request.headers))
        send = body.closing(send)

        async def send_settled(message: Message) -> None:
            if message["type"] == "http.response.start":
                worked = message["status"] != HTTPStatus.TOO_MANY_REQUESTS  # a 429 does not reflect a request's cost
                share.settle(worked=worked)
                reads.settle(worked=worked)
                slot.leave()
                slot.answered = True
                if message["status"] == HTTPStatus.TOO_MANY_REQUESTS:
                    await asyncio.sleep(HOLD_S)
            await send(message)

        try:
            refusal = self._too_large(request, route)
            if refusal is None:
                receive = await self._admit(request, route, body, slot, share, reads)
        except AuditlaneError as error:
            refusal = of_error(request, error)
        except HTTPException as error:
            refusal = of_http(request, error)
        await (refusal or self._app)(scope, receive, send_settled)

    def _too_large(self, request: Request, route: CheckedRoute | None) -> Response | None:
        """Return the response to a body that is too large or of unknown length, or None for any other body. The body is
        not read.
        """
        streamed = self._streamed.get(request.scope["path"])
        if "transfer-encoding" in request.headers:
            if streamed:
                return None
            text, fix = "The request has no Content-Length.", "Send the header Content-Length."
            return answer(request, Failure(status=411, code="LENGTH_REQUIRED", detail=text, fix=fix, headers=_CLOSE))
        limit = streamed or (MAX_PUBLIC_BYTES if route and not route.checks else MAX_BYTES)
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            text = f"The body is larger than {limit} bytes."
            fix = "Split it into smaller requests."
            return answer(request, Failure(status=413, code="TOO_LARGE", detail=text, fix=fix, headers=_CLOSE))
        return None

    async def _admit(
        self,
        request: Request,
        route: CheckedRoute | None,
        body: RequestBody,
        slot: _RequestSlot,
        share: Share,
        reads: Share,
    ) -> Receive:
        """Wait until the request may be processed, and return its `receive`. Raises an error if the request is
        rejected."""
        slot.take()
        if route is None:
            return body.receive  # no such route, so the body is not read
        await route.admit(request.scope)
        auditor = auditor_of(request)
        slot.leave()
        slot.tenant = (
            (auditor.tenant or _named(request.headers)) if route.checks else await self._tenant_of_public(request)
        )
        wait_s = share.reserve(slot.tenant)
        if wait_s > LONGEST_S:
            raise RateLimited(
                "This tenant's requests exceed its share of this process's CPU time.",
                fix="Send fewer concurrent requests, or retry after the time in Retry-After.",
                retry_after_s=wait_s,
            )
        if request.method not in _WITH_BODY:  # never rejected, since ClickHouse may be slow for another reason
            wait_s = max(wait_s, min(reads.reserve(slot.tenant), LONGEST_S))
        if wait_s:
            await asyncio.sleep(wait_s)
        if body.whole or request.method not in _WITH_BODY:
            slot.take()
            return body.receive
        with self._pending_bodies.counting(network_of(address_of(request))):
            if request.scope["path"] in self._streamed:
                first = await body.receive()
            else:
                first = await self._whole(body, slot.tenant or auditor.actor_id or "", counted=bool(route.checks))
        slot.take()
        return _streaming(replayed(first, body.receive), body, slot)

    async def _tenant_of_public(self, request: Request) -> str:
        """Return the tenant of a request to a public route, if the request has a valid credential, or else "".

        Public routes, which have no checks, are pages and downloads by link.
        """
        if request.method not in ("GET", "HEAD") or request.scope["path"].startswith(ALWAYS):
            return ""
        try:
            if self._links and request.scope["path"] == DOWNLOAD_PATH:
                return self._links.open(request.query_params.get("code", "")).scope.tenant
            return (await self._authenticator.principal(request)).tenant or ""
        except AuditlaneError:  # the route reports it
            return ""

    async def _whole(self, body: RequestBody, holder: str, *, counted: bool) -> Message:
        """Receive the whole body. Bodies for public routes are small and not counted, since tokens must stay
        available.
        """
        data = bytearray()
        held = 0
        try:
            async for piece in body.pieces():
                if counted:
                    self._pending_bodies.add(holder, len(piece))
                    held += len(piece)
                data += piece
        finally:
            self._pending_bodies.remove(holder, held)
        return {"type": "http.request", "body": bytes(data), "more_body": False}


def _named(headers: Mapping[str, str]) -> str:
    return (headers.get(TENANT_HEADER) or headers.get(THEIR_TENANT_HEADER, ""))[:100]


def _streaming(receive: Receive, body: RequestBody, slot: _RequestSlot) -> Receive:
    """Return a `receive` that releases the slot while waiting for more of the body."""

    async def received() -> Message:
        if body.whole:
            return await receive()
        with slot.away():
            return await receive()

    return received
