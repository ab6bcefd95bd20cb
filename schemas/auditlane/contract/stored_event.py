"""An event as readers get it: from the JSON API, and from the SDK's reader."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from auditlane.contract.event import Outcome, Severity

Provenance = Literal["kafka", "gateway"]


class Event(BaseModel):
    """One audit event as a reader sees it. Times are RFC 3339 in UTC, with microseconds."""

    model_config = ConfigDict(frozen=True)

    event_id: str = Field(description="UUID; with tenant_id, occurred_at and content_hash it identifies the event.")
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
    provenance: Provenance = Field(
        description="How it was received, as no sender can set it: `gateway`, signed by the gateway that took it, or"
        " `kafka`, written to a topic by whoever Kafka lets."
    )
    provenance_id: str = Field(description="Of `gateway` the client's id, of `kafka` the topic's name.")
    content_hash: str = Field(description="32 hexadecimal digits, of everything that its sender set.")
    conflict: bool = Field(
        False, description="Another event claims the same id and time with different content; both are kept."
    )


class SingleEvent(Event):
    """One event, and those beside it with the same id."""

    others: list[Event] = Field(
        default_factory=list,
        description="The tenant's other events with this id, in the order in which Kafka had them, at most 100. Those"
        " of the same time are in conflict with it; an emitter may also have used an id for several times.",
    )
