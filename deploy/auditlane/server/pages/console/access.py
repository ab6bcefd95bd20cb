"""Authenticates the console's pages, and the API below `/console`, only by the operator's cookie."""

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

API: Final = "/console/v1"  # below the cookie's path
HOW: Final = N_(
    "Create a one-time link: run auditlane token --console, or POST /v1/admin/console-links as an admin client."
)


class Operators:
    """Authenticates by the console's cookie. Changes are recorded and stored under the operator's name."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator

    def entered(self, request: Request) -> Principal:
        """Return the session's operator. Raises Unauthenticated, or Forbidden for a cross-site change."""
        token = self._authenticator.cookies.of(request, Page.console)
        if not token:
            raise Unauthenticated("The request has no console session.", fix=HOW)
        require_same_origin(request)
        found = authenticate_operator(
            token, keys=self._authenticator.keys, signing=self._authenticator.signing, now=datetime.now(UTC)
        )
        identify(request, found)
        request.state.permission = Permission.admin
        return found

    def authorize(self, *any_of: Permission) -> Callable[..., Awaitable[TenantScope]]:
        """Return a FastAPI dependency that returns the TenantScope for the path's tenant.

        It requires one of these permissions.
        """

        @requires_credential
        async def scope(request: Request) -> TenantScope:
            operator, tenant = self.entered(request), tenant_in_path(request)
            auditor_of(request).tenant = tenant  # the tenant's own users must be able to see it
            return operator.scope(operator.require(*any_of), tenant)

        return scope

    def environment(self, *any_of: Permission) -> Callable[..., Awaitable[Principal]]:
        """Return a FastAPI dependency that returns the operator.

        It requires one of these permissions for the whole environment.
        """

        @requires_credential
        async def principal(request: Request) -> Principal:
            operator = self.entered(request)
            operator.require(*any_of)
            return operator

        return principal

    def any_principal(self) -> Callable[..., Awaitable[Principal]]:
        """Return a FastAPI dependency that returns the operator, without checking permissions."""

        @requires_credential
        async def principal(request: Request) -> Principal:
            return self.entered(request)

        return principal
