"""The console's pages of tenants, and of keys and sources."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response

from auditlane.access.scope import Principal
from auditlane.operations.dlq.index import Selection
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.admin.tenants import TenantOrder
from auditlane.server.pages.console import frame
from auditlane.server.pages.console.page_model import section
from auditlane.server.pages.console.problems import KEYS
from auditlane.server.services import Services

TENANTS: Final = "/console/tenants"
_LONGEST: Final = 100


async def tenants(request: Request, services: Services, operator: Principal) -> Response:
    """Serve the tenants whose name contains `search`, ordered by `sort`."""
    search = request.query_params.get("search", "")[:_LONGEST].strip()
    order = _order(request.query_params.get("sort", ""))
    number = frame.number_of(request, "page")
    operations = services.operations
    found = await section(partial(operations.find_tenants, search, order, number))
    names = tuple(tenant.tenant for tenant in found.value.tenants) if found.value else ()
    return frame.rendered(
        request,
        "console_tenants.html",
        operator,
        entry=frame.entry_of(services, "console"),
        found=found,
        search=search,
        order=order,
        letters=await _open_letters(services, names),
        minutes=round(services.viewer_ttl.total_seconds() / 60),
    )


async def keys(request: Request, services: Services, operator: Principal) -> Response:
    """Serve the keys of clients, and the sources of the past day's events."""
    now, file = datetime.now(UTC), services.authenticator.keys
    clients = sorted(file.clients(), key=lambda client: (client.state(now) != "active", client.name, client.client_id))
    found = await section(services.operations.sources)
    return frame.rendered(
        request,
        "console_keys.html",
        operator,
        clients=[(client, client.state(now)) for client in clients],
        names={client.client_id: client.name for client in clients},
        problem=file.problem,
        sources=found,
    )


async def _open_letters(services: Services, names: tuple[str, ...]) -> dict[str, int] | None:
    """Return the number of open dead letters by tenant, or None if it is unknown."""
    if not names:
        return {}
    try:
        found = await services.operations.dead_letters(Selection(tenants=names), 0)
    except AuditlaneError:
        return None
    if not found.complete:
        return None
    counts: Counter[str] = Counter()
    for count in found.counts:
        counts[count.tenant or ""] += count.count
    return counts


def _order(text: str) -> TenantOrder:
    return TenantOrder(text) if text in TenantOrder.__members__ else TenantOrder.name


def build() -> APIRouter:
    """Return the routes of the pages."""
    router = APIRouter(include_in_schema=False)
    router.get(TENANTS)(frame.page(tenants))
    router.get(KEYS)(frame.page(keys))
    return router
