"""Frontegg's names for an audit's parts beside ours, and how a stored event reads in them: shared by writer and reader.

What they send has no fixed form, so a value that no field of an event gives back as it was is kept in the metadata,
under its own key; one that is no text is kept as JSON, and the entry `MARK` lists those keys. Of what JSON can say and
an answer cannot, `storable` makes what both can.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.event import AuditEvent, parse_ip

# Theirs -> ours. Where an event has more than they know, the name is our own.
NAMES: Final[Mapping[str, str]] = {
    "frontegg_id": "event_id",
    "tenantId": "tenant_id",
    "createdAt": "occurred_at",
    "updatedAt": "ingested_at",
    "user": "actor_name",
    "userId": "actor_id",
    "action": "action",
    "resource": "resource",
    "severity": "severity",
    "description": "description",
    "ip": "ip",
    "userAgent": "user_agent",
    **{
        name: name
        for name in ("outcome", "resource_id", "request_id", "on_behalf_of", "actor_type", "source", "before", "after")
    },
}
TENANT_HEADER: Final = "frontegg-tenant-id"  # names a request's tenant
# Who acted, as their callers say it; the first that is there names the actor.
ACTORS: Final = ("user", "email", "actorMail")
# What we say of an event, whatever its sender wrote under the same name.
OURS: Final = frozenset({"frontegg_id", "tenantId", "vendorId", "createdAt", "updatedAt"})
MARK: Final = "frontegg:json"
DEEPEST: Final = 100  # levels of lists and objects: what makes an answer of them counts to 255
_HALVES: Final = re.compile("[\ud800-\udfff]")  # of surrogate pairs, which no UTF-8 has


def row_of(event: Mapping[str, Any], *, vendor: str) -> dict[str, Any]:
    """One audit as their clients read it, from an event as our readers see it (times RFC 3339, fields as text)."""
    metadata = dict(event.get("metadata") or {})
    marked = _marked(metadata.pop(MARK, ""))
    row = {theirs: event[ours] for theirs, ours in NAMES.items() if event.get(ours) not in (None, "")}
    if "@" in row.get("user", ""):
        row["email"] = row["user"]
    row |= event.get("fields") or {}
    row |= metadata
    for key in marked & row.keys():
        row[key] = _value(row[key])
    created = _millis(event["occurred_at"])
    return row | {
        "frontegg_id": event["event_id"],
        "tenantId": event["tenant_id"],
        "vendorId": vendor,
        "createdAt": created,
        "updatedAt": _millis(event.get("ingested_at") or "") or created,
    }


def as_read(event: AuditEvent) -> dict[str, Any]:
    """A new event as it will be read; what the worker adds is missing."""
    address = parse_ip(event.ip) if event.ip else None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    read = {name: getattr(event, name) for name in AuditEvent.model_fields}
    return read | {
        "occurred_at": event.occurred_at.isoformat(),
        "outcome": event.outcome.value,
        "severity": event.severity.value,
        "ip": str(address) if address else None,
    }


def storable(value: Any, levels: int = DEEPEST) -> Any:
    """A JSON value as every store and every answer can hold it: U+FFFD for half a surrogate pair, in keys too, and text
    for a number beyond a double's range. Raises ValueError below so many levels."""
    if isinstance(value, str):
        return value if value.isascii() else _HALVES.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        raise ValueError(f"it has more than {DEEPEST} levels")
    if isinstance(value, dict):
        return {storable(key): storable(one, levels - 1) for key, one in value.items()}
    return [storable(one, levels - 1) for one in value]


def _marked(text: str) -> set[str]:
    try:
        keys = json.loads(text)
    except ValueError:
        return set()
    return {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()


def _value(text: Any) -> Any:
    try:
        return storable(json.loads(text))
    except (ValueError, TypeError, RecursionError):  # somebody else's mark, or deeper than we take
        return text


def _millis(time: str) -> str:
    if not time:
        return ""
    return datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
