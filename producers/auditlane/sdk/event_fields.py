"""Event fields that the methods for known actions take as keywords."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TypedDict
from uuid import UUID

from auditlane.contract.event import Outcome, OutcomeName, Severity, SeverityName


class EventFields(TypedDict, total=False):
    """The keywords of `AuditClient.emit`, except the action. Custom fields are in `fields`.

    def deleted(document: str, **event: Unpack[EventFields]) -> None:
        audit.data.exported(rows=1, format="pdf", resource_id=document, **event)
    """

    tenant_id: str
    event_id: str | UUID
    occurred_at: datetime | str
    actor_id: str
    actor_type: str
    actor_name: str | None
    on_behalf_of: str | None
    resource: str
    resource_id: str | None
    outcome: Outcome | OutcomeName
    severity: Severity | SeverityName
    description: str | None
    ip: str | IPv4Address | IPv6Address | None
    user_agent: str | None
    request_id: str | None
    before: object
    after: object
    source: str
    metadata: Mapping[str, str]
    fields: Mapping[str, object]
