"""The live stream over HTTP: server-sent events, whose ids a client sends back to go on where it was."""

from __future__ import annotations

import asyncio
import inspect
import json
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Mac
from auditlane.query.language.fields import OwnOf, none_known
from auditlane.query.live.follow import StreamedEvent
from auditlane.query.live.hub import Channel, StreamHub
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.live.subscription import Ending, Subscription
from auditlane.query.models import Event
from auditlane.query.parameters import openapi_parameters, split
from auditlane.query.router import Authorize
from auditlane.runtime.errors import AuditlaneError, WrongTenant
from auditlane.runtime.fair_queue import FairQueue
from auditlane.runtime.fair_share import current

T = TypeVar("T")

HEARTBEAT_S: Final = 15.0
CHECK_S: Final = 3.0  # how often the credential and the connection are looked at
RETRY_MS: Final = 2_000
PIECE: Final = 50  # events whose text is made in one step of the event loop
_THREADS: Final = 8  # of streams that begin or catch up; pages keep their own
_OF_TENANT: Final = 2  # of these for one tenant

_STREAM: Final = openapi_parameters(
    cursor={"type": "string", "description": "The id of the last event that was received; as `Last-Event-ID`."}
)
_ANSWER: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events as they are stored: `event: event`, with the event as JSON. Ends with `event: end`.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


def build(
    hub: StreamHub, authorize: Authorize, mac: Mac, own_of: OwnOf = none_known, *, patience_s: float
) -> APIRouter:
    """`GET /v1/events/stream`; to be mounted before the route of one event. `patience_s`: how long a poll may take."""
    router = APIRouter(prefix="/v1", tags=["events"])
    who = authorize(Permission.read)
    reads = Depends(who)
    resume_tokens = ResumeTokens(mac)
    limiter, lines = CapacityLimiter(_THREADS), FairQueue(_OF_TENANT)

    async def check(request: Request, scope: TenantScope) -> None:
        """Raise what the request would be answered with now, and WrongTenant when it would be another tenant's."""
        request.state.principal = None  # who asked at first may be nobody by now
        found = who(request)
        now: TenantScope = await found if inspect.isawaitable(found) else found
        if now.tenant != scope.tenant:
            raise WrongTenant("This credential belongs to another tenant now.", fix="Open a new stream.")

    @router.get(
        "/events/stream",
        summary="Follow events as they are stored",
        response_class=StreamingResponse,
        responses=_ANSWER,
        openapi_extra=_STREAM,
    )
    async def stream(request: Request, scope: TenantScope = reads) -> StreamingResponse:
        """New events that match every given filter, as server-sent events, in the order in which they are stored."""
        fields = own_of(scope.tenant)
        threads = _Threads(scope.tenant, lines, limiter)
        own, filter_ = await threads.run(lambda: split(request.query_params.multi_items(), ("cursor",), fields))
        given = request.headers.get("last-event-id") or own.get("cursor")
        start = resume_tokens.open(scope, filter_, given) if given else None
        channel = hub.join(scope, filter_)
        loop, waiting = asyncio.get_running_loop(), asyncio.Event()
        subscription = Subscription(lambda: _from_any_thread(loop, waiting))
        followed = _Stream(hub, channel, subscription, waiting, lambda one: resume_tokens.seal(scope, filter_, one))
        try:
            if start is None:
                await followed.begin(patience_s, threads)
        except BaseException:
            hub.leave(channel, subscription, scope)
            raise
        body = followed.body(start, patience_s, threads, lambda: check(request, scope), request.is_disconnected)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return _StreamResponse(body, lambda: hub.leave(channel, subscription, scope), headers)

    return router


class _StreamResponse(StreamingResponse):
    """Leaves the channel when the response is over, also when its body never began."""

    def __init__(self, body: AsyncIterator[str], leave: Callable[[], None], headers: dict[str, str]) -> None:
        super().__init__(body, media_type="text/event-stream", headers=headers)
        self._leave = leave

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._leave()


class _Threads:
    """The threads that streams begin and catch up in; a tenant has its part of them."""

    def __init__(self, tenant: str, lines: FairQueue, limiter: CapacityLimiter) -> None:
        self._tenant = tenant
        self._lines = lines
        self._limiter = limiter

    async def run(self, work: Callable[[], T]) -> T:
        async with self._lines.of(self._tenant):
            return await to_thread.run_sync(work, limiter=self._limiter)


class _Stream:
    """One client's stream, as text."""

    def __init__(
        self,
        hub: StreamHub,
        channel: Channel,
        subscription: Subscription,
        waiting: asyncio.Event,
        seal: Callable[[StreamPosition], str],
    ) -> None:
        self._hub = hub
        self._channel = channel
        self._subscription = subscription
        self._waiting = waiting
        self._seal = seal
        self._caught_up = False  # whether the client has what it had missed

    async def begin(self, timeout_s: float, threads: _Threads) -> None:
        """Follow from now on. Raises what `StreamHub.begin` raises."""
        await threads.run(lambda: self._hub.begin(self._channel, self._subscription, timeout_s))

    async def body(
        self,
        start: StreamPosition | None,
        timeout_s: float,
        threads: _Threads,
        check: Callable[[], Awaitable[None]],
        disconnected: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[str]:
        """The stream's text. It ends when the credential does, the client is gone or too slow, or the service stops."""
        yield f"retry: {RETRY_MS}\n\n"
        try:
            if start is not None:
                async for text in self._catch_up(start, timeout_s, threads, check, disconnected):
                    yield text
                if self._subscription.ended and not self._caught_up:  # what waits comes after what was not given yet
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
        threads: _Threads,
        check: Callable[[], Awaitable[None]],
        disconnected: Callable[[], Awaitable[bool]],
    ) -> AsyncIterator[str]:
        while not self._caught_up and not self._subscription.ended and not await disconnected():
            await check()
            catch_up = partial(self._hub.catch_up, self._channel, self._subscription, start, timeout_s)
            event_slice, self._caught_up = await threads.run(catch_up)
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
        subscription, said = self._subscription, -math.inf
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
            if not events and time.monotonic() - said >= HEARTBEAT_S:
                # An id without data: the client goes on from here, though nothing matched since.
                yield ": alive\n" + (f"id: {self._seal(position)}\n\n" if position else "\n")
                said = time.monotonic()
            elif events:
                said = time.monotonic()
            try:
                await asyncio.wait_for(self._waiting.wait(), CHECK_S)
            except TimeoutError:
                continue

    async def _texts(self, events: Sequence[StreamedEvent], check: Callable[[], Awaitable[None]]) -> AsyncIterator[str]:
        """The events, a piece at a time. Others have their turn between pieces, which may take long: the credential is
        looked at before each."""
        share = current()
        for first in range(0, len(events), PIECE):
            await check()
            began = time.thread_time()
            text = "".join(map(self._text, events[first : first + PIECE]))
            share.charge(time.thread_time() - began)
            yield text
            await share.pause()

    def _text(self, one: StreamedEvent) -> str:
        if not one.text:
            one.text = f"id: {self._seal(one.position)}\nevent: event\ndata: {_json(one)}\n\n"
        return one.text


def _json(arrived: StreamedEvent) -> str:
    """The event in the form of the list, on one line."""
    return Event.model_validate_json(arrived.line).model_copy(update={"conflict": arrived.conflict}).model_dump_json()


_ENDINGS: Final[dict[Ending, str]] = {
    "slow": "Events arrived faster than they were read. Go on with the last id.",
    "stopping": "The service is stopping. Go on with the last id.",
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
