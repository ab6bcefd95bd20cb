"""`GET /v1/session`: whose credential a request carries and what it allows, so that a viewer knows what to offer."""

# Annotations are evaluated here, not kept as text: the route below depends on what `build` was given.

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from auditlane.access.audit import auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.contract.tenants import OURS
from auditlane.server.auth.authentication import TenantName, named_tenant
from auditlane.server.auth.enablement import TenantEnablement
from auditlane.server.middleware.parameters import reject_unknown_parameters


class Session(BaseModel):
    """Who asks, about which tenant, and what they may do there."""

    scope: Literal["tenant", "environment"] = Field(
        description="What the credential belongs to: one tenant, or the whole environment."
    )
    tenant: str | None = Field(
        description="Whose log this is about; null when a credential of the whole environment names none.",
        examples=["acme"],
    )
    user: str = Field(description="The user, or the client's id.", examples=["u-17"])
    permissions: list[Permission] = Field(description="Also while audit logs are switched off.")
    expires_at: datetime = Field(description="When the credential ends.")
    from_console: bool = Field(description="Whether an operator looks at the tenant's log from the console.")
    audit_logs_enabled: bool = Field(
        description="Whether the log may be viewed; without a tenant, what tenants inherit."
    )


def build(
    who: Callable[..., Awaitable[Principal]],
    enablement: TenantEnablement,
    *,
    prefix: str = "/v1",
    documented: bool = True,
) -> APIRouter:
    """The route under `prefix`; `who` is a dependency that gives whoever asks."""
    router = APIRouter(prefix=prefix, tags=["session"], include_in_schema=documented)

    @router.get(
        "/session", summary="Tell whose credential this is", dependencies=[Depends(reject_unknown_parameters())]
    )
    async def session(
        request: Request, principal: Annotated[Principal, Depends(who)], _tenant: TenantName = None
    ) -> Session:
        """With any credential: what it allows, and whether audit logs are on. Nothing of the log itself."""
        tenant = principal.about(named_tenant(request))
        if tenant == OURS and principal.tenant is None:
            principal.require(Permission.admin)
        auditor = auditor_of(request)
        auditor.tenant, auditor.recorded = tenant, True  # who one is oneself is no news
        return Session(
            scope="environment" if principal.tenant is None else "tenant",
            tenant=tenant,
            user=principal.subject,
            permissions=sorted(principal.permissions),
            expires_at=principal.expires_at,
            from_console=principal.console,
            audit_logs_enabled=await enablement.is_enabled(tenant),
        )

    return router
