"""Converts an audit record to events: one for the affected tenant's log, and one for the log of `_auditlane`. Performs
no I/O.

The events are always valid and within the size limit. An oversized value is replaced with its size, SHA-256 and first
characters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.event import AuditEvent, Outcome, Severity, parse_ip
from auditlane.contract.provenance import TRAIL
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.contract.vocabulary import ACTIONS
from auditlane.runtime.digest import json_text, replace_surrogates, shortened, size_of

SOURCE: Final = TRAIL
MAX_BYTES: Final = 65_536  # maximum size of an audit event, even if the limit for other events is higher
_FRAME: Final = 420  # bytes for values that callers do not control: ids, times, two tenants, address, lengths
# Maximum size of one value in bytes. The limits are tried in turn until the event fits.
_STEPS: Final = (16_384, 4_096, 1_024, 256, 64)
_NAME_BYTES: Final = 128  # maximum size of a metadata name in bytes
_MAX_NAMES: Final = 64
_OMITTED: Final = "omitted"


def bounded(record: AuditRecord, max_event_bytes: int) -> AuditRecord:
    """Return the record, shortened so that its events fit `max_event_bytes`, which must be at least 1,024."""
    room = min(max_event_bytes, MAX_BYTES) - _FRAME
    record = _encodable(record)
    if weight(record) <= room:
        return record
    for step in _STEPS:
        smaller = _within(record, step)
        if weight(smaller) <= room:
            return smaller
    digest = _digest({"description": record.description, **record.metadata})
    return replace(_within(record, _STEPS[-1]), description=None, metadata={_OMITTED: digest})


def weight(record: AuditRecord) -> int:
    """Return an upper bound for the bytes that callers control in this record's event."""
    own = (record.action, record.actor_id, record.actor_type, record.resource)
    others = (record.actor_name, record.resource_id, record.description, record.request_id)
    texts = [*own, *(text for text in others if text), *record.metadata, *record.metadata.values()]
    return sum(size_of(text) + 3 for text in texts)  # including its length prefix


def events_of(record: AuditRecord, *, at: datetime, event_id: str) -> list[AuditEvent]:
    """Return the record's events, the one for `_auditlane` first.

    The events share an id, which is unique within each log. `record` must be `bounded`.
    """
    event = AuditEvent.checked(
        {
            "event_id": event_id,
            "tenant_id": OURS,
            "occurred_at": at,
            "action": record.action if record.action.strip() else "unknown",
            "actor_id": record.actor_id,
            "actor_type": record.actor_type,
            "actor_name": record.actor_name or None,
            "outcome": Outcome(record.outcome),
            "severity": severity_of(record),
            "resource": record.resource,
            "resource_id": record.resource_id,
            "description": record.description,
            "ip": record.ip if record.ip and parse_ip(record.ip) else None,
            "request_id": record.request_id,
            "metadata": dict(record.metadata),
            "source": SOURCE,
        }
    )
    tenant = record.tenant
    if not tenant or tenant == OURS:
        return [event]
    ours = event.model_copy(update={"metadata": event.metadata | {"tenant": shortened(tenant, 100)}})
    return [ours, event.model_copy(update={"tenant_id": tenant})] if is_tenant(tenant) else [ours]


def severity_of(record: AuditRecord) -> Severity:
    """Return the record's severity, by default Medium for a denied action, otherwise the vocabulary's default."""
    if record.severity:
        return Severity(record.severity)
    if record.outcome == "denied":
        return Severity.Medium
    known = ACTIONS.get(record.action)
    return Severity(known.severity) if known else Severity.Info


def _encodable(record: AuditRecord) -> AuditRecord:
    """Return the record with strings that UTF-8 can encode, and metadata names limited in number and size."""
    return replace(
        record,
        action=replace_surrogates(record.action),
        actor_id=replace_surrogates(record.actor_id),
        actor_type=shortened(record.actor_type, _STEPS[-1]),
        actor_name=None if record.actor_name is None else replace_surrogates(record.actor_name),
        resource=replace_surrogates(record.resource),
        resource_id=None if record.resource_id is None else replace_surrogates(record.resource_id),
        description=None if record.description is None else replace_surrogates(record.description),
        request_id=None if record.request_id is None else replace_surrogates(record.request_id),
        metadata={shortened(name, _NAME_BYTES): replace_surrogates(value) for name, value in _named(record)},
    )


def _named(record: AuditRecord) -> list[tuple[str, str]]:
    """Return the first metadata items, and a digest of the rest."""
    every = list(record.metadata.items())
    if len(every) <= _MAX_NAMES:
        return every
    return [*every[:_MAX_NAMES], (_OMITTED, _digest(dict(every[_MAX_NAMES:])))]


def _within(record: AuditRecord, step: int) -> AuditRecord:
    """Return the record with every value shortened to `step` bytes, and every id to a quarter of that."""
    ids = max(step // 4, _STEPS[-1])
    return replace(
        record,
        action=shortened(record.action, ids),
        actor_id=shortened(record.actor_id, ids),
        actor_name=None if record.actor_name is None else shortened(record.actor_name, ids),
        resource=shortened(record.resource, ids),
        resource_id=None if record.resource_id is None else shortened(record.resource_id, ids),
        request_id=None if record.request_id is None else shortened(record.request_id, ids),
        description=None if record.description is None else shortened(record.description, step),
        metadata={name: shortened(value, step) for name, value in record.metadata.items()},
    )


def _digest(metadata: Mapping[str, Any]) -> str:
    data = json_text(dict(metadata)).encode(errors="replace")
    return f"{len(metadata)} more, {len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}"
