"""The routes of administration. They need `audits:admin` and a credential of the whole environment."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.permissions import Permission
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.index import Selection
from auditlane.server.admin import tenants as tenants_
from auditlane.server.admin.models import DeadLetters, Health, Lag, Rate, Tenants
from auditlane.server.auth.authentication import TenantName, named_tenant
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.services import Services, services_of

MOST_LETTERS = 200
AppServices = Annotated[Services, Depends(services_of)]


async def tenants(
    services: AppServices,
    after: Annotated[str, Query(max_length=100, description="`next` of an answer.")] = "",
    prefix: Annotated[str, Query(max_length=100, description="Only tenants that begin so.")] = "",
    limit: Annotated[int, Query(ge=1, le=tenants_.MOST, description="Tenants on a page.")] = tenants_.USUAL,
) -> Tenants:
    """By name; also tenants that only have settings."""
    return await services.operations.tenants(after=after, prefix=prefix, limit=limit)


async def lag(services: AppServices) -> Lag:
    """By partition, as brokers tell it; at most a few seconds old. 404 while the group has never worked."""
    return await services.operations.lag()


async def rate(services: AppServices) -> Rate:
    """Over the last minute, as Kafka's timestamps tell it."""
    return await services.operations.rate()


async def dead_letters(
    services: AppServices,
    request: Request,
    _tenant: TenantName = None,
    code: Annotated[list[RejectCode] | None, Query(description="Refused with this code; may be repeated.")] = None,
    limit: Annotated[int, Query(ge=0, le=MOST_LETTERS, description="How many of the newest.")] = 20,
    resolved: Annotated[bool, Query(description="Those too that were replayed or closed.")] = False,
) -> DeadLetters:
    """Of every tenant, or of the one in the header.

    Each answer reads a few seconds of the topic at most; ask again while `complete` is false.
    """
    named = named_tenant(request)
    selection = Selection((named,) if named else (), tuple(map(str, code or ())), resolved=resolved)
    return await services.operations.dead_letters(selection, limit)


async def health(services: AppServices) -> Health:
    """Always 200: a part that is away is what it tells. Probes ask `/health/ready` instead."""
    return await services.operations.health()


def build(services: Services) -> APIRouter:
    """The routes under `/v1/admin`; each is recorded as an event of our own."""
    admin = Depends(services.authenticator.environment(Permission.admin))
    router = APIRouter(prefix="/v1/admin", tags=["administration"], dependencies=[admin])
    plain = [Depends(reject_unknown_parameters())]
    paged = [Depends(reject_unknown_parameters("after", "prefix", "limit"))]
    selected = [Depends(reject_unknown_parameters("code", "limit", "resolved"))]
    no_group: dict[int | str, dict[str, str]] = {
        404: {"description": "There is no such topic, or the group has never worked."}
    }
    no_topic: dict[int | str, dict[str, str]] = {404: {"description": "There is no dead-letter topic."}}
    router.get("/tenants", summary="List tenants with their events", dependencies=paged)(tenants)
    router.get("/lag", summary="How far the workers are behind", dependencies=plain, responses=no_group)(lag)
    router.get("/rate", summary="How fast events arrive", dependencies=plain)(rate)
    router.get(
        "/dead-letters",
        summary="Count refused messages, and show the newest",
        dependencies=selected,
        responses=no_topic,
    )(dead_letters)
    router.get("/health", summary="How every part is doing", dependencies=plain)(health)
    return router
