"""A deed as events of our own: one in the log of the tenant that it is about, and one in that of `_auditlane`.

Whatever a deed holds, its events are valid and within the size limit: what is too large is replaced by its size, its
SHA-256 and its beginning. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any, Final

from auditlane.access.audit import Deed
from auditlane.contract.avro import base_schema
from auditlane.contract.event import AuditEvent, Outcome, Severity, parse_ip
from auditlane.contract.provenance import TRAIL
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.runtime.digest import json_text, sayable, shortened, size_of
from auditlane.sdk.encoding import Encoder

SOURCE: Final = TRAIL
MOST_BYTES: Final = 65_536  # of an event of ours, also where events may be larger
_FRAME: Final = 420  # bytes of what no caller chooses: ids, times, two tenants, the address, lengths
# How long one value may be, tried in turn until all of them fit.
_STEPS: Final = (16_384, 4_096, 1_024, 256, 64)
_NAME_BYTES: Final = 128  # of a metadata name
_MOST_NAMES: Final = 64
_OMITTED: Final = "omitted"


def bounded(deed: Deed, max_event_bytes: int) -> Deed:
    """The deed, so that its events have at most so many bytes; 1,024 are always enough."""
    room = min(max_event_bytes, MOST_BYTES) - _FRAME
    deed = _sayable(deed)
    if weight(deed) <= room:
        return deed
    for step in _STEPS:
        smaller = _within(deed, step)
        if weight(smaller) <= room:
            return smaller
    digest = _digest({"description": deed.description, **deed.metadata})
    return replace(_within(deed, _STEPS[-1]), description=None, metadata={_OMITTED: digest})


def weight(deed: Deed) -> int:
    """About the bytes of what callers choose in an event of this deed; never fewer."""
    own = (deed.action, deed.actor_id, deed.actor_type, deed.resource)
    others = (deed.resource_id, deed.description, deed.request_id)
    texts = [*own, *(one for one in others if one), *deed.metadata, *deed.metadata.values()]
    return sum(size_of(text) + 3 for text in texts)  # each with its length


def events_of(deed: Deed, *, at: datetime, event_id: str) -> list[AuditEvent]:
    """The deed's events, ours first. They share their id, so that one leads to the other; each is the only one with it
    in its log. `deed` is bounded."""
    event = AuditEvent.checked(
        {
            "event_id": event_id,
            "tenant_id": OURS,
            "occurred_at": at,
            "action": deed.action if deed.action.strip() else "unknown",
            "actor_id": deed.actor_id,
            "actor_type": deed.actor_type,
            "outcome": Outcome(deed.outcome),
            "severity": Severity.Medium if deed.outcome == "denied" else Severity.Info,
            "resource": deed.resource,
            "resource_id": deed.resource_id,
            "description": deed.description,
            "ip": deed.ip if deed.ip and parse_ip(deed.ip) else None,
            "request_id": deed.request_id,
            "metadata": dict(deed.metadata),
            "source": SOURCE,
        }
    )
    tenant = deed.tenant
    if not tenant or tenant == OURS:
        return [event]
    ours = event.model_copy(update={"metadata": event.metadata | {"tenant": shortened(tenant, 100)}})
    return [ours, event.model_copy(update={"tenant_id": tenant})] if is_tenant(tenant) else [ours]


@cache
def plain_base() -> Encoder:
    """The event of this release without anybody's fields and rules, as no registry knows it."""
    return Encoder.parse("", 0, json.dumps(base_schema()))


def _sayable(deed: Deed) -> Deed:
    """Everything as text that UTF-8 can carry, with names of a bounded number and size."""
    return replace(
        deed,
        action=sayable(deed.action),
        actor_id=sayable(deed.actor_id),
        actor_type=shortened(deed.actor_type, _STEPS[-1]),
        resource=sayable(deed.resource),
        resource_id=None if deed.resource_id is None else sayable(deed.resource_id),
        description=None if deed.description is None else sayable(deed.description),
        request_id=None if deed.request_id is None else sayable(deed.request_id),
        metadata={shortened(name, _NAME_BYTES): sayable(value) for name, value in _named(deed)},
    )


def _named(deed: Deed) -> list[tuple[str, str]]:
    """The first names of the metadata with their values, and a digest of what is left."""
    every = list(deed.metadata.items())
    if len(every) <= _MOST_NAMES:
        return every
    return [*every[:_MOST_NAMES], (_OMITTED, _digest(dict(every[_MOST_NAMES:])))]


def _within(deed: Deed, step: int) -> Deed:
    """The deed with every value within `step` bytes; ids keep more of themselves than the rest."""
    ids = max(step // 4, _STEPS[-1])
    return replace(
        deed,
        action=shortened(deed.action, ids),
        actor_id=shortened(deed.actor_id, ids),
        resource=shortened(deed.resource, ids),
        resource_id=None if deed.resource_id is None else shortened(deed.resource_id, ids),
        request_id=None if deed.request_id is None else shortened(deed.request_id, ids),
        description=None if deed.description is None else shortened(deed.description, step),
        metadata={name: shortened(value, step) for name, value in deed.metadata.items()},
    )


def _digest(metadata: Mapping[str, Any]) -> str:
    data = json_text(dict(metadata)).encode(errors="replace")
    return f"{len(metadata)} more, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
