"""ASGI middleware that gives each request an audit context, and records an event for each configured route.

It is not a BaseHTTPMiddleware, which would run the application in another task and hide streaming and disconnects.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Final

from auditlane.integrations.web.exchange import Exchange
from auditlane.integrations.web.recorder import Head, Recorder
from auditlane.integrations.web.resolvers import settle
from auditlane.integrations.web.routes import AuditRoute
from auditlane.sdk import AuditClient
from auditlane.sdk.context import AuditContext

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

_HEADERS: Final = {
    b"user-agent": "user_agent",
    b"traceparent": "traceparent",
    b"x-request-id": "x_request_id",
}
_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed"})
_WHOLE: Final = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class AuditMiddleware:
    """Records the configured routes of an ASGI application.

        app = AuditMiddleware(app, routes={"DELETE /documents/{document_id}": "document.deleted"}, tenant=tenant_of)

    Handlers may call `audit.record(action=…)`, which fills in tenant, actor, address and request id. This also works
    for handlers in threads and for WebSockets, which otherwise pass through unchanged.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        routes: Mapping[str, str | AuditRoute] | None = None,
        tenant: Callable[[Any], object] | None = None,
        actor: Callable[[Any], object] | None = None,
        trusted_proxies: str | int = "",
        record_denied: bool = False,
        client: AuditClient | None = None,
    ) -> None:
        """Wrap `app`.

        Args:
            app: The application.
            routes: Action or AuditRoute by method and path template, which is relative to the middleware's mount point.
            tenant: `tenant(request)` returns the tenant's id. Called when an event is made, so it may use anything
                that the application knows by then. `request` is the scope.
            actor: `actor(request)` returns the actor's id or an Actor. Called at the same time as `tenant`.
            trusted_proxies: Networks of proxies whose `X-Forwarded-For` is trusted, as text, or the number of proxies.
            record_denied: Record every other 401 or 403 response as `access.denied`.
            client: The client; default: `auditlane.sdk.audit`.

        Raises:
            ConfigError: A route, a resolver or a proxy is invalid.
        """
        self.app = app
        self._recorder = Recorder(
            routes=routes or {},
            tenant=tenant,
            actor=actor,
            trusted_proxies=trusted_proxies,
            record_denied=record_denied,
            client=client,
        )
        self._pending: set[asyncio.Future[Any]] = set()

    def request_of(self, scope: Scope) -> Any:
        """Return the object that is passed to the resolvers."""
        return scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, partial(self._flush_at_the_end, send))
        elif scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
        else:
            with self._recorder.context(partial(_head, scope), partial(self.request_of, scope)) as context:
                if scope["type"] == "http" and self._recorder.observes(scope["method"]):
                    await self._observe(context, scope, receive, send)
                else:
                    await self.app(scope, receive, send)

    async def _observe(self, context: AuditContext, scope: Scope, receive: Receive, send: Send) -> None:
        mounted = scope.get("root_path", "")
        exchange = Exchange(scope["method"], path_within(scope["path"], mounted))

        async def observed(message: Message) -> None:
            kind = message["type"]
            if kind == "http.response.start":
                exchange.status = message["status"]
            try:
                await send(message)
            except OSError:
                exchange.left = True
                raise
            if kind in _WHOLE or (kind == "http.response.body" and not message.get("more_body", False)):
                exchange.complete = True
                # Waiting for background tasks would delay the event. A server error may be followed by its exception.
                if exchange.status < 500:
                    self._record(exchange, context, scope)

        try:
            await self.app(scope, receive, observed)
        except BaseException as error:
            exchange.failed(error)
            raise
        finally:
            self._record(exchange, context, scope)

    def _record(self, exchange: Exchange, context: AuditContext, scope: Scope) -> None:
        if exchange.recorded:
            return
        try:
            self._record_once(exchange, context, scope)
        except Exception as error:
            self._recorder.report(error)

    def _record_once(self, exchange: Exchange, context: AuditContext, scope: Scope) -> None:
        route = scope.get("route")
        if route is not None:
            # A mount has no methods; its own template does not contain the path below it.
            exchange.template = getattr(route, "path", None) if hasattr(route, "methods") else None
        else:
            exchange.unrouted = "router" in scope  # a router ran but found no route
        values = self._recorder.event(exchange)
        if values is None:
            return
        settle(context)
        client = self._recorder.client
        if not self._recorder.waits(context):
            client.record(**values)
        else:  # the event loop must not wait
            record = partial(contextvars.copy_context().run, client.record, **values)
            try:
                waiting = asyncio.get_running_loop().run_in_executor(None, record)
            except RuntimeError:  # the loop is ending, or is not asyncio's (under Trio)
                record()
                return
            self._pending.add(waiting)
            waiting.add_done_callback(self._pending.discard)

    async def _flush_at_the_end(self, send: Send, message: Message) -> None:
        """Flush before the server learns that the application has ended, since uvicorn does not run exit handlers
        afterwards.
        """
        if message["type"] in _ENDS:
            if self._pending:
                await asyncio.gather(*self._pending, return_exceptions=True)
            await self._recorder.flush()
        await send(message)


def path_within(path: str, root_path: str) -> str:
    """Return the part of a request's path below `root_path`. Servers include `root_path` in the path, but not all
    proxies do.
    """
    if root_path and path.startswith(root_path) and path[len(root_path) : len(root_path) + 1] in ("", "/"):
        return path[len(root_path) :]
    return path


def _head(scope: Scope) -> Head:
    peer = scope.get("client")
    found: dict[str, str] = {}
    forwarded = []
    for name, value in scope["headers"]:
        if (field := _HEADERS.get(name)) is not None:
            found[field] = value.decode("latin-1")
        elif name == b"x-forwarded-for":
            forwarded.append(value.decode("latin-1"))
    return Head(peer=peer[0] if peer else None, forwarded_for=forwarded, **found)
