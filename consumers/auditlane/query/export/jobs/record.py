"""The stored records of a job. The request is written once, and each attempt is written by the lease owner of its
epoch.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from auditlane.access.permissions import Permission
from auditlane.access.scope import BaseFilter, TenantScope
from auditlane.query.base_filter import unmarked
from auditlane.query.export.columns import Column
from auditlane.query.export.exporter import Counted
from auditlane.query.export.formats import Dialect, Form, Format, OcsfVersion, Separator
from auditlane.query.export.sentences import DEFAULT, Sentences
from auditlane.query.export.since import Extent
from auditlane.query.filters import OffsetRange, PartitionKey
from auditlane.query.sort import Position
from auditlane.runtime.errors import AuditlaneError

State = Literal["queued", "running", "done", "failed", "cancelled"]


class JobRecord(BaseModel):
    """A request for a job. The file contains the `rows` events ingested up to `bound_ms`."""

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    actor: str
    actor_type: str
    client_id: str = ""  # the client that vouches for the requester, or "" for an operator
    pairs: tuple[tuple[str, str], ...]  # the request's pairs, with those of its base filter marked
    format: Format
    columns: tuple[Column, ...]
    raw_formulas: bool
    ocsf_version: OcsfVersion = OcsfVersion.v1_8_0
    dialect: Dialect = Dialect.raw
    separator: Separator = Separator.comma
    zone: str = "UTC"
    # whether to include events about access to the log; records of earlier releases lack it
    include_access: bool = True
    sentences: Sentences = DEFAULT
    extent: Extent | None = None  # what the file covers, if the download is to be recorded for `since`
    # the offsets in the file, if `extent` is set
    offsets: tuple[tuple[str, int, tuple[OffsetRange, ...]], ...] | None = None
    rows: int
    bound_ms: int
    created_at: AwareDatetime

    @property
    def form(self) -> Form:
        """The format and columns of the file. Later changes to the tenant's structure do not affect it."""
        return Form(
            self.format,
            self.columns,
            self.raw_formulas,
            self.ocsf_version,
            dialect=self.dialect,
            separator=self.separator,
            zone=self.zone,
            sentences=self.sentences,
        )

    @property
    def places(self) -> dict[PartitionKey, tuple[OffsetRange, ...]]:
        """The offsets of the events in the file, if they are limited."""
        return {(topic, partition): ranges for topic, partition, ranges in self.offsets or ()}

    @property
    def base_filter(self) -> BaseFilter:
        """The base filter of the request."""
        return unmarked(self.pairs)[0]

    @property
    def scope(self) -> TenantScope:
        """The tenant, the requester for whom the file is created, and the base filter."""
        return TenantScope.authorized_before(
            self.tenant, self.actor, Permission.export, self.client_id, self.base_filter
        )

    @property
    def counted(self) -> Counted:
        """The number of events in the file, and their newest `ingested_at`."""
        return Counted(self.rows, self.bound_ms)


class Failure(BaseModel):
    """Why a job failed: an error's message and fix."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    fix: str = ""

    @classmethod
    def of(cls, error: AuditlaneError) -> Failure:
        return cls(code=error.code, message=error.message, fix=error.fix)


class JobAttempt(BaseModel):
    """The progress of one epoch. The first `size` bytes of epoch `file`'s output contain `rows` events.

    In a bucket, `segments` are the parts of the output, each with the epoch that wrote it and its size. `beat` counts
    the owner's heartbeats. `owner` is empty when the job has been released.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    owner: str
    beat: int = 0
    state: Literal["running", "done", "failed"] = "running"
    file: int = 0
    size: int = 0
    segments: tuple[tuple[int, int], ...] = ()
    rows: int = 0
    position: tuple[int, str, str] | None = None  # position of the last of these events: microseconds, id, content hash
    failure: Failure | None = None
    changed_at: AwareDatetime

    @property
    def after(self) -> Position | None:
        """The position after which the next attempt resumes."""
        return Position(*self.position) if self.position else None

    def next(self, owner: str, now: datetime) -> JobAttempt:
        """Return the initial state of the next epoch."""
        return self.model_copy(update={"epoch": self.epoch + 1, "owner": owner, "beat": 0, "changed_at": now})


class JobStatus(BaseModel):
    """A job's current state. `ended_at` is None until it is done, failed or cancelled."""

    model_config = ConfigDict(frozen=True)

    record: JobRecord
    attempt: JobAttempt | None
    cancelled_at: AwareDatetime | None

    @property
    def state(self) -> State:
        if self.attempt is not None and self.attempt.state != "running":
            return self.attempt.state
        if self.cancelled_at is not None:
            return "cancelled"
        return "running" if self.attempt is not None else "queued"

    @property
    def ended_at(self) -> datetime | None:
        match self.state:
            case "cancelled":
                return self.cancelled_at
            case "done" | "failed":
                return self.attempt.changed_at if self.attempt else None
        return None

    def expired(self, now: datetime, keep: timedelta) -> bool:
        """Return whether the job ended more than `keep` ago."""
        return self.ended_at is not None and self.ended_at + keep <= now
