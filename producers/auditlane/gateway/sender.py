"""A request's sender, which turns JSON objects into events with the sender's tenant and defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from auditlane.access.permissions import Permission
from auditlane.access.scope import TENANT_HEADER, Principal, TenantScope
from auditlane.contract.event_json import values_of
from auditlane.contract.tenants import OURS, check_tenant
from auditlane.runtime.errors import InvalidEvent, InvalidInput, WrongTenant
from auditlane.runtime.ids import uuid5

_KEY_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Sender:
    """The sender of a request's events, and its defaults for them.

    `tenant` is the only tenant that events may name, or None if each event names its own. `bound` is true if the
    credential belongs to `tenant`: naming another is then forbidden, not just a mismatch. `client_id` is the client's
    id or, with `external`, the user's id at an external issuer. It is the default for `source`. `request_id` is the
    default for the event's `request_id`. With an `idempotency_key`, a repeated request gives its events the same ids.
    """

    client_id: str
    tenant: str | None = None
    bound: bool = False
    request_id: str = ""
    idempotency_key: str = ""
    external: bool = False

    @property
    def provenance_id(self) -> str:
        """Identifies the sender in provenance and rate limits.

        A client id never contains a colon, so no external user can pass for a client.
        """
        return f"oidc:{self.client_id}" if self.external else self.client_id

    def defaults(self) -> dict[str, Any]:
        """Return the values of the fields that a posted event may omit."""
        given = {"tenant_id": self.tenant, "request_id": self.request_id or None, "source": self.client_id}
        return {name: value for name, value in given.items() if value is not None}

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
        """Create a request's sender. `named` is the tenant named in `header`, or None if the header is missing.

        Raises Forbidden if the permission `audits:write` is missing, WrongTenant if the credential belongs to another
        tenant, or InvalidInput for auditlane's own tenant or an invalid idempotency key.
        """
        principal.require(Permission.write)
        tenant = principal.about(named, header=header)
        _check_not_ours(tenant, header)
        if idempotency_key and not (
            len(idempotency_key) <= _KEY_LENGTH and idempotency_key.isascii() and idempotency_key.isprintable()
        ):
            raise InvalidInput(
                f"Idempotency-Key must be 1 to {_KEY_LENGTH} printable ASCII characters.",
                field="Idempotency-Key",
                fix="Use a new UUID for each request, and the same UUID for its retries.",
            )
        return cls(
            principal.client_id or principal.subject,
            tenant,
            principal.tenant is not None,
            request_id,
            idempotency_key,
            external=not principal.client_id,
        )

    @classmethod
    def of_test(cls, scope: TenantScope, *, request_id: str) -> Sender:
        """Create the sender for a test event, which does not need `audits:write`. Raises InvalidInput for auditlane's
        own tenant.
        """
        _check_not_ours(scope.tenant, TENANT_HEADER)
        return cls(f"test:{scope.actor}", scope.tenant, bound=True, request_id=request_id)


def _check_not_ours(tenant: str | None, header: str) -> None:
    if tenant == OURS:
        raise InvalidInput(
            f"The tenant {OURS} is reserved for auditlane's own events.", field=header, fix="Use another tenant."
        )


def keywords_of(posted: object, sender: Sender, index: int) -> dict[str, Any]:
    """Convert a JSON value to unchecked keywords of `emit`.

    Sets the tenant, `source`, `request_id` unless it is "", and the id if the request has an Idempotency-Key. `index`
    is the event's position in the request, from 0. Raises InvalidEvent, which names the field, or WrongTenant if the
    credential belongs to another tenant.
    """
    if not isinstance(posted, dict):
        raise InvalidEvent(
            "The event is not a JSON object.", fix='Send an object such as {"tenant_id": "acme", "action": "Login"}.'
        )
    values = values_of(posted)
    tenant = _tenant(values, sender)
    if "event_id" in values or sender.idempotency_key:
        _check_repeatable(values)
    if sender.idempotency_key and "event_id" not in values:
        check_tenant(tenant, ours=True)
        values["event_id"] = idempotent_id(sender.provenance_id, tenant, sender.idempotency_key, index)
    if values.get("request_id") == "":  # the sender has none, and that of the request would differ in a repetition
        del values["request_id"]
    elif sender.request_id:
        values.setdefault("request_id", sender.request_id)
    values.setdefault("source", sender.client_id)
    return values


def filled(posted: object, sender: Sender) -> tuple[str, ...]:
    """Return the names of fields that `keywords_of` fills in because the sender did not set them."""
    if not isinstance(posted, dict):
        return ()
    request_id = ("request_id",) if sender.request_id and posted.get("request_id") is None else ()
    return (*request_id, "source") if sender.client_id and posted.get("source") is None else request_id


def idempotent_id(client_id: str, tenant: str, key: str, index: int) -> str:
    """Return an event id derived from the Idempotency-Key, so that a repeated request gets the same ids."""
    return uuid5("http", client_id, tenant, key, str(index))


def _tenant(values: dict[str, Any], sender: Sender) -> str:
    tenant = values.setdefault("tenant_id", sender.tenant)
    if tenant is None:
        raise InvalidEvent(
            "tenant_id is missing.", field="tenant_id", fix="Add tenant_id, or send the header Auditlane-Tenant."
        )
    if not isinstance(tenant, str):
        raise InvalidEvent("tenant_id must be text.", field="tenant_id")
    if sender.tenant is not None and tenant != sender.tenant:
        if sender.bound:
            raise WrongTenant(
                "This credential belongs to another tenant.",
                field="tenant_id",
                fix="Omit tenant_id.",
            )
        raise InvalidEvent(
            "tenant_id differs from the header Auditlane-Tenant.",
            field="tenant_id",
            fix="Omit the header to send events of several tenants in one request.",
        )
    return tenant


def _check_repeatable(values: dict[str, Any]) -> None:
    if "occurred_at" not in values:
        raise InvalidEvent(
            "occurred_at is missing. It is required with an event_id or an Idempotency-Key, because a repeated event "
            "is recognized by its tenant, id and time.",
            field="occurred_at",
            fix="Set occurred_at, and send the same time with each retry.",
        )
