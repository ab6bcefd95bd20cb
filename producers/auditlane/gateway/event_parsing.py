"""From a posted JSON object to an event, or to the reason why it is none. Pure."""

from __future__ import annotations

from typing import Any

from auditlane.contract.event import AuditEvent
from auditlane.contract.event_json import values_of
from auditlane.contract.tenants import check_tenant
from auditlane.gateway.sender import Sender
from auditlane.runtime.errors import InvalidEvent, WrongTenant
from auditlane.runtime.ids import uuid5


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
