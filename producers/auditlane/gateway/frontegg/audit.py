"""Converts a Frontegg audit into an event from which the audit can be restored exactly. Almost nothing is rejected."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from datetime import datetime
from typing import Any, Final

from auditlane.contract.event import AuditEvent, Outcome, Severity, parse_ip
from auditlane.contract.frontegg import ACTORS, MARK, OURS, as_read, row_of, storable
from auditlane.contract.lenient_time import parse_time
from auditlane.contract.window import NEWEST, OLDEST
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import uuid7

_SEVERITIES: Final = {severity.value.lower(): severity for severity in Severity} | {"attention": Severity.Medium}
_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}
# Frontegg's name -> event field, for plain text.
_TEXTS: Final = {
    "resource": "resource",
    "description": "description",
    "userAgent": "user_agent",
    "resource_id": "resource_id",
    "request_id": "request_id",
    "on_behalf_of": "on_behalf_of",
    "actor_type": "actor_type",
}
_CHANGES: Final = ("before", "after")  # events store these as JSON text


def event_of(
    audit: Mapping[str, Any],
    tenant: str,
    *,
    now: datetime,
    own: Container[str] = (),
    source: str = "",
    event_id: str = "",
) -> AuditEvent:
    """Return the event for an audit. `own` contains the tenant contract's custom fields. Null means absent.

    Raises InvalidEvent for an invalid tenant id or custom field, a reserved key, or too many levels.
    """
    try:
        sent = {key: value for key, value in storable(audit).items() if value is not None}
    except ValueError as error:
        raise InvalidEvent(
            f"The audit is nested too deeply: {error}.", fix="Send the inner objects as JSON text."
        ) from None
    if MARK in sent:
        raise InvalidEvent(f"The key {MARK!r} is reserved.", field=MARK, fix="Choose another name for it.")
    values: dict[str, Any] = {ours: text for theirs, ours in _TEXTS.items() if (text := _text(sent.get(theirs)))}
    actor = next((text for name in ACTORS if (text := _text(sent.get(name)))), "")
    values |= {
        "event_id": event_id or uuid7(),
        "tenant_id": tenant,
        "occurred_at": _occurred_at(sent, now),
        "action": action if (action := _text(sent.get("action"))).strip() else "audit",
        "actor_id": _text(sent.get("userId")) or actor,
        "actor_name": actor or None,
        "severity": _SEVERITIES.get(_text(sent.get("severity")).lower(), Severity.Info),
        "outcome": _OUTCOMES.get(_text(sent.get("outcome")), Outcome.unknown),
        "ip": _ip(sent.get("ip")),
        "source": source,
        "fields": {key: value for key, value in sent.items() if key in own},
    }
    values |= {name: _text(sent[name]) for name in _CHANGES if name in sent}
    return AuditEvent.checked(values | {"metadata": _rest(sent, AuditEvent.checked(values))})


def posted_of(event: AuditEvent) -> dict[str, Any]:
    """Convert the event to the JSON API's format. `source` is omitted, since that API fills it in."""
    return event.model_dump(mode="json", exclude_none=True, exclude={"source"})


def _rest(sent: Mapping[str, Any], event: AuditEvent) -> dict[str, str]:
    """Return the audit's members that cannot be restored from the event's other fields, as metadata."""
    restored = row_of(as_read(event), vendor="")
    kept: dict[str, str] = {}
    marked: list[str] = []
    for key, value in sent.items():
        if key in event.fields or (key in _CHANGES and value != ""):
            if not isinstance(value, str):
                marked.append(key)
        elif not _is_restored(key, value, restored, event):
            kept[key] = _text(value)
            if not isinstance(value, str):
                marked.append(key)
    return kept | ({MARK: json.dumps(marked)} if marked else {})


def _is_restored(key: str, value: Any, restored: Mapping[str, Any], event: AuditEvent) -> bool:
    """Return whether the restored audit contains this member. The value must be identical or, if auditlane generates
    the member, equal.
    """
    if key == "createdAt":
        return parse_time(value) == event.occurred_at
    if key in OURS:
        return bool(value == restored.get(key))
    return key in restored and type(restored[key]) is type(value) and bool(restored[key] == value)


def _occurred_at(sent: Mapping[str, Any], now: datetime) -> datetime:
    """Return the audit's `time` or `createdAt`, or else the current time.

    A time that workers would reject is kept as metadata instead.
    """
    times = (parse_time(sent.get(name)) for name in ("time", "createdAt"))
    return next((time for time in times if time and now - OLDEST <= time <= now + NEWEST), now)


def _ip(value: Any) -> str | None:
    text = _text(value).strip()
    return text if parse_ip(text) else None


def _text(value: Any) -> str:
    """Return text unchanged, and any other value as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
