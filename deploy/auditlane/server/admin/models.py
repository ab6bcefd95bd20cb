"""What the routes of administration answer."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from auditlane.contract.reject_codes import RejectCode
from auditlane.server.admin.localized import Text


class Tenant(BaseModel):
    """One tenant's events."""

    tenant: str
    events: int = Field(description="Rows stored; one that came twice counts twice until ClickHouse has merged it.")
    last_event: str | None = Field(
        description="When the newest one occurred.", examples=["2026-01-31T13:45:00.123456Z"]
    )
    last_stored: str | None = Field(description="When the last one was stored.")
    enabled: bool = Field(description="Whether the tenant's people may view their audit logs.")


class Tenants(BaseModel):
    """Tenants by name. `next` goes into `after` for the ones behind; null where the list ends."""

    data: list[Tenant]
    next: str | None


class Rate(BaseModel):
    """How fast events arrive in Kafka."""

    seconds: float = Field(description="The time that was looked back over.")
    events: int = Field(description="Messages that arrived in it, on every topic that the workers read.")
    events_per_second: float


class PartitionLag(BaseModel):
    """One partition of a topic that the workers read."""

    topic: str
    partition: int
    committed: int | None = Field(description="Null where the group has no offset yet.")
    end: int
    lag: int = Field(description="Messages that are not completed.")
    lost: int = Field(description="Offsets that Kafka deleted before the group came to them.")
    age_s: float | None = Field(description="How long Kafka has had the oldest message that is not completed.")
    member: str = Field(description="Who has it; empty while nobody has.")
    abandoned: bool = Field(description="There is something to do and nobody to do it.")
    failing_s: float | None = Field(
        None, description="For how long its worker has failed to store the next messages; null below a minute."
    )
    error: str = Field("", description="Why, as its worker noted it with the group's offsets.")


class Lag(BaseModel):
    """How far the workers are behind; the same as `auditlane lag --json`."""

    group: str
    lag: int
    age_s: float
    abandoned: int
    lost: int
    partitions: list[PartitionLag]


class LetterCount(BaseModel):
    """Refused messages of one code and tenant that nobody has resolved."""

    code: str
    tenant: str | None
    state: str
    letters: int
    first_received_at: str
    last_received_at: str


class Letter(BaseModel):
    """One refused message, without its body: `auditlane dlq show` has that."""

    letter: str = Field(description="Its name: topic:partition:offset.", examples=["audit.events:3:1207"])
    topic_id: str
    state: str
    note: str
    tenant: str | None
    code: str = Field(examples=[RejectCode.FIELD_RULE.value])
    reason: str
    schema_id: int | None
    received_at: str
    buried_at: str
    stands_at: str = Field(description="partition:offset in the dead-letter topic.")
    whole_bytes: int | None = Field(
        default=None,
        description="The size of the message's value, where the letter has only its beginning; it cannot be replayed.",
    )
    sha256: str = Field(
        default="", description="The digest of that value, in hexadecimal; empty where the letter is whole."
    )


class DeadLetters(BaseModel):
    """Open dead letters: how many of which code and tenant, and the newest.

    The topic is read a few seconds at a time: while `complete` is false the counts are of what was read so far.
    """

    complete: bool
    read: int = Field(description="Records of the topic that were read.")
    records: int = Field(description="Records that it has.")
    letters: int
    foreign_records: int = Field(description="Records that are no letters of ours.")
    counts: list[LetterCount]
    newest: list[Letter]


class PartHealth(BaseModel):
    """How one thing that the installation needs is doing."""

    name: Literal["clickhouse", "kafka", "registry", "workers", "keys", "signing-keys", "issuer", "trail"]
    state: Literal["up", "stale", "away", "off"] = Field(
        description="`stale`: what was last good is in use. `off`: it is not configured."
    )
    detail: Text = ""
    problem: Text | None = None


class ContractRefusals(BaseModel):
    """Events of one tenant that its contract refused over HTTP within an hour, in the process that answers."""

    tenant: str
    refused: int
    changed_at: str | None = Field(None, description="When the contract was changed, if within the hour.")
    after_change: int = Field(0, description="Events that were refused since then.")


class RecentConflicts(BaseModel):
    """Ids that several events claim, at one time and with different content; `auditlane verify` lists them."""

    hours: int = Field(description="Events that occurred within so many hours were looked at.")
    ids: int = Field(description="How many ids several of them claim.")
    tenants: int = Field(description="Whose they are.")


class Health(BaseModel):
    """Whether every part is up, and each; the tenants whose contracts refuse most events, of changed ones first; and
    events in conflict, which keep no part from being up."""

    healthy: bool
    parts: list[PartHealth]
    refusals: list[ContractRefusals] = []
    conflicts: RecentConflicts | None = Field(None, description="Null where ClickHouse did not say in time.")
