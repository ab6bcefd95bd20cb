"""The events that an observer records. Performs no I/O.

The id of an event is derived from its content and time, so an event that several observers record is stored only once.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from auditlane.access.audit import AuditRecord, Outcome
from auditlane.contract.event import SeverityName
from auditlane.contract.tenants import dedicated_topic, is_tenant
from auditlane.contract.vocabulary import ACTIONS

ACTOR: Final = "observer"
_IDS: Final = uuid.UUID("6b1f4f0c-8c5a-5d0e-9d6b-6f2a1f6f7d11")


def event(
    action: str,
    name: str,
    *,
    at_ms: int,
    severity: SeverityName | None = None,
    tenant: str | None = None,
    description: str | None = None,
    metadata: Mapping[str, object],
) -> AuditRecord:
    """Return an event with an action of the vocabulary on the resource `name`. `at_ms` is a wall-clock time in
    milliseconds.
    """
    known = ACTIONS[action]
    texts = {key: str(value) for key, value in metadata.items()}
    content = json.dumps([action, name, tenant, at_ms, texts], sort_keys=True)
    outcome: Outcome = "failure" if known.outcome == "failure" else "success"
    at = datetime.fromtimestamp(at_ms / 1_000, UTC)
    return AuditRecord(
        action=action,
        tenant=tenant,
        actor_id=ACTOR,
        actor_type="system",
        outcome=outcome,
        severity=severity,
        resource=known.resource,
        resource_id=name,
        description=description,
        metadata=texts,
        occurred_at=at,
        event_id=str(uuid.uuid5(_IDS, content)),
    )


def rfc3339(at: datetime) -> str:
    """Format a time as RFC 3339, with seconds."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def rfc3339_ms(at_ms: int) -> str:
    """Format a wall-clock time in milliseconds as RFC 3339, with seconds."""
    return rfc3339(datetime.fromtimestamp(at_ms / 1_000, UTC))


def tenant_of_topic(shared: str, topic: str) -> str | None:
    """Return the tenant of a dedicated topic, or None for the shared topic and any other."""
    tenant = topic.removeprefix(dedicated_topic(shared, ""))
    return tenant if tenant != topic and is_tenant(tenant) else None
