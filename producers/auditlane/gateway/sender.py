"""The sender of a request, and the events that its JSON objects become under its tenant and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditlane.access.permissions import Permission
from auditlane.access.scope import TENANT_HEADER, Principal, TenantScope
from auditlane.contract.event import AuditEvent
from auditlane.contract.event_json import values_of
from auditlane.contract.tenants import OURS, check_tenant
from auditlane.runtime.errors import InvalidEvent, InvalidInput, WrongTenant
from auditlane.runtime.ids import uuid5

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


def event_of(posted: object, sender: Sender, index: int) -> AuditEvent:
    """The event that a JSON value describes; `index` is its place in the request, from 0.

    Raises InvalidEvent that names the field, WrongTenant when a tenant's credential sends another tenant's event.
    """
    if not isinstance(posted, dict):
        raise InvalidEvent("An event is a JSON object.", fix='Such as {"tenant_id": "acme", "action": "Login"}.')
    values = values_of(posted)
    tenant = _tenant(values, sender)
    if "event_id" in values or sender.idempotency_key:
        _check_repeatable(values)
    if sender.idempotency_key and "event_id" not in values:
        check_tenant(tenant, ours=True)
        values["event_id"] = idempotent_id(sender.vouched, tenant, sender.idempotency_key, index)
    if sender.request_id:
        values.setdefault("request_id", sender.request_id)
    values.setdefault("source", sender.client_id)
    return AuditEvent.checked(values)


def filled(posted: object, sender: Sender) -> tuple[str, ...]:
    """The fields of such an event that its sender did not set: `event_of` fills them in."""
    if not isinstance(posted, dict):
        return ()
    defaults = {"request_id": sender.request_id, "source": sender.client_id}
    return tuple(name for name, default in defaults.items() if default and posted.get(name) is None)


def idempotent_id(client_id: str, tenant: str, key: str, index: int) -> str:
    """The event id that a repeated request repeats."""
    return uuid5("http", client_id, tenant, key, str(index))


def _tenant(values: dict[str, Any], sender: Sender) -> str:
    tenant = values.setdefault("tenant_id", sender.tenant)
    if tenant is None:
        raise InvalidEvent(
            "The event names no tenant.", field="tenant_id", fix="Add tenant_id, or send the header Auditlane-Tenant."
        )
    if not isinstance(tenant, str):
        raise InvalidEvent("tenant_id must be text.", field="tenant_id")
    if sender.tenant is not None and tenant != sender.tenant:
        if sender.bound:
            raise WrongTenant(
                "This credential belongs to another tenant.", field="tenant_id", fix="Leave tenant_id out."
            )
        raise InvalidEvent(
            "tenant_id differs from the header Auditlane-Tenant.",
            field="tenant_id",
            fix="Leave the header out to send events of several tenants in one request.",
        )
    return tenant


def _check_repeatable(values: dict[str, Any]) -> None:
    if "occurred_at" not in values:
        raise InvalidEvent(
            "occurred_at is missing. With an event_id or an Idempotency-Key, an event says when it happened: "
            "a repeated event is recognised by its tenant, id and time together.",
            field="occurred_at",
            fix="Send the time of the first attempt again with each retry.",
        )
