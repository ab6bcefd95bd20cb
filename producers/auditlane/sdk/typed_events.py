"""Completes typed events from the context, and converts them to keywords of `emit`."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from auditlane.contract.declared_values import contract_value
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.sdk.context import Report, fill


def filled(event: AuditEvent, source: str, report: Report) -> AuditEvent:
    """Return the event with the context's values in fields that neither the event nor its class sets.

    Raises InvalidEvent if a value of the context is not valid. Errors raised by a resolver are passed to `report`.
    """
    stated = _stated(event)
    values = dict(stated)
    fill(values, report)
    if source:
        values.setdefault("source", source)
    added = {name: value for name, value in values.items() if name not in stated or value is not stated[name]}
    if not added:
        return event
    checked = AuditEvent.checked({"tenant_id": "a", "action": "a"} | added)
    return event.model_copy(update={name: getattr(checked, name) for name in added})


def keywords(event: AuditEvent) -> dict[str, Any]:
    """Return the fields set by the event and its class, as keywords of `emit`."""
    values = {"event_id": event.event_id, "occurred_at": event.occurred_at} | _stated(event)
    own = dict(event.fields)
    for name in type(event).model_fields:
        if event.declares(name):
            own[name] = getattr(event, name)
            with suppress(ValueError):  # reported when the event is validated
                own[name] = contract_value(own[name])
    return values | {"fields": own} if own else values


def _stated(event: AuditEvent) -> dict[str, Any]:
    """Return the base fields that the event sets, and those whose defaults its class overrides."""
    base, stated = AuditEvent.model_fields, event.model_fields_set
    found = {name: getattr(event, name) for name in BASE_FIELDS if name in stated}
    for name in BASE_FIELDS:
        if name not in found and base[name].default_factory is None:
            value = getattr(event, name)
            if value != base[name].default and (name != "tenant_id" or value):
                found[name] = value
    return found
