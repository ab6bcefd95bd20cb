"""Response models of the administration routes."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from auditlane.contract.reject_codes import RejectCode
from auditlane.server.admin.localized import Text


class Tenant(BaseModel):
    """A tenant and the number of its events."""

    tenant: str
    events: int = Field(description="Rows stored. A duplicate is counted until ClickHouse has merged it.")
    last_event: str | None = Field(
        description="Time at which the newest event occurred.", examples=["2026-01-31T13:45:00.123456Z"]
    )
    last_stored: str | None = Field(description="Time at which the latest row was stored.")
    enabled: bool = Field(description="Whether the tenant's users may view its audit logs.")


class Tenants(BaseModel):
    """Tenants, sorted by name. Pass `next` as `after` to get the next page. It is null on the last page."""

    data: list[Tenant]
    next: str | None


class Rate(BaseModel):
    """The rate at which events arrive in Kafka."""

    seconds: float = Field(description="Length of the measured period.")
    events: int = Field(description="Messages that arrived in this period, on all topics that the workers consume.")
    events_per_second: float


class OpenCircuit(BaseModel):
    """The reason why the circuit breaker halted a partition."""

    code: str = Field(description="The most frequent reject code of the messages that it stopped at.")
    rejected: int = Field(description="The number of these messages that are rejected.")


class PartitionLag(BaseModel):
    """The lag of one partition that the workers consume."""

    topic: str
    partition: int
    committed: int | None = Field(description="Committed offset; null if the group has none.")
    end: int
    lag: int = Field(description="Messages between the committed offset and the end of the partition.")
    lost: int = Field(description="Offsets that Kafka deleted before the group consumed them.")
    age_s: float | None = Field(description="Time since Kafka received the oldest message that is not yet stored.")
    member: str = Field(description="Group member that the partition is assigned to; empty if unassigned.")
    abandoned: bool = Field(description="The partition has lag and no member is assigned to it.")
    failing_s: float | None = Field(
        None,
        description="Time for which the worker has failed to store the next messages; null below one minute, unless "
        "the partition is halted.",
    )
    error: str = Field("", description="The reason, as the worker has committed it with the group's offsets.")
    circuit: OpenCircuit | None = Field(None, description="Set if the circuit breaker halted the partition.")


class Lag(BaseModel):
    """The workers' lag, as `auditlane lag --json` prints it."""

    group: str
    lag: int
    age_s: float
    abandoned: int
    lost: int
    partitions: list[PartitionLag]


class OperationsHistory(BaseModel):
    """The installation's operation over time, in columns of equal length. Steps that were not observed are omitted.
    Values that were not measured are null.
    """

    step_s: int = Field(description="Length of a step, in seconds.")
    at: list[str] = Field(description="Start of each step.", examples=[["2026-01-31T13:45:00Z"]])
    received_per_second: list[float | None] = Field(description="Messages that arrived in Kafka.")
    stored_per_second: list[float | None] = Field(description="Messages that the workers stored or rejected.")
    lag_seconds: list[float | None] = Field(description="Highest age of the oldest message that is not stored.")
    lag_events: list[float | None] = Field(description="Highest number of messages that are not stored.")
    freshness_p50_s: list[float | None] = Field(
        description="Median time from Kafka's timestamp until a worker validated the row, just before its insert."
    )
    freshness_p99_s: list[float | None] = Field(
        description="99th percentile of the same time, in the minute in which it was highest."
    )
    dead_letters: list[float | None] = Field(description="Messages that were rejected in the step.")
    query_p99_s: list[float | None] = Field(
        description="99th percentile of the time to a response's first byte for reads, in the observing process."
    )
    ingest_p99_s: list[float | None] = Field(
        description="99th percentile of the time until Kafka acknowledged events sent over HTTP, in that process."
    )
    disk_used_ratio: list[float | None] = Field(description="Used part of the fullest disk, from 0 to 1.")


class OperationalEvent(BaseModel):
    """An event about the installation's operation. `tenant` is the tenant concerned, if any."""

    at: str = Field(examples=["2026-01-31T13:45:00.123456Z"])
    action: str = Field(examples=["lag.detected"])
    outcome: str = Field(examples=["failure"])
    severity: str = Field(examples=["Medium"])
    resource: str
    resource_id: str | None
    description: str | None
    metadata: dict[str, str]
    event_id: str
    tenant: str | None


class Timeline(BaseModel):
    """The most recent operational events, newest first."""

    data: list[OperationalEvent]


class LetterCount(BaseModel):
    """The number of dead letters with one code and tenant."""

    code: str
    tenant: str | None
    state: str
    count: int
    first_received_at: str
    last_received_at: str


class Letter(BaseModel):
    """One dead letter without its body. `auditlane dlq show` includes the body."""

    id: str = Field(
        description="Position of the rejected message: topic:partition:offset.", examples=["audit.events:3:1207"]
    )
    topic_id: str
    state: str
    note: str
    tenant: str | None
    code: str = Field(examples=[RejectCode.FIELD_RULE.value])
    reason: str
    schema_id: int | None
    received_at: str = Field(description="Time at which Kafka received the rejected message.")
    published_at: str = Field(description="Time at which the dead letter was published.")
    position: str = Field(description="Position of the dead letter in its topic: partition:offset.")
    original_bytes: int | None = Field(
        default=None,
        description="Size of the rejected message's value if the dead letter contains only its beginning. Such a "
        "message cannot be replayed.",
    )
    sha256: str = Field(
        default="", description="SHA-256 of that value in hexadecimal; empty if the dead letter is complete."
    )


class DeadLetters(BaseModel):
    """Open dead letters, with counts by code and tenant, and the newest letters.

    Each request reads the topic for a few seconds. While `complete` is false, the counts cover only what has been read.
    """

    complete: bool
    read: int = Field(description="Records of the topic that have been read.")
    records: int = Field(description="Records in the topic.")
    count: int = Field(description="Dead letters found.")
    unrecognized_records: int = Field(description="Records that auditlane did not write.")
    counts: list[LetterCount]
    newest: list[Letter]


class PartHealth(BaseModel):
    """The state of one component that the installation depends on."""

    name: Literal["clickhouse", "kafka", "registry", "workers", "keys", "signing-keys", "issuer", "trail", "canary"]
    state: Literal["up", "stale", "away", "off"] = Field(
        description="`stale`: the last valid version is in use, or progress is delayed. `away`: unavailable. `off`: "
        "not configured."
    )
    detail: Text = ""
    problem: Text | None = None


class ContractRefusals(BaseModel):
    """How many of one tenant's events its contract rejected over HTTP in the past hour, in the process that
    responds.
    """

    tenant: str
    refused: int
    changed_at: str | None = Field(None, description="Time of the last contract change in that hour.")
    after_change: int = Field(0, description="Events rejected since that change.")


class RecentConflicts(BaseModel):
    """Ids of events with the same time but different content. `auditlane verify` lists them."""

    hours: int = Field(description="The number of past hours whose events are counted.")
    ids: int = Field(description="Event ids in conflict.")
    tenants: int = Field(description="Tenants affected.")


class Health(BaseModel):
    """The state of every component. `refusals` lists the tenants with the most rejected events, those with a recent
    contract change first. `conflicts` does not affect `healthy`.
    """

    healthy: bool
    parts: list[PartHealth]
    refusals: list[ContractRefusals] = []
    conflicts: RecentConflicts | None = Field(None, description="Null if ClickHouse did not respond in time.")
