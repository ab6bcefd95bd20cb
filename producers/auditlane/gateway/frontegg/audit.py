"""From one of their audits to an event of ours: what was sent can be read again, and next to nothing is refused."""

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

_SEVERITIES: Final = {one.value.lower(): one for one in Severity} | {"attention": Severity.Medium}
_OUTCOMES: Final = {one.value: one for one in Outcome}
# Parts of an event that are plain text, by the name under which they are sent.
_TEXTS: Final = {
    "resource": "resource",
    "description": "description",
    "userAgent": "user_agent",
    "resource_id": "resource_id",
    "request_id": "request_id",
    "on_behalf_of": "on_behalf_of",
    "actor_type": "actor_type",
}
_CHANGES: Final = ("before", "after")  # JSON text in an event anyway


def event_of(
    audit: Mapping[str, Any],
    tenant: str,
    *,
    now: datetime,
    own: Container[str] = (),
    source: str = "",
    event_id: str = "",
) -> AuditEvent:
    """The event of an audit. `own` are the fields of the tenant's contract; null is the same as not sent.

    Raises InvalidEvent for a tenant id, an own field or a key that cannot be kept, and for too many levels.
    """
    try:
        sent = {key: value for key, value in storable(audit).items() if value is not None}
    except ValueError as error:
        raise InvalidEvent(f"The audit is nested too deep: {error}.", fix="Send what is inner as text.") from None
    if MARK in sent:
        raise InvalidEvent(f"The key {MARK!r} is ours.", field=MARK, fix="Choose another name for it.")
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
    """The event as the JSON API takes it, without its source: the sender cannot set that, the JSON API fills it in."""
    return event.model_dump(mode="json", exclude_none=True, exclude={"source"})


def _rest(sent: Mapping[str, Any], event: AuditEvent) -> dict[str, str]:
    """What reading the event would not give back as it was sent."""
    given = row_of(as_read(event), vendor="")
    kept: dict[str, str] = {}
    marked: list[str] = []
    for key, value in sent.items():
        if key in event.fields or (key in _CHANGES and value != ""):
            if not isinstance(value, str):
                marked.append(key)
        elif not _shown(key, value, given, event):
            kept[key] = _text(value)
            if not isinstance(value, str):
                marked.append(key)
    return kept | ({MARK: json.dumps(marked)} if marked else {})


def _shown(key: str, value: Any, given: Mapping[str, Any], event: AuditEvent) -> bool:
    """Whether the event tells it already: as it was sent, or, for what we say ourselves, by meaning the same."""
    if key == "createdAt":
        return parse_time(value) == event.occurred_at
    if key in OURS:
        return bool(value == given.get(key))
    return key in given and type(given[key]) is type(value) and bool(given[key] == value)


def _occurred_at(sent: Mapping[str, Any], now: datetime) -> datetime:
    """`time`, else `createdAt`, else now; one that a worker would refuse counts as none and is kept as metadata."""
    times = (parse_time(sent.get(name)) for name in ("time", "createdAt"))
    return next((one for one in times if one and now - OLDEST <= one <= now + NEWEST), now)


def _ip(value: Any) -> str | None:
    text = _text(value).strip()
    return text if parse_ip(text) else None


def _text(value: Any) -> str:
    """Text as it is; anything else as JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
