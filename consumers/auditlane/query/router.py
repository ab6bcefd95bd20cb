"""The JSON API over a tenant's log: list, one event, whether a filter is understood."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Cursors, Mac
from auditlane.query.language.fields import from_structure
from auditlane.query.models import EventPage, FilterCheck, FilterError, SingleEvent
from auditlane.query.parameters import DEFAULT_LIMIT, MAX_LIMIT, limit_of, openapi_parameters, split
from auditlane.query.reader import Reader
from auditlane.query.sort import NEWEST, StructureOf, parse_sort
from auditlane.query.values import check_content_hash, check_event_id
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.structure_cache import DEFAULT

Authorize = Callable[[Permission], Callable[..., Any]]

_LIST = openapi_parameters(
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
        "description": "Events on a page.",
    },
    cursor={"type": "string", "description": "`next` or `prev` of an answer; filters and `sort` must be the same."},
    sort={
        "type": "string",
        "default": str(NEWEST),
        "examples": ["-occurred_at", "occurred_at", "severity", "-fields.invoice_total"],
        "description": "A sortable field of the tenant's structure, the least first; `-` before it: the greatest first."
        " Events without a value come last, equal ones newest first.",
    },
)

_CHECK = openapi_parameters()
_CONTENT = Query("", description="Of several events with this id the one with this `content_hash`.")


def build(
    reader: Reader, authorize: Authorize, mac: Mac, structure_of: StructureOf = lambda tenant: DEFAULT
) -> APIRouter:
    """The routes under `/v1`; `structure_of` knows a tenant's fields.

    Errors are raised as AuditlaneError; the app that mounts this turns them into answers.
    """
    router = APIRouter(prefix="/v1", tags=["events"])
    cursors = Cursors(mac)
    own_of = from_structure(structure_of)
    # As defaults: annotations are text here, and FastAPI could not resolve local names in them.
    reads = Depends(authorize(Permission.read))

    @router.get("/events", summary="List events", openapi_extra=_LIST)
    def list_events(request: Request, scope: TenantScope = reads) -> EventPage:
        """One page of the tenant's events that match every given filter: the newest first, or as `sort` says."""
        own, filter_ = split(request.query_params.multi_items(), ("limit", "cursor", "sort"), own_of(scope.tenant))
        limit = limit_of(own.get("limit"))
        sort = parse_sort(own.get("sort"), partial(structure_of, scope.tenant))
        position = cursors.read(scope, filter_, own["cursor"], sort) if "cursor" in own else None
        page = reader.page(scope, filter_, limit=limit, position=position, sort=sort)
        return EventPage(
            data=page.events,
            next=cursors.sign(scope, filter_, page.older, sort) if page.older else None,
            prev=cursors.sign(scope, filter_, page.newer, sort) if page.newer else None,
        )

    @router.get("/events/{event_id}", summary="Get one event")
    def get_event(event_id: str, scope: TenantScope = reads, content_hash: str = _CONTENT) -> SingleEvent:
        """The event with this id, and as `others` every other event with it. 404 also for an event of another tenant.

        Of several it is the one that Kafka had first, or the one with the `content_hash` that is given.
        """
        return reader.event(scope, check_event_id(event_id), content_hash and check_content_hash(content_hash))

    @router.get("/check", summary="Check a filter", openapi_extra=_CHECK)
    def check_filter(request: Request, scope: TenantScope = reads) -> FilterCheck:
        """What is wrong with the filter, as a list would say it. No event is read, and nobody has viewed the log."""
        request.state.permission = None  # for the audit trail
        try:
            split(request.query_params.multi_items(), (), own_of(scope.tenant))
        except InvalidFilter as error:
            problem = FilterError(
                detail=error.message,
                fix=error.fix or None,
                field=error.field or None,
                column=error.column,
                reason=error.reason or None,
                arguments=error.arguments or None,
            )
            return FilterCheck(error=problem)
        return FilterCheck(error=None)

    return router
