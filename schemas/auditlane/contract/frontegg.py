"""Frontegg's names for the fields of an audit, and the conversion of stored events. The writer and the reader share
them.

Frontegg's audits have no fixed schema, so a value that does not fit any field of an event is kept in the metadata,
under its own key. A value that is not text is kept as JSON, and the entry `MARK` lists the keys of these values.
`storable` replaces values that are valid in JSON but cannot be represented in stores and responses.
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

# Frontegg's name -> ours. Fields that Frontegg does not have keep our name.
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
TENANT_HEADER: Final = "frontegg-tenant-id"  # header that names a request's tenant
# Frontegg callers' names for the actor, in order of precedence.
ACTORS: Final = ("user", "email", "actorMail")
# Names whose values auditlane sets, whatever the sender specifies.
OURS: Final = frozenset({"frontegg_id", "tenantId", "vendorId", "createdAt", "updatedAt"})
MARK: Final = "frontegg:json"
DEEPEST: Final = 100  # maximum depth of nested lists and objects; the response serializer allows 255
_SURROGATES: Final = re.compile("[\ud800-\udfff]")  # lone surrogates, which UTF-8 cannot encode


def row_of(event: Mapping[str, Any], *, vendor: str) -> dict[str, Any]:
    """Convert an event, as readers receive it (with RFC 3339 times and text fields), to an audit in Frontegg's
    format.
    """
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
    """Return a new event in the form in which readers will receive it, but without the fields that the worker adds."""
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
    """Return a JSON value that every store and response can represent: U+FFFD replaces lone surrogates, even in keys,
    and text replaces numbers beyond a double's range. Raises ValueError if it is nested deeper than `levels`.
    """
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATES.sub("\ufffd", value)
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps(value)
    if not isinstance(value, (dict, list)):
        return value
    if not levels:
        raise ValueError(f"it has more than {DEEPEST} levels")
    if isinstance(value, dict):
        return {storable(key): storable(item, levels - 1) for key, item in value.items()}
    return [storable(item, levels - 1) for item in value]


def _marked(text: str) -> set[str]:
    try:
        keys = json.loads(text)
    except ValueError:
        return set()
    return {key for key in keys if isinstance(key, str)} if isinstance(keys, list) else set()


def _value(text: Any) -> Any:
    try:
        return storable(json.loads(text))
    except (ValueError, TypeError, RecursionError):  # not our mark, or nested too deeply
        return text


def _millis(time: str) -> str:
    if not time:
        return ""
    return datetime.fromisoformat(time).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
