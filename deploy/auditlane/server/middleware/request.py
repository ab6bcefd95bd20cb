"""The outermost middleware: request ids, the access log, metrics, the audit trail, security headers and unexpected
errors.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import Request
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.access.audit import Action, AuditSink, NullAuditSink, RequestAuditor, auditor_of
from auditlane.access.permissions import Permission
from auditlane.query.export.download import ROWS_HEADER
from auditlane.runtime import trace_context
from auditlane.runtime.ids import uuid7
from auditlane.runtime.log import get
from auditlane.server.metrics import HttpMetrics
from auditlane.server.problems import unexpected

RESOURCE: Final = "audit_log"
_DENIED: Final = frozenset({401, 403})


def attach_auditor(request: Request, sink: AuditSink, request_id: str) -> None:
    """Attach an auditor to the request."""
    request.state.auditor = RequestAuditor(
        sink, ip=request.client.host if request.client else None, request_id=request_id
    )


def record_response(request: Request, status: int, headers: Headers) -> None:
    """Record the request, unless its route has already done so. Called when the response starts, since a stream may
    last for hours."""
    auditor = auditor_of(request)
    if auditor.recorded:
        return
    if status in _DENIED:
        code = getattr(request.state, "code", None)
        auditor.record(
            Action.denied, outcome="denied", resource="route", method=request.method, route=route(request), code=code
        )
    elif status < 400:
        _allowed(request, auditor, headers)


def _allowed(request: Request, auditor: RequestAuditor, headers: Headers) -> None:
    needed = getattr(request.state, "permission", None)
    if needed is Permission.read:
        event_id = request.path_params.get("event_id")
        auditor.record(Action.viewed, resource=RESOURCE, resource_id=event_id, route=route(request))
    elif needed is Permission.admin:
        auditor.record(Action.operated, resource="installation", route=route(request))
    elif needed is Permission.export:
        auditor.record(
            Action.exported, resource=RESOURCE, rows=headers.get(ROWS_HEADER), type=headers.get("content-type")
        )


def record_incomplete(request: Request) -> None:
    """Record an incomplete response if it was an export."""
    if getattr(request.state, "permission", None) is Permission.export:
        auditor_of(request).record(Action.exported, outcome="failure", resource=RESOURCE, route=route(request))


def route(request: Request) -> str:
    """Return the route's pattern (`/v1/events/{event_id}`), never the path, which may contain an id."""
    return str(getattr(request.scope.get("route"), "path", "(none)"))


REQUEST_ID_HEADER: Final = "X-Request-Id"
_REQUEST_ID: Final = REQUEST_ID_HEADER.lower().encode()
_PLAIN_PATH: Final = re.compile(r"[A-Za-z0-9/._-]*")
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
QUIET: Final = ("/health/", "/metrics")  # requested every few seconds, so logged only on failure

# No inline scripts or styles, no third-party content, no embedding.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(ancestors="'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # a link's code must not leak in a Referer
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FRAMED: Final = frozenset({"/embed", "/enter"})  # links to `/embed` lead through `/enter`


def framed_headers(origins: Sequence[str]) -> dict[str, str]:
    """Return the headers for pages that these origins may embed. X-Frame-Options cannot list origins."""
    kept = {name: value for name, value in SECURITY_HEADERS.items() if name != "X-Frame-Options"}
    return kept | {
        "Content-Security-Policy": _POLICY.format(ancestors=" ".join(origins)),
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


def _raw(headers: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers for every response in ASGI's form. A tenant's log must not be cached."""
    every = {**headers, "Cache-Control": "no-store"}
    return tuple((name.lower().encode(), value.encode()) for name, value in every.items())


_SECURE: Final = _raw(SECURITY_HEADERS)


class RequestMiddleware:
    """Outermost ASGI middleware, so that every response has the id and the headers, even a 500.

    The id is the caller's `X-Request-Id` if valid, or else a new UUID.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        sink: AuditSink | None = None,
        framed_by: Sequence[str] = (),
    ) -> None:
        """Wrap the app. `framed_by` lists the origins that may embed the pages in `FRAMED`."""
        self._app = app
        self._metrics = metrics
        self._sink = sink or NullAuditSink()
        self._log = get("serve")
        self._framed = _raw(framed_headers(framed_by)) if framed_by else _SECURE

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid7()
        request.state.request_id = request_id
        attach_auditor(request, self._sink, request_id)
        began, status, first_byte, ended = time.perf_counter(), 0, 0.0, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, first_byte, ended
            if message["type"] == "http.response.start":
                status, first_byte = message["status"], time.perf_counter() - began
                secure = self._framed if scope["path"] in FRAMED else _SECURE
                message["headers"] = completed(message.get("headers", ()), request_id, secure)
                record_response(request, status, Headers(raw=message["headers"]))
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        bound = {"request_id": request_id}
        if context := trace_context.parse(request.headers.get(trace_context.HEADER, "")):
            bound["trace_id"] = context.trace_id
        with structlog.contextvars.bound_contextvars(**bound):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                self._log.info("http.client_gone", path=request.url.path)
            except Exception:
                self._log.exception("http.unforeseen", method=request.method, path=request.url.path)
                if status:  # the response is truncated: uvicorn closes the connection, so that the client notices
                    raise
                await unexpected(request)(scope, receive, send_with_headers)
            finally:
                if status == 200 and not ended:
                    record_incomplete(request)
                self._log_request(request, status, first_byte, time.perf_counter() - began)

    def _log_request(self, request: Request, status: int, first_byte: float, whole: float) -> None:
        self._metrics.observe(route(request), request.method, status, first_byte)
        self._metrics.refused(getattr(request.state, "code", ""))
        path = _path(request)
        if path.startswith(QUIET) and status < 500:
            return
        facts: dict[str, Any] = {"method": request.method, "path": path, "status": status, "ms": round(whole * 1000, 1)}
        who = getattr(request.state, "who", "")
        # Without the query string, which may contain a link's code or personal data.
        self._log.info("http.request", **facts, client=request.client.host if request.client else "", who=who)


def _path(request: Request) -> str:
    """Return `request.url.path`, which ends before a question mark or number sign that was percent-encoded, but faster
    for most paths.
    """
    path: str = request.scope["path"]
    return path if _PLAIN_PATH.fullmatch(path) else request.url.path


def completed(
    headers: Iterable[tuple[bytes, bytes]], request_id: str, secure: Iterable[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Return a response's headers with the request's id, and with those of `secure` that it does not have. Their names
    are in lower case.
    """
    kept = [(name, value) for name, value in headers if name != _REQUEST_ID]
    known = {name for name, _ in kept}
    missing = [header for header in secure if header[0] not in known]
    return [*kept, (_REQUEST_ID, request_id.encode("latin-1")), *missing]
