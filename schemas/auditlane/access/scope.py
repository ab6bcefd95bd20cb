"""The authenticated principal, and the one tenant that its queries may touch. Every query requires a TenantScope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, TypeAlias

from auditlane.access.permissions import Permission
from auditlane.runtime.errors import Forbidden, InvalidInput, WrongTenant

TENANT_HEADER: Final = "Auditlane-Tenant"
_GRANT: Final = object()
BaseFilter: TypeAlias = tuple[tuple[str, str], ...]  # (name, value) pairs, named like the query API's filters


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `tenant` is None for an environment-wide client or operator.

    `subject` is the client id or the user, and `name` is the client's name. `client_id` is the client itself or the
    client that minted the user's token, and "" if there is no client. `console` is true for an operator who views one
    tenant's log from the console. `base_filter` limits what a viewer can read.
    """

    kind: Literal["client", "viewer", "operator"]
    subject: str
    client_id: str
    tenant: str | None
    permissions: frozenset[Permission]
    expires_at: datetime
    console: bool = False
    name: str = ""
    base_filter: BaseFilter = ()

    def require(self, *any_of: Permission) -> Permission:
        """Return the first of these permissions that this principal has. Raises Forbidden if it has none of them."""
        for permission in any_of:
            if permission in self.permissions:
                return permission
        raise Forbidden(
            f"This credential lacks the permission {' or '.join(any_of)}.",
            fix="Ask the issuer for a credential that has it.",
        )

    def about(self, named: str | None, *, header: str = TENANT_HEADER) -> str | None:
        """Return the tenant of a request, or None if its credential is environment-wide and no tenant is named.

        `named` is the value of `header`. Raises WrongTenant if a tenant's credential names another tenant.
        """
        if self.tenant is not None and named not in (None, self.tenant):
            raise WrongTenant(
                "This credential belongs to another tenant.",
                field=header,
                fix=f"Omit the header {header}, or use a credential of that tenant.",
            )
        return self.tenant or named

    def scope(self, permission: Permission, named: str | None, *, header: str = TENANT_HEADER) -> TenantScope:
        """Return this request's scope. `named` is the value of `header`, or None if it is absent.

        Raises Forbidden if the permission is missing, WrongTenant if a tenant's credential names another tenant, and
        InvalidInput if a request with an environment-wide credential names no tenant.
        """
        self.require(permission)
        tenant = self.about(named, header=header)
        if not tenant:
            raise InvalidInput(
                "The request does not name a tenant.",
                field=header,
                fix=f"Name the tenant in the header {header}: this credential is valid for every tenant.",
            )
        return TenantScope(
            tenant,
            self.subject,
            self.permissions,
            client_id=self.client_id,
            base_filter=self.base_filter,
            grant=_GRANT,
        )


class TenantScope:
    """The one tenant that a query may touch, and the query's actor. `client_id` is taken from the Principal.

    A query returns and counts only events that match `base_filter`. An empty one matches all.

    `Principal.scope` creates it after authentication, `authorized_before` for work that such a request started, and
    `for_operator` for a command on the operator's own machine, whose credential is its access to the store. There is no
    other way to create one. Immutable.
    """

    __slots__ = ("actor", "base_filter", "client_id", "permissions", "tenant")

    tenant: str
    actor: str
    permissions: frozenset[Permission]
    client_id: str
    base_filter: BaseFilter

    def __init__(
        self,
        tenant: str,
        actor: str,
        permissions: frozenset[Permission],
        *,
        client_id: str = "",
        base_filter: BaseFilter = (),
        grant: object = None,
    ) -> None:
        if grant is not _GRANT:
            raise TypeError("a TenantScope requires authentication: use Principal.scope, or TenantScope.for_operator")
        values = (tenant, actor, permissions, client_id, base_filter)
        for name, value in zip(("tenant", "actor", "permissions", "client_id", "base_filter"), values, strict=True):
            object.__setattr__(self, name, value)

    @classmethod
    def for_operator(cls, tenant: str) -> TenantScope:
        """Return the scope for a command or the canary, which have the operator's access to the store. Never call this
        for a request.
        """
        return cls(tenant, "operator", frozenset(Permission), grant=_GRANT)

    @classmethod
    def authorized_before(
        cls, tenant: str, actor: str, permission: Permission, client_id: str = "", base_filter: BaseFilter = ()
    ) -> TenantScope:
        """Return a scope with only this permission, for work that was authorized earlier.

        The authorization was a signed link's verified code, or the record of a job that an authorized request started.
        """
        return cls(tenant, actor, frozenset({permission}), client_id=client_id, base_filter=base_filter, grant=_GRANT)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a TenantScope cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a TenantScope cannot be changed")

    def __repr__(self) -> str:
        return f"TenantScope(tenant={self.tenant!r}, actor={self.actor!r})"
