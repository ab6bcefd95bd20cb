"""What is written down of a job: what was asked for, once, and each epoch's run, by whoever has its lease."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Position
from auditlane.query.export.columns import Column
from auditlane.query.export.exporter import Counted
from auditlane.query.export.formats import Form, Format
from auditlane.runtime.errors import AuditlaneError

State = Literal["queued", "running", "done", "failed", "cancelled"]


class JobRecord(BaseModel):
    """What was asked for. The file holds the `rows` events that were ingested up to `bound_ms`."""

    model_config = ConfigDict(frozen=True)

    id: str
    tenant: str
    actor: str
    actor_type: str
    client_id: str = ""  # whose key vouches for it, "" an operator's
    pairs: tuple[tuple[str, str], ...]
    format: Format
    columns: tuple[Column, ...]
    raw_formulas: bool
    rows: int
    bound_ms: int
    created_at: AwareDatetime

    @property
    def form(self) -> Form:
        """What the file looks like, whatever the tenant's structure has become."""
        return Form(self.format, self.columns, self.raw_formulas)

    @property
    def scope(self) -> TenantScope:
        """On whose behalf the file is made."""
        return TenantScope.authorized_before(self.tenant, self.actor, Permission.export, self.client_id)

    @property
    def counted(self) -> Counted:
        """What the file is to hold."""
        return Counted(self.rows, self.bound_ms)


class Failure(BaseModel):
    """Why a job failed, as an error of ours says it."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    fix: str = ""

    @classmethod
    def of(cls, error: AuditlaneError) -> Failure:
        return cls(code=error.code, message=error.message, fix=error.fix)


class JobAttempt(BaseModel):
    """What one epoch's owner has done: the first `size` bytes of the output of epoch `file` hold `rows` events.

    `beat` counts its signs of life; an empty `owner` has given the job back.
    """

    model_config = ConfigDict(frozen=True)

    epoch: int
    owner: str
    beat: int = 0
    state: Literal["running", "done", "failed"] = "running"
    file: int = 0
    size: int = 0
    rows: int = 0
    position: tuple[int, str, str] | None = None  # of the last of these events: microseconds, id, content hash
    failure: Failure | None = None
    changed_at: AwareDatetime

    @property
    def after(self) -> Position | None:
        """Where the next run goes on."""
        return Position(*self.position) if self.position else None

    def next(self, owner: str, now: datetime) -> JobAttempt:
        """The first state of the epoch after this."""
        return self.model_copy(update={"epoch": self.epoch + 1, "owner": owner, "beat": 0, "changed_at": now})


class JobStatus(BaseModel):
    """A job as it is now. `ended_at` is None until it is done, failed or cancelled."""

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
        """Whether nothing of it is to be kept any longer."""
        return self.ended_at is not None and self.ended_at + keep <= now
