"""Read routes for Frontegg's clients: `GET /audits`, its second version, and the figures of a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.query.filters import INCLUDE_ACCESS, one_of
from auditlane.query.frontegg.query_params import MAX_COUNT, AuditQuery, newer_parameters, parse
from auditlane.query.frontegg.reader import FronteggReader
from auditlane.query.router import Authorize, Scope, granted
from auditlane.runtime.errors import InvalidInput

NEWER: Final = "/audits/resources/audits/v2"
METRICS: Final = "/audits/resources/metrics/v1"
EVERY: Final = {
    **{one: one for one in ("hour", "day", "week", "month")},
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
}


async def reader_of(request: Request) -> FronteggReader:
    """Return the reader of the app that handles this request."""
    reader: FronteggReader = request.app.state.services.frontegg_reader
    return reader


Reader = Annotated[FronteggReader, Depends(reader_of)]


def audits(request: Request, scope: Scope, reader: Reader) -> dict[str, Any]:
    """Return a page of audits."""
    return _page(request, scope, reader, audit_query(request, scope))


def newer(request: Request, scope: Scope, reader: Reader) -> dict[str, Any]:
    """Return a page of audits, with the parameters of the second version."""
    return _page(request, scope, reader, audit_query(request, scope, newer_parameters))


def stats(request: Request, scope: Scope, reader: Reader) -> dict[str, int]:
    """Count today's events, and the severe events of the last seven days."""
    pairs = request.query_params.multi_items()
    query = parse((name, value) for name, value in pairs if name in ("tenantId", INCLUDE_ACCESS))
    check_tenants(scope, query.tenants)
    found = reader.stats(scope, query, datetime.now(UTC))
    return {"totalToday": found.today, "severeThisWeek": found.severe}


def metrics(
    request: Request,
    scope: Scope,
    reader: Reader,
    limit: Annotated[int, Query(ge=1, le=MAX_COUNT)] = 10,
    frequency: str = "day",
) -> dict[str, dict[str, int]]:
    """Count events by resource and over time."""
    every = EVERY[one_of("frequency", frequency.lower(), tuple(EVERY))]
    bounds = {"from": "createdAt[$gte]", "to": "createdAt[$lt]", INCLUDE_ACCESS: INCLUDE_ACCESS}
    query = parse((bounds[name], value) for name, value in request.query_params.multi_items() if name in bounds)
    found = reader.metrics(scope, replace(query, count=limit), every=every)
    tenants = {scope.tenant: sum(found.times.values())} if found.times else {}
    return {"topResources": found.resources, "topTenants": tenants, "auditsCounterByTime": found.times}


def build(authorize: Authorize) -> APIRouter:
    """Build the routes. `authorize(permission)` returns a dependency that reads the tenant from Frontegg's header."""
    router = APIRouter(include_in_schema=False, dependencies=[granted(authorize(Permission.read))])
    for path, handler in (("/audits", audits), (NEWER, newer), ("/audits/stats", stats), (METRICS, metrics)):
        router.add_api_route(path, handler, methods=["GET"])
    return router


def _page(request: Request, scope: TenantScope, reader: FronteggReader, query: AuditQuery) -> dict[str, Any]:
    rows, total = reader.page(scope, query, vendor=vendor_of(request))
    return {"data": rows, "total": total}


Pairs = list[tuple[str, str]]


def audit_query(
    request: Request, scope: TenantScope, translated: Callable[[Pairs], Pairs] = lambda pairs: pairs
) -> AuditQuery:
    """Parse the parameters of a request. Raises InvalidFilter, and InvalidInput if they name another tenant."""
    query = parse(translated(request.query_params.multi_items()))
    check_tenants(scope, query.tenants)
    return query


def check_tenants(scope: TenantScope, named: tuple[str, ...]) -> None:
    """Raise InvalidInput if the parameters name tenants other than the one in the header."""
    if named and scope.tenant not in named:
        raise InvalidInput(
            "'tenantId' differs from the tenant of this request.",
            field="tenantId",
            fix=f"Name the tenant in the header {TENANT_HEADER}; 'tenantId' may be omitted.",
        )


def vendor_of(request: Request) -> str:
    """Return the client that sent the request or vouched for its viewer. It is used in place of Frontegg's vendor
    id.
    """
    auditor = auditor_of(request)
    return auditor.client_id or auditor.actor_id
