"""What their clients read: `GET /audits`, its second version, and the numbers of a log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.query.frontegg.query_params import MAX_COUNT, AuditQuery, newer_parameters, parse
from auditlane.query.frontegg.reader import FronteggReader
from auditlane.query.parameters import one_of
from auditlane.query.router import Authorize
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


def build(reader: FronteggReader, authorize: Authorize) -> APIRouter:
    """The routes. `authorize(permission)` is a dependency that finds the tenant in their header."""
    router = APIRouter(include_in_schema=False)
    reads = Depends(authorize(Permission.read))

    def page(request: Request, scope: TenantScope, query: AuditQuery) -> dict[str, Any]:
        rows, total = reader.page(scope, query, vendor=vendor_of(request))
        return {"data": rows, "total": total}

    @router.get("/audits")
    def audits(request: Request, scope: TenantScope = reads) -> dict[str, Any]:
        return page(request, scope, audit_query(request, scope))

    @router.get(NEWER)
    def newer(request: Request, scope: TenantScope = reads) -> dict[str, Any]:
        return page(request, scope, audit_query(request, scope, newer_parameters))

    @router.get("/audits/stats")
    def stats(request: Request, scope: TenantScope = reads) -> dict[str, int]:
        check_tenants(scope, parse((n, v) for n, v in request.query_params.multi_items() if n == "tenantId").tenants)
        found = reader.stats(scope, datetime.now(UTC))
        return {"totalToday": found.today, "severeThisWeek": found.severe}

    @router.get(METRICS)
    def metrics(
        request: Request,
        scope: TenantScope = reads,
        limit: int = Query(10, ge=1, le=MAX_COUNT),
        frequency: str = "day",
    ) -> dict[str, dict[str, int]]:
        every = EVERY[one_of("frequency", frequency.lower(), tuple(EVERY))]
        bounds = {"from": "createdAt[$gte]", "to": "createdAt[$lt]"}
        query = parse((bounds[name], value) for name, value in request.query_params.multi_items() if name in bounds)
        found = reader.metrics(scope, replace(query, count=limit), every=every)
        tenants = {scope.tenant: sum(found.times.values())} if found.times else {}
        return {"topResources": found.resources, "topTenants": tenants, "auditsCounterByTime": found.times}

    return router


Pairs = list[tuple[str, str]]


def audit_query(
    request: Request, scope: TenantScope, words: Callable[[Pairs], Pairs] = lambda pairs: pairs
) -> AuditQuery:
    """What a request asks for. Raises InvalidFilter, and InvalidInput when it means another tenant."""
    query = parse(words(request.query_params.multi_items()))
    check_tenants(scope, query.tenants)
    return query


def check_tenants(scope: TenantScope, named: tuple[str, ...]) -> None:
    """A tenant in the address only repeats the header's; another one is refused rather than ignored."""
    if named and scope.tenant not in named:
        raise InvalidInput(
            "tenantId is not the tenant of this request.",
            field="tenantId",
            fix=f"Name the tenant in the header {TENANT_HEADER}; in the address it may be left out.",
        )


def vendor_of(request: Request) -> str:
    """The client that asks, or that vouched for the viewer who does: their vendor's id is the client's."""
    auditor = auditor_of(request)
    return auditor.client_id or auditor.actor_id
