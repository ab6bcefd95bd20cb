"""The live stream over HTTP: server-sent events with ids from which a client can resume."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final, Protocol, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event
from auditlane.query.fields import from_structure
from auditlane.query.filters import openapi_parameters, split
from auditlane.query.geoip import GeoIp
from auditlane.query.live.follow import StreamedEvent
from auditlane.query.live.hub import Channel, StreamHub
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.live.subscription import Ending, Subscription
from auditlane.query.router import Authenticator, Scope, Structures, granted, services_of
from auditlane.runtime.errors import AuditlaneError, WrongTenant
from auditlane.runtime.fair_share import FairQueue, current
from auditlane.runtime.settings import Settings

T = TypeVar("T")

HEARTBEAT_S: Final = 15.0
CHECK_S: Final = 3.0  # interval for checking the credential and the connection
RETRY_MS: Final = 2_000
PIECE: Final = 50  # number of events serialized in one step of the event loop
_THREADS: Final = 8  # number of threads for streams that start or catch up; pages have their own
_PER_TENANT: Final = 2  # maximum number of these threads for one tenant

_STREAM: Final = openapi_parameters(
    cursor={"type": "string", "description": "The id of the last event received; like `Last-Event-ID`."}
)
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events as they are stored: `event: event` with the event as JSON. Ends with `event: end`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


class StreamThreads:
    """Threads in which streams start and catch up. A tenant can use only some of them at a time."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(_THREADS)
        self._queue = FairQueue(_PER_TENANT)

    async def run(self, tenant: str, work: Callable[[], T]) -> T:
        """Run `work` in one of the threads when it is the tenant's turn."""
        async with self._queue.of(tenant):
            return await to_thread.run_sync(work, limiter=self._limiter)


class StreamServices(Protocol):
    """The services that the stream uses."""

    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def streams(self) -> StreamHub: ...
    @property
    def stream_threads(self) -> StreamThreads: ...
    @property
    def resume_tokens(self) -> ResumeTokens: ...
    @property
    def structures(self) -> Structures: ...
    @property
    def geoip(self) -> GeoIp: ...


Services = Annotated[StreamServices, Depends(services_of)]


async def stream(request: Request, scope: Scope, services: Services) -> StreamingResponse:
    """Send new events that match every filter as server-sent events, in storage order."""
    hub, resume_tokens, patience_s = services.streams, services.resume_tokens, services.settings.query_timeout_s
    custom = from_structure(services.structures.of)(scope.tenant)
    pairs, threads = request.query_params.multi_items(), services.stream_threads
    own, filter_ = await threads.run(scope.tenant, lambda: split(pairs, ("cursor",), custom))
    token = request.headers.get("last-event-id") or own.get("cursor")
    start = resume_tokens.open(scope, filter_, token) if token else None
    channel = hub.join(scope, filter_)
    loop, waiting = asyncio.get_running_loop(), asyncio.Event()
    subscription = Subscription(lambda: _from_any_thread(loop, waiting))
    seal = partial(resume_tokens.seal, scope, filter_)
    followed = _Stream(hub, channel, subscription, waiting, seal, services.geoip)
    try:
        if start is None:
            await threads.run(scope.tenant, lambda: hub.begin(channel, subscription, patience_s))
    except BaseException:
        hub.leave(channel, subscription, scope)
        raise
    check = partial(_require_same_tenant, services.authenticator.authorize(Permission.read), request, scope)
    body = followed.body(start, patience_s, threads, check, request.is_disconnected)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return _StreamResponse(body, lambda: hub.leave(channel, subscription, scope), headers)


def build(services: StreamServices) -> APIRouter:
    """Build `GET /v1/events/stream`. It must be mounted before the route of a single event."""
    reads = granted(services.authenticator.authorize(Permission.read))
    router = APIRouter(prefix="/v1", tags=["events"], dependencies=[reads])
    router.get(
        "/events/stream",
        summary="Follow events as they are stored",
        response_class=StreamingResponse,
        responses=_ANSWER,
        openapi_extra=_STREAM,
    )(stream)
    return router


async def _require_same_tenant(authorize: Callable[..., Any], request: Request, scope: TenantScope) -> None:
    """Authenticate the request again.

    Raises the same error that a new request would raise, or WrongTenant if the credential now belongs to another
    tenant.
    """
    request.state.principal = None  # the credential may have been revoked in the meantime
    now: TenantScope = await authorize(request)
    if now.tenant != scope.tenant:
        raise WrongTenant("This credential now belongs to another tenant.", fix="Open a new stream.")


