"""Around every request: its id, the access log, metrics, the audit trail, headers, an answer to what nobody foresaw."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog
from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from auditlane.access.audit import AuditSink, NullAuditSink
from auditlane.runtime.ids import uuid7
from auditlane.runtime.log import get
from auditlane.server.audit import request_audit
from auditlane.server.metrics import HttpMetrics
from auditlane.server.problems import unforeseen

REQUEST_ID_HEADER: Final = "X-Request-Id"
_SANE_ID: Final = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_QUIET: Final = ("/health/", "/metrics")  # asked every few seconds: logged only when they fail

# No inline script or style, nothing from elsewhere, no frame around us.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors {ancestors}"
)
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": _POLICY.format(ancestors="'none'"),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",  # a link's code must not travel on in a Referer
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
FRAMED: Final = frozenset({"/embed", "/enter"})  # a link to the former goes by the latter


def framed_headers(origins: Sequence[str]) -> dict[str, str]:
    """The headers of what pages of these origins may show in a frame. X-Frame-Options cannot name them."""
    kept = {name: value for name, value in SECURITY_HEADERS.items() if name != "X-Frame-Options"}
    return kept | {
        "Content-Security-Policy": _POLICY.format(ancestors=" ".join(origins)),
        "Cross-Origin-Resource-Policy": "cross-origin",
    }


class RequestMiddleware:
    """ASGI middleware; the outermost, so that every answer has the id and the headers, the 500 as well."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        sink: AuditSink | None = None,
        framed_by: Sequence[str] = (),
    ) -> None:
        """`framed_by`: the origins whose pages may show those of `FRAMED` in a frame."""
        self._app = app
        self._metrics = metrics
        self._sink = sink or NullAuditSink()
        self._log = get("serve")
        self._framed = framed_headers(framed_by) if framed_by else SECURITY_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _SANE_ID.fullmatch(given) else uuid7()
        request.state.request_id = request_id
        request_audit.begin(request, self._sink, request_id)
        began, status, first_byte, ended = time.perf_counter(), 0, 0.0, False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, first_byte, ended
            if message["type"] == "http.response.start":
                status, first_byte = message["status"], time.perf_counter() - began
                secure = self._framed if request.url.path in FRAMED else SECURITY_HEADERS
                _complete(MutableHeaders(scope=message), request_id, secure)
                request_audit.answered(request, status, Headers(raw=message["headers"]))
            await send(message)
            ended = message["type"] == "http.response.body" and not message.get("more_body", False)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except ClientDisconnect:
                self._log.info("http.client_gone", path=request.url.path)
            except Exception:
                self._log.exception("http.unforeseen", method=request.method, path=request.url.path)
                if status:  # the body is cut off, which the client must see: uvicorn closes the connection
                    raise
                await unforeseen(request)(scope, receive, send_with_headers)
            finally:
                if status == 200 and not ended:
                    request_audit.broke_off(request)
                self._note(request, status, first_byte, time.perf_counter() - began)

    def _note(self, request: Request, status: int, first_byte: float, whole: float) -> None:
        self._metrics.observe(request_audit.route(request), status, first_byte)
        path = request.url.path
        if path.startswith(_QUIET) and status < 500:
            return
        facts: dict[str, Any] = {"method": request.method, "path": path, "status": status, "ms": round(whole * 1000, 1)}
        who = getattr(request.state, "who", "")
        # Never the query string: it may hold a link's code, and a search may name people.
        self._log.info("http.request", **facts, client=request.client.host if request.client else "", who=who)


def _complete(headers: MutableHeaders, request_id: str, secure: Mapping[str, str]) -> None:
    headers[REQUEST_ID_HEADER] = request_id
    for name, value in secure.items():
        headers.setdefault(name, value)
    headers.setdefault("Cache-Control", "no-store")  # a tenant's log belongs in no cache
