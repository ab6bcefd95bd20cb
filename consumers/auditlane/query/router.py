"""The JSON API over a tenant's log: list, one event, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Cursors, Mac
from auditlane.query.download import CountRows, Download, file_name
from auditlane.query.filters import check_event_id
from auditlane.query.models import Event, EventPage
from auditlane.query.parameters import DEFAULT_LIMIT, MAX_LIMIT, described, limit_of, one_of, split
from auditlane.query.reader import Reader
from auditlane.query.sql import Format

Authorize = Callable[[Permission], Callable[..., Any]]
FORMATS = ("csv", "jsonl")
FORMULAS = ("neutralised", "raw")

_LIST = described(
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
        "description": "Events on a page.",
    },
    cursor={"type": "string", "description": "`next` or `prev` of an answer; the filters must be the same."},
)
_EXPORT = described(
    format={"type": "string", "enum": list(FORMATS), "required": True, "description": "The file's format."},
    formulas={
        "type": "string",
        "enum": list(FORMULAS),
        "default": FORMULAS[0],
        "description": "CSV: whether a cell that a spreadsheet would run as a formula gets an apostrophe before it.",
    },
)
_FILE = {
    "description": "The file. A body that breaks off is not whole: the connection closes before the chunked end.",
    "headers": {
        "Auditlane-Rows": {"description": "How many events it holds.", "schema": {"type": "integer"}},
        "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
    },
    "content": {"text/csv": {"schema": {"type": "string"}}, "application/jsonl": {"schema": {"type": "string"}}},
}


def build(
    reader: Reader, authorize: Authorize, mac: Mac, *, count_rows: CountRows = lambda format_, rows: None
) -> APIRouter:
    """The routes under `/v1`. `count_rows(format, rows)` is told of every export when it has ended.

    Errors are raised as AuditlaneError; the app that mounts this turns them into answers.
    """
    router = APIRouter(prefix="/v1", tags=["events"])
    cursors = Cursors(mac)
    # As defaults: annotations are text here, and FastAPI could not resolve local names in them.
    reads = Depends(authorize(Permission.read))
    exports = Depends(authorize(Permission.export))

    @router.get("/events", summary="List events, newest first", openapi_extra=_LIST)
    def list_events(request: Request, scope: TenantScope = reads) -> EventPage:
        """One page of the tenant's events that match every given filter."""
        own, filter_ = split(request.query_params.multi_items(), ("limit", "cursor"))
        limit = limit_of(own.get("limit"))
        position = cursors.read(scope, filter_, own["cursor"]) if "cursor" in own else None
        page = reader.page(scope, filter_, limit=limit, position=position)
        return EventPage(
            data=page.events,
            next=cursors.sign(scope, filter_, page.older) if page.older else None,
            prev=cursors.sign(scope, filter_, page.newer) if page.newer else None,
        )

    @router.get("/events/{event_id}", summary="Get one event")
    def get_event(event_id: str, scope: TenantScope = reads) -> Event:
        """The event with this id. 404 also for an event of another tenant."""
        return reader.event(scope, check_event_id(event_id))

    @router.get(
        "/export",
        summary="Export events as a file",
        response_class=Response,
        responses={200: _FILE},
        openapi_extra=_EXPORT,
    )
    def export_events(request: Request, scope: TenantScope = exports) -> Response:
        """Every event that matches now, newest first, however many."""
        own, filter_ = split(request.query_params.multi_items(), ("format", "formulas"))
        format_ = cast(Format, one_of("format", own.get("format"), FORMATS))
        formulas = one_of("formulas", own.get("formulas"), FORMULAS, FORMULAS[0])
        export = reader.export(scope, filter_, format_=format_, neutralise=formulas == FORMULAS[0])
        name = file_name(scope.tenant, format_, datetime.now(UTC))
        return Download(export, format_=format_, name=name, count_rows=count_rows)

    return router
