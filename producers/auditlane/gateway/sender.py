"""Who sends events, and what stands in for what an event does not say itself."""

from __future__ import annotations

from dataclasses import dataclass

from auditlane.access.permissions import Permission
from auditlane.access.scope import TENANT_HEADER, Principal, TenantScope
from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import InvalidInput

_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Sender:
    """`tenant` is the only one that may be written; None lets each event name its own. `bound`: the credential is that
    tenant's, so that another one is forbidden, not just contradictory.

    `client_id` is the client's, or the user's whom another issuer vouches for; it is charged for what is sent.
    `request_id` and `client_id` are the defaults of an event's `request_id` and `source`. With an `idempotency_key` an
    event gets the same id whenever the same request is sent again. `outside`: another issuer vouches for the user.
    """

    client_id: str
    tenant: str | None = None
    bound: bool = False
    request_id: str = ""
    idempotency_key: str = ""
    outside: bool = False

    @property
    def vouched(self) -> str:
        """What provenance calls the sender. No client id has a colon, so nobody else's user passes for a client."""
        return f"oidc:{self.client_id}" if self.outside else self.client_id

    @classmethod
    def of(
        cls,
        principal: Principal,
        named: str | None,
        *,
        header: str = TENANT_HEADER,
        request_id: str = "",
        idempotency_key: str = "",
    ) -> Sender:
        """`named` is the tenant in the request's `header`, None without one.

        Raises Forbidden without `audits:write`, WrongTenant when a tenant's credential names another tenant, and
        InvalidInput for our own tenant or a key that is none.
        """
        principal.require(Permission.write)
        tenant = principal.about(named, header=header)
        _refuse_ours(tenant, header)
        if idempotency_key and not (
            len(idempotency_key) <= _KEY_LENGTH and idempotency_key.isascii() and idempotency_key.isprintable()
        ):
            raise InvalidInput(
                f"Idempotency-Key is not 1 to {_KEY_LENGTH} printable ASCII characters.",
                field="Idempotency-Key",
                fix="Use a UUID that you make for each request, and keep for its retries.",
            )
        return cls(
            principal.client_id or principal.subject,
            tenant,
            principal.tenant is not None,
            request_id,
            idempotency_key,
            outside=not principal.client_id,
        )

    @classmethod
    def of_test(cls, scope: TenantScope, *, request_id: str) -> Sender:
        """Of the test event for a tenant, which takes no `audits:write`. Raises InvalidInput for our own tenant."""
        _refuse_ours(scope.tenant, TENANT_HEADER)
        return cls(f"test:{scope.actor}", scope.tenant, bound=True, request_id=request_id)


def _refuse_ours(tenant: str | None, header: str) -> None:
    if tenant == OURS:
        raise InvalidInput(f"The tenant {OURS} is reserved for auditlane's own events.", field=header)
