"""Who has the console open, and the API as it is under `/console`: for the operator's cookie, and nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final

from fastapi import Request

from auditlane.access.audit import auditor_of
from auditlane.access.links import Page
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal, TenantScope
from auditlane.access.tokens import authenticate_operator
from auditlane.runtime.errors import Unauthenticated
from auditlane.server.auth.authentication import (
    Authenticator,
    identify,
    require_same_origin,
    requires_credential,
    tenant_in_path,
)
from auditlane.server.pages.i18n import N_

API: Final = "/console/v1"  # below the path that the cookie is sent to
HOW: Final = N_(
    "Make a link that works once: auditlane token --console. An admin's client asks /v1/admin/console-links."
)


class Operators:
    """Authenticates by the console's cookie. What an operator changes is recorded, and kept, by the operator's name."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def entered(self, request: Request) -> Principal:
        """Who has the console open. Raises Unauthenticated, and Forbidden for a change that another site asks for."""
        token = self._authenticator.cookies.of(request, Page.console)
        if not token:
            raise Unauthenticated("The request carries no session of the console.", fix=HOW)
        require_same_origin(request)
        found = authenticate_operator(
            token, keys=self._authenticator.keys, signing=self._authenticator.signing, now=datetime.now(UTC)
        )
        identify(request, found)
        request.state.permission = Permission.admin
        return found

    def authorize(self, *any_of: Permission) -> Callable[..., Awaitable[TenantScope]]:
        """A FastAPI dependency that gives the scope of the tenant in the path, for one of the permissions."""

        @requires_credential
        async def scope(request: Request) -> TenantScope:
            operator, tenant = self.entered(request), tenant_in_path(request)
            auditor_of(request).tenant = tenant  # it is that tenant's people who must be able to see it
            return operator.scope(operator.require(*any_of), tenant)

        return scope

    def environment(self, *any_of: Permission) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency for what belongs to the whole environment; it takes one of the permissions."""

        @requires_credential
        async def principal(request: Request) -> Principal:
            operator = self.entered(request)
            operator.require(*any_of)
            return operator

        return principal

    def any_principal(self) -> Callable[..., Awaitable[Principal]]:
        """A FastAPI dependency that gives the operator."""

        @requires_credential
        async def principal(request: Request) -> Principal:
            return self.entered(request)

        return principal
