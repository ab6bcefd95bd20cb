"""An event as returned to readers, by the JSON API and the SDK's reader."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from auditlane.contract.event import Outcome, Severity

Provenance = Literal["kafka", "gateway"]


class Event(BaseModel):
    """One audit event as returned to a reader. Times are RFC 3339 in UTC, with microseconds."""

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
    ip_country: str | None = Field(
        None,
        description="ISO 3166-1 code of the country of `ip`, looked up when the event is read, in the file that the"
        " service was given; null if it is unknown.",
        examples=["NO"],
    )
    user_agent: str | None
    request_id: str | None
    before: str | None = Field(description="JSON text, as sent.")
    after: str | None = Field(description="JSON text, as sent.")
    source: str
    metadata: dict[str, str]
    fields: dict[str, str] = Field(description="The tenant's custom fields as text; a field without a value is absent.")
    ingested_at: str = Field(description="When the worker processed the event, to the millisecond.")
    provenance: Provenance = Field(
        description="How the event was received; a sender cannot set this. `gateway`: signed by the gateway that"
        " accepted it. `kafka`: written to a topic by a producer that Kafka's access control permits."
    )
    provenance_id: str = Field(
        description="The client id if provenance is `gateway`, the topic's name if it is `kafka`."
    )
    content_hash: str = Field(description="32 hexadecimal digits: a hash of everything that the sender set.")
    conflict: bool = Field(
        False, description="Whether another event has the same id and time but different content; both are kept."
    )


class SingleEvent(Event):
    """One event, together with other events that have the same id."""

    others: list[Event] = Field(
        default_factory=list,
        description="The tenant's other events with this id, in Kafka's order, at most 100. Those with the same time"
        " conflict with it; those with another time are separate events whose producer reused the id.",
    )