class _StreamResponse(StreamingResponse):
    """Leaves the channel when the response ends, even if its body never started."""

    def __init__(self, body: AsyncIterator[str], leave: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(body, media_type="text/event-stream", headers=headers)
        self._leave = leave

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class _Stream:
    """One client's stream, as text."""

    def __init__(
        self,
        hub: StreamHub,
        channel: Channel,
        subscription: Subscription,
        waiting: asyncio.Event,
        seal: Callable[[StreamPosition], str],
        geoip: GeoIp,
    ) -> None:
        self._hub = hub
        self._channel = channel
        self._subscription = subscription
        self._waiting = waiting
        self._seal = seal
        self._geoip = geoip
        self._caught_up = False  # whether the client has received the events that it missed

    async def body(
        self,
        start: StreamPosition | None,
        timeout_s: float,
        threads: StreamThreads,
        check: Callable[[], Awaitable[None]],
        disconnected: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[str]:
        """Yield the text of the stream until the credential expires, the client disconnects or is too slow, or the
        service stops.
        """
        yield f"retry: {RETRY_MS}\n\n"
        try:
            if start is not None:
                async for text in self._catch_up(start, timeout_s, threads, check, disconnected):
                    yield text
                if self._subscription.ended and not self._caught_up:  # sending the queued events would leave a gap
                    yield _ended(self._subscription)
                    return
            async for text in self._following(check, disconnected):
                yield text
        except AuditlaneError as error:
            yield _end(error.code, error.message)

    async def _catch_up(
        self,
        start: StreamPosition,
        timeout_s: float,
        threads: StreamThreads,
        check: Callable[[], Awaitable[None]],
        disconnected: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[str]:
        while not self._caught_up and not self._subscription.ended and not await disconnected():
            await check()
            catch_up = partial(self._hub.catch_up, self._channel, self._subscription, start, timeout_s)
            event_slice, self._caught_up = await threads.run(self._channel.scope.tenant, catch_up)
            start = event_slice.position
            if not event_slice.events and not self._caught_up:
                yield ": behind\n\n"
                continue
            async for text in self._texts(event_slice.events, check):
                yield text
            yield f"id: {self._seal(start)}\n\n"

    async def _following(
        self, check: Callable[[], Awaitable[None]], disconnected: Callable[[], Awaitable[bool]]
    ) -> AsyncIterator[str]:
        subscription, sent_at = self._subscription, -math.inf
        while not await disconnected():
            self._waiting.clear()
            ended, position = subscription.ended, subscription.position
            events = subscription.drain()
            if not events:
                await check()
            async for text in self._texts(events, check):
                yield text
            if ended:
                yield _ended(subscription)
                return
            if not events and time.monotonic() - sent_at >= HEARTBEAT_S:
                # An id without data advances the client's position even if no events matched.
                yield ": alive\n" + (f"id: {self._seal(position)}\n\n" if position else "\n")
                sent_at = time.monotonic()
            elif events:
                sent_at = time.monotonic()
            try:
                await asyncio.wait_for(self._waiting.wait(), CHECK_S)
            except TimeoutError:
                continue

    async def _texts(self, events: Sequence[StreamedEvent], check: Callable[[], Awaitable[None]]) -> AsyncIterator[str]:
        """Yield the events in chunks. The credential is checked before each chunk, since other work may run for a long
        time in between.
        """
        share = current()
        for first in range(0, len(events), PIECE):
            await check()
            began = time.thread_time()
            text = "".join(map(self._text, events[first : first + PIECE]))
            share.charge(time.thread_time() - began)
            yield text
            await share.pause()

    def _text(self, event: StreamedEvent) -> str:
        if not event.text:
            event.text = f"id: {self._seal(event.position)}\nevent: event\ndata: {self._json(event)}\n\n"
        return event.text

    def _json(self, event: StreamedEvent) -> str:
        """Serialize the event on one line, in the same form as the list API."""
        stored = Event.model_validate_json(event.line).model_copy(update={"conflict": event.conflict})
        [located] = self._geoip.located([stored])
        return located.model_dump_json()


_ENDINGS: Final[dict[Ending, str]] = {
    "slow": "Events arrived faster than they were read. Resume with the last id.",
    "stopping": "The service is stopping. Resume with the last id.",
}


def _ended(subscription: Subscription) -> str:
    if failure := subscription.failure:
        return _end(failure.code, failure.message)
    why = subscription.ended
    return _end("STREAM_SLOW" if why == "slow" else "STREAM_STOPPED", _ENDINGS[why])


def _end(code: str, detail: str) -> str:
    return f"event: end\ndata: {json.dumps({'code': code, 'detail': detail})}\n\n"


def _from_any_thread(loop: asyncio.AbstractEventLoop, waiting: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(waiting.set)
