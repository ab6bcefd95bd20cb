"""Who asks, and the tenant they may ask about: every query is built from a TenantScope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from auditlane.access.permissions import Permission
from auditlane.runtime.errors import Forbidden, InvalidInput, WrongTenant

TENANT_HEADER: Final = "Auditlane-Tenant"
_GRANT: Final = object()


@dataclass(frozen=True, slots=True)
class Principal:
    """A credential that verified. `tenant` is None for a client or an operator of the whole environment.

    `subject` is the client id or the user; `client_id` is the client, or the one that minted the user's token, or "".
    `console`: an operator who looks at one tenant's log from the console.
    """

    kind: Literal["client", "viewer", "operator"]
    subject: str
    client_id: str
    tenant: str | None
    permissions: frozenset[Permission]
    expires_at: datetime
    console: bool = False

    def require(self, *any_of: Permission) -> Permission:
        """The first of these permissions that this principal has. Raises Forbidden when it has none of them."""
        for permission in any_of:
            if permission in self.permissions:
                return permission
        raise Forbidden(
            f"This credential lacks the permission {' or '.join(any_of)}.",
            fix="Ask whoever issued it for one that has it.",
        )

    def about(self, named: str | None, *, header: str = TENANT_HEADER) -> str | None:
        """The tenant that a request is about, None when a credential of the whole environment names none.

        `header` is where it names one. Raises WrongTenant when a tenant's credential names another.
        """
        if self.tenant is not None and named not in (None, self.tenant):
            raise WrongTenant(
                "This credential belongs to another tenant.",
                field=header,
                fix=f"Leave the header {header} out, or use a credential of that tenant.",
            )
        return self.tenant or named

    def scope(self, permission: Permission, named: str | None, *, header: str = TENANT_HEADER) -> TenantScope:
        """The tenant that this request is about; `named` is what `header` holds, None when it is absent.

        Raises Forbidden without the permission, WrongTenant when a tenant's credential names another, and InvalidInput
        when a credential of the whole environment names none.
        """
        self.require(permission)
        tenant = self.about(named, header=header)
        if not tenant:
            raise InvalidInput(
                "The request does not say which tenant it is about.",
                field=header,
                fix=f"This credential is valid for every tenant; name one in the header {header}.",
            )
        return TenantScope(tenant, self.subject, self.permissions, client_id=self.client_id, grant=_GRANT)


class TenantScope:
    """The one tenant that a query may touch, and on whose behalf; `client_id` as a Principal has it.

    Made by `Principal.scope` after authentication, by `authorized_before` for what such a request began, and by
    `for_operator` for a command on the operator's own machine, whose access to the store is its credential. Nothing
    else can make one, and none can be changed.
    """

    __slots__ = ("actor", "client_id", "permissions", "tenant")

    tenant: str
    actor: str
    permissions: frozenset[Permission]
    client_id: str

    def __init__(
        self,
        tenant: str,
        actor: str,
        permissions: frozenset[Permission],
        *,
        client_id: str = "",
        grant: object = None,
    ) -> None:
        if grant is not _GRANT:
            raise TypeError("a TenantScope comes from authentication: Principal.scope, or TenantScope.for_operator")
        given = {"tenant": tenant, "actor": actor, "permissions": permissions, "client_id": client_id}
        for name, value in given.items():
            object.__setattr__(self, name, value)

    @classmethod
    def for_operator(cls, tenant: str) -> TenantScope:
        """The scope of a command that reads the store with the operator's own credentials; never of a request."""
        return cls(tenant, "operator", frozenset(Permission), grant=_GRANT)

    @classmethod
    def authorized_before(cls, tenant: str, actor: str, permission: Permission, client_id: str = "") -> TenantScope:
        """The scope, with this permission alone, of what a request was authorized for before: by a signed link's code
        that verified, or by the record of a job that it began."""
        return cls(tenant, actor, frozenset({permission}), client_id=client_id, grant=_GRANT)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a TenantScope cannot be changed")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a TenantScope cannot be changed")

    def __repr__(self) -> str:
        return f"TenantScope(tenant={self.tenant!r}, actor={self.actor!r})"
