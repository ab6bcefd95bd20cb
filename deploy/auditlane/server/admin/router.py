"""The routes of administration. They need `audits:admin` and a credential of the whole environment."""

# Annotations are evaluated here, not kept as text: the routes below depend on what `build` was given.

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.index import Selection
from auditlane.server.admin import tenants as tenants_
from auditlane.server.admin.models import DeadLetters, Health, Lag, Rate, Tenants
from auditlane.server.admin.operations import Operations
from auditlane.server.auth.authentication import Authenticator, TenantName, named_tenant
from auditlane.server.middleware.parameters import reject_unknown_parameters

MOST_LETTERS = 200


def build(operations: Operations, authenticator: Authenticator) -> APIRouter:
    """The routes under `/v1/admin`; each is recorded as an event of our own."""
    router = APIRouter(prefix="/v1/admin", tags=["administration"])
    Admin = Annotated[Principal, Depends(authenticator.environment(Permission.admin))]  # noqa: N806 - a type

    @router.get(
        "/tenants",
        summary="List tenants with their events",
        dependencies=[Depends(reject_unknown_parameters("after", "prefix", "limit"))],
    )
    async def tenants(
        _: Admin,
        after: Annotated[str, Query(max_length=100, description="`next` of an answer.")] = "",
        prefix: Annotated[str, Query(max_length=100, description="Only tenants that begin so.")] = "",
        limit: Annotated[int, Query(ge=1, le=tenants_.MOST, description="Tenants on a page.")] = tenants_.USUAL,
    ) -> Tenants:
        """By name; also tenants that only have settings."""
        return await operations.tenants(after=after, prefix=prefix, limit=limit)

    @router.get(
        "/lag",
        summary="How far the workers are behind",
        dependencies=[Depends(reject_unknown_parameters())],
        responses={404: {"description": "There is no such topic, or the group has never worked."}},
    )
    async def lag(_: Admin) -> Lag:
        """By partition, as brokers tell it; at most a few seconds old. 404 while the group has never worked."""
        return await operations.lag()

    @router.get("/rate", summary="How fast events arrive", dependencies=[Depends(reject_unknown_parameters())])
    async def rate(_: Admin) -> Rate:
        """Over the last minute, as Kafka's timestamps tell it."""
        return await operations.rate()

    @router.get(
        "/dead-letters",
        summary="Count refused messages, and show the newest",
        dependencies=[Depends(reject_unknown_parameters("code", "limit", "resolved"))],
        responses={404: {"description": "There is no dead-letter topic."}},
    )
    async def dead_letters(
        _: Admin,
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
        return await operations.dead_letters(selection, limit)

    @router.get("/health", summary="How every part is doing", dependencies=[Depends(reject_unknown_parameters())])
    async def health(_: Admin) -> Health:
        """Always 200: a part that is away is what it tells. Probes ask `/health/ready` instead."""
        return await operations.health()

    return router
