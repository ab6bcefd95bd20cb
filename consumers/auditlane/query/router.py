"""The JSON API over a tenant's log: list, one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Depends, Request

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Cursors, Mac
from auditlane.query.language.fields import OwnOf, none_known
from auditlane.query.models import Event, EventPage
from auditlane.query.parameters import DEFAULT_LIMIT, MAX_LIMIT, described, limit_of, split
from auditlane.query.reader import Reader
from auditlane.query.values import check_event_id

Authorize = Callable[[Permission], Callable[..., Any]]

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


def build(reader: Reader, authorize: Authorize, mac: Mac, own_of: OwnOf = none_known) -> APIRouter:
    """The routes under `/v1`; `own_of` knows the fields that are a tenant's own.

    Errors are raised as AuditlaneError; the app that mounts this turns them into answers.
    """
    router = APIRouter(prefix="/v1", tags=["events"])
    cursors = Cursors(mac)
    # As defaults: annotations are text here, and FastAPI could not resolve local names in them.
    reads = Depends(authorize(Permission.read))

    @router.get("/events", summary="List events, newest first", openapi_extra=_LIST)
    def list_events(request: Request, scope: TenantScope = reads) -> EventPage:
        """One page of the tenant's events that match every given filter."""
        own, filter_ = split(request.query_params.multi_items(), ("limit", "cursor"), own_of(scope.tenant))
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

    return router
