"""An event as readers get it: from the JSON API, and from the SDK's reader."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from auditlane.contract.event import Outcome, Severity


class Event(BaseModel):
    """One audit event as a reader sees it. Times are RFC 3339 in UTC, with microseconds."""

    model_config = ConfigDict(frozen=True)

    event_id: str = Field(description="UUID; with tenant_id and occurred_at it identifies the event.")
    tenant_id: str
    occurred_at: str = Field(examples=["2026-01-31T13:45:00.123456Z"])
    action: str
    actor_id: str
    actor_type: str
    actor_name: str | None
    on_behalf_of: str | None
    resource: str
    resource_id: str | None
    outcome: Outcome
    severity: Severity
    description: str | None
    ip: str | None = Field(description="IPv4 or IPv6.")
    user_agent: str | None
    request_id: str | None
    before: str | None = Field(description="JSON text, as it was sent.")
    after: str | None = Field(description="JSON text, as it was sent.")
    source: str
    metadata: dict[str, str]
    fields: dict[str, str] = Field(description="The tenant's own fields as text; one without a value is absent.")
    ingested_at: str = Field(description="When the worker took it over, to the millisecond.")
