"""The administration routes, which require `audits:admin` and an environment-wide credential."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.permissions import Permission
from auditlane.contract.reject_codes import RejectCode
from auditlane.observe import timeline as timeline_
from auditlane.operations.dlq.index import Selection
from auditlane.server.admin import tenants as tenants_
from auditlane.server.admin.models import DeadLetters, Health, Lag, OperationsHistory, Rate, Tenants, Timeline
from auditlane.server.auth.authentication import TenantName, named_tenant
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.services import Services, services_of

MAX_LETTERS = 200
WEEK_HOURS = 168
AppServices = Annotated[Services, Depends(services_of)]


async def tenants(
    services: AppServices,
    after: Annotated[str, Query(max_length=100, description="`next` of the previous page.")] = "",
    prefix: Annotated[str, Query(max_length=100, description="Only tenants whose id starts with this.")] = "",
    limit: Annotated[int, Query(ge=1, le=tenants_.MAX_LIMIT, description="Tenants per page.")] = tenants_.DEFAULT_LIMIT,
) -> Tenants:
    """Returns tenants sorted by name, including those with settings but without events."""
    return await services.operations.tenants(after=after, prefix=prefix, limit=limit)


async def lag(services: AppServices) -> Lag:
    """Returns the lag by partition, cached for a few seconds. The response is 404 until the group has consumed once."""
    return await services.operations.lag()


async def rate(services: AppServices) -> Rate:
    """Returns the rate over the past minute, by Kafka's timestamps."""
    return await services.operations.rate()


async def dead_letters(
    services: AppServices,
    request: Request,
    _tenant: TenantName = None,
    code: Annotated[list[RejectCode] | None, Query(description="Only this reject code; may be repeated.")] = None,
    limit: Annotated[int, Query(ge=0, le=MAX_LETTERS, description="Dead letters in `newest`.")] = 20,
    resolved: Annotated[bool, Query(description="Include dead letters that were replayed or resolved.")] = False,
) -> DeadLetters:
    """Returns the dead letters of all tenants, or of the tenant in the header.

    Each request reads the topic for a few seconds. Repeat it until `complete` is true.
    """
    named = named_tenant(request)
    selection = Selection((named,) if named else (), tuple(map(str, code or ())), resolved=resolved)
    return await services.operations.dead_letters(selection, limit)


async def history(
    services: AppServices,
    hours: Annotated[float, Query(gt=0, le=WEEK_HOURS, description="Length of the period that ends now.")] = 24,
) -> OperationsHistory:
    """Returns rates, lag, freshness, latencies and disk usage over time, in at most 1,440 steps.

    The observing process stores one row a minute, and rows are kept for a week. Over longer steps, rates and the median
    are averaged, dead letters are summed, and the maximum of all other values is used.
    """
    return await services.operations.history(timedelta(hours=hours))


async def timeline(
    services: AppServices,
    limit: Annotated[int, Query(ge=1, le=timeline_.MAX_LIMIT, description="Number of events.")] = 50,
) -> Timeline:
    """Returns the newest events of the past 90 days about lag, rejections, disks, expiry, versions and processes."""
    return await services.operations.timeline(limit)


async def health(services: AppServices) -> Health:
    """Returns 200 even if a component is unavailable. For probes, use `/health/ready`."""
    return await services.operations.health()


def build(services: Services) -> APIRouter:
    """Return the routes under `/v1/admin`. Each request is recorded in the audit trail."""
    admin = Depends(services.authenticator.environment(Permission.admin))
    router = APIRouter(prefix="/v1/admin", tags=["administration"], dependencies=[admin])
    plain = [Depends(reject_unknown_parameters())]
    paged = [Depends(reject_unknown_parameters("after", "prefix", "limit"))]
    selected = [Depends(reject_unknown_parameters("code", "limit", "resolved"))]
    no_group: dict[int | str, dict[str, str]] = {
        404: {"description": "A topic does not exist, or the group has never consumed."}
    }
    no_topic: dict[int | str, dict[str, str]] = {404: {"description": "The dead-letter topic does not exist."}}
    router.get("/tenants", summary="List tenants with their event counts", dependencies=paged)(tenants)
    router.get("/lag", summary="Get the workers' lag", dependencies=plain, responses=no_group)(lag)
    router.get("/rate", summary="Get the rate of events", dependencies=plain)(rate)
    router.get(
        "/dead-letters",
        summary="Count dead letters, and list the newest",
        dependencies=selected,
        responses=no_topic,
    )(dead_letters)
    router.get(
        "/history",
        summary="Get the installation's operation over time",
        dependencies=[Depends(reject_unknown_parameters("hours"))],
    )(history)
    router.get(
        "/timeline",
        summary="List the newest events about the installation's operation",
        dependencies=[Depends(reject_unknown_parameters("limit"))],
    )(timeline)
    router.get("/health", summary="Get the health of every component", dependencies=plain)(health)
    return router
