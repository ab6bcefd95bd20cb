"""Traces requests. Each has one span, named after its route, in the caller's trace (`traceparent`).

OpenTelemetry's own instrumentation is not used, because it records a span for each message of a stream, and the URL,
whose query string may contain a link's code or personal data.
"""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.runtime import trace_context, tracing
from auditlane.server.middleware.request import QUIET, route

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class TracingMiddleware:
    """ASGI middleware around RequestMiddleware, so that the log lines contain the trace id."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(QUIET):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        method = request.method if request.method in _METHODS else "_OTHER"
        parent = trace_context.parse(request.headers.get(trace_context.HEADER, ""))
        with tracing.span(method, {"http.request.method": method}, kind="server", parent=parent) as span:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                    span.set_attribute("http.route", route(request))
                    span.update_name(f"{method} {route(request)}")
                    if message["status"] >= 500:
                        tracing.mark_failed(span, str(message["status"]))
                await send(message)

            await self._app(scope, receive, send_and_note)
