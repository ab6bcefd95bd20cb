"""What is recorded of a request in which no route recorded anything itself: reads, exports, operating, refusals."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.datastructures import Headers

from auditlane.access.audit import Action, AuditSink, RequestAuditor, auditor_of
from auditlane.access.permissions import Permission
from auditlane.query.export.download import ROWS_HEADER

RESOURCE: Final = "audit_log"
_DENIED: Final = frozenset({401, 403})


def begin(request: Request, sink: AuditSink, request_id: str) -> None:
    """Give a request its auditor."""
    request.state.auditor = RequestAuditor(
        sink, ip=request.client.host if request.client else None, request_id=request_id
    )


def answered(request: Request, status: int, headers: Headers) -> None:
    """The answer begins: record what it means, unless a route did. A stream may go on for hours, so not at its end."""
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


def broke_off(request: Request) -> None:
    """The answer ended before its end; only of an export is that worth an event of its own."""
    if getattr(request.state, "permission", None) is Permission.export:
        auditor_of(request).record(Action.exported, outcome="failure", resource=RESOURCE, route=route(request))


def route(request: Request) -> str:
    """The route's pattern (`/v1/events/{event_id}`), never the path: it may hold an id."""
    return str(getattr(request.scope.get("route"), "path", "(none)"))
