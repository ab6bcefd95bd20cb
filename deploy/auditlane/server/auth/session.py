"""`GET /v1/session` returns whose credential a request has, and its permissions, which determine what the viewer
offers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import BaseFilter, Principal
from auditlane.contract.tenants import OURS
from auditlane.server.auth.authentication import TenantName, named_tenant
from auditlane.server.auth.enablement import TenantEnablement
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.services import Services, services_of


class Session(BaseModel):
    """The caller, the request's tenant, and the caller's permissions there."""

    scope: Literal["tenant", "environment"] = Field(
        description="Whether the credential belongs to one tenant or to the whole environment."
    )
    tenant: str | None = Field(
        description="Tenant whose log the request is about; null if an environment-wide credential names none.",
        examples=["acme"],
    )
    user: str = Field(description="The user, or the client's id.", examples=["u-17"])
    permissions: list[Permission] = Field(description="Permissions, even while audit logs are disabled.")
    filter: dict[str, list[str]] | None = Field(
        description="The filter that limits what the credential can read, or null.",
        examples=[{"resource_id": ["doc-7"]}],
    )
    expires_at: datetime = Field(description="Time at which the credential expires.")
    from_console: bool = Field(description="Whether an operator opened the tenant's log from the console.")
    audit_logs_enabled: bool = Field(
        description="Whether the tenant's log may be viewed; without a tenant, the default that tenants inherit."
    )


async def session(
    request: Request, services: Annotated[Services, Depends(services_of)], _tenant: TenantName = None
) -> Session:
    """Accepts any credential. Returns its permissions and whether audit logs are enabled, but nothing from the log."""
    return await session_of(request, await services.authenticator.principal(request), services.enablement)


async def session_of(request: Request, principal: Principal, enablement: TenantEnablement) -> Session:
    """Return the session of `principal`. Raises the errors of `Principal.about`, and StoreUnavailable."""
    tenant = principal.about(named_tenant(request))
    if tenant == OURS and principal.tenant is None:
        principal.require(Permission.admin)
    auditor = auditor_of(request)
    auditor.tenant, auditor.recorded = tenant, True  # looking up one's own session is not an audit event
    return Session(
        scope="environment" if principal.tenant is None else "tenant",
        tenant=tenant,
        user=principal.subject,
        permissions=sorted(principal.permissions),
        filter=_named(principal.base_filter),
        expires_at=principal.expires_at,
        from_console=principal.console,
        audit_logs_enabled=await enablement.is_enabled(tenant),
    )


def _named(base_filter: BaseFilter) -> dict[str, list[str]] | None:
    names = dict.fromkeys(name for name, _ in base_filter)
    return {name: [value for other, value in base_filter if other == name] for name in names} or None


def build(services: Services) -> APIRouter:
    """Return the route under `/v1`."""
    router = APIRouter(prefix="/v1", tags=["session"])
    router.get(
        "/session",
        summary="Get the session of a credential",
        dependencies=[
            Depends(reject_unknown_parameters()),
            Depends(services.authenticator.any_principal()),
        ],
    )(session)
    return router
