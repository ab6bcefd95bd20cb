"""The JSON API of a tenant's log. It lists events, returns a single event, and checks filters.

Handlers find their services in `app.state.services`, and the caller in `request.state`, where `granted` stores it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event, SingleEvent
from auditlane.query.cursor import Cursors
from auditlane.query.fields import check_content_hash, check_event_id, from_structure
from auditlane.query.filters import DEFAULT_LIMIT, MAX_LIMIT, limit_of, openapi_parameters, split
from auditlane.query.geoip import GeoIp
from auditlane.query.reader import Reader
from auditlane.query.sort import NEWEST, parse_sort
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.structure_cache import Structure

Authorize = Callable[..., Callable[..., Any]]  # takes permissions, any of which suffices


class Authenticator(Protocol):
    """Makes dependencies that authenticate a request and return its TenantScope."""

    def authorize(self, permission: Permission) -> Callable[..., Any]: ...


class Structures(Protocol):
    """Looks up the tenants' data structures."""

    def of(self, tenant: str) -> Structure: ...


class ListServices(Protocol):
    """The services that these routes use."""

    @property
    def authenticator(self) -> Authenticator: ...
    @property
    def reader(self) -> Reader: ...
    @property
    def cursors(self) -> Cursors: ...
    @property
    def structures(self) -> Structures: ...
    @property
    def geoip(self) -> GeoIp: ...


async def services_of(request: Request) -> Any:
    """Return the services of the app that handles this request. Each router declares which of them it uses."""
    return request.app.state.services


async def caller_of(request: Request) -> Any:
    """Return the TenantScope or Principal that the route's `granted` dependency stored."""
    return request.state.granted


Scope = Annotated[TenantScope, Depends(caller_of)]


def granted(check: Callable[..., Any]) -> Any:
    """Create the dependency of a route. It authenticates with `check` and stores the result for the handler."""

    checked = Depends(check)

    async def grant(request: Request, caller: Any = checked) -> None:
        request.state.granted = caller

    return Depends(grant)


class EventPage(BaseModel):
    """Events in the list's order. `next` and `prev` are the adjacent pages' cursors, null at the ends of the list.

    A search that takes long ends before the page is full, possibly without any event. `searched_to` is then the time
    that it reached, and the cursor continues it; otherwise it is null.
    """

    data: list[Event]
    next: str | None
    prev: str | None
    searched_to: str | None = None


class FilterError(BaseModel):
    """Why a filter is invalid, in the form of the problem FILTER_INVALID."""

    detail: str = Field(description="Description of the error, for people.")
    fix: str | None = Field(None, description="How to correct it.")
    field: str | None = Field(None, description="The invalid parameter.")
    column: int | None = Field(None, description="The column in `query`, counted from 1.")
    reason: str | None = Field(None, description="The kind of error in the query language, for programs.")
    arguments: dict[str, str] | None = Field(None, description="Values that the error refers to, by name.")


class FilterCheck(BaseModel):
    """The error of a filter, or null if the filter is valid."""

    error: FilterError | None


Services = Annotated[ListServices, Depends(services_of)]

_LIST = openapi_parameters(
    limit={
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_LIMIT,
        "default": DEFAULT_LIMIT,
        "description": "Events on a page.",
    },
    cursor={
        "type": "string",
        "description": "`next` or `prev` of a previous page; use the same filters and `sort`.",
    },
    sort={
        "type": "string",
        "default": str(NEWEST),
        "examples": ["-occurred_at", "occurred_at", "severity", "-fields.invoice_total"],
        "description": "A sortable field of the tenant's structure, ascending; prefix it with `-` for descending."
        " Events without a value come last, equal ones newest first.",
    },
)


def list_events(request: Request, scope: Scope, services: Services) -> EventPage:
    """Return a page of the tenant's events that match every filter. They are listed newest first, or in the order of
    `sort`.
    """
    structure_of = services.structures.of
    custom = from_structure(structure_of)(scope.tenant)
    own, filter_ = split(request.query_params.multi_items(), ("limit", "cursor", "sort"), custom)
    limit = limit_of(own.get("limit"))
    sort = parse_sort(own.get("sort"), partial(structure_of, scope.tenant))
    cursors = services.cursors
    position = cursors.read(scope, filter_, own["cursor"], sort) if "cursor" in own else None
    page = services.reader.page(scope, filter_, limit=limit, position=position, sort=sort)
    return EventPage(
        data=services.geoip.located(page.events),
        next=cursors.sign(scope, filter_, page.older, sort) if page.older else None,
        prev=cursors.sign(scope, filter_, page.newer, sort) if page.newer else None,
        searched_to=None if page.searched_us is None else _rfc3339(page.searched_us),
    )


def _rfc3339(micros: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def get_event(
    event_id: str,
    scope: Scope,
    services: Services,
    content_hash: Annotated[
        str, Query(description="Selects the event with this `content_hash` if several have this id.")
    ] = "",
) -> SingleEvent:
    """Return the event with this id. `others` contains all other events with the same id. The response is 404 for
    another tenant's event too.

    If there are several, the first that reached Kafka is returned, or the one with the given `content_hash`.
    """
    found = services.reader.event(scope, check_event_id(event_id), content_hash and check_content_hash(content_hash))
    event, *others = services.geoip.located([found, *found.others])
    return found.model_copy(update={"ip_country": event.ip_country, "others": others})


def check_filter(request: Request, scope: Scope, services: Services) -> FilterCheck:
    """Report the error that a list with this filter would raise. No events are read, and the request is not recorded as
    a view of the log.
    """
    request.state.permission = None  # keeps the request out of the audit log
    try:
        split(request.query_params.multi_items(), (), from_structure(services.structures.of)(scope.tenant))
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


def build(services: ListServices) -> APIRouter:
    """Build the routes under `/v1`.

    Handlers raise AuditlaneError. The app that mounts them turns it into a response.
    """
    reads = granted(services.authenticator.authorize(Permission.read))
    router = APIRouter(prefix="/v1", tags=["events"], dependencies=[reads])
    router.get("/events", summary="List events", openapi_extra=_LIST)(list_events)
    router.get("/events/{event_id}", summary="Get one event")(get_event)
    router.get("/check", summary="Check a filter", openapi_extra=openapi_parameters())(check_filter)
    return router
