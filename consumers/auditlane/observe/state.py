"""The state that an observer keeps between checks. It is passed to the next observer as JSON in the lease.

The next observer may be another version of auditlane, so unknown members are ignored, and every member has a default.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.audit import AuditRecord
from auditlane.contract.intent import OpenCircuit
from auditlane.observe.hysteresis import Condition
from auditlane.observe.measurements import Refusal

UNKNOWN: Final = -1  # the version of a subject that existed before it was first looked up


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Counted(_Model):
    """A count of rejected messages."""

    refusal: Refusal
    count: int


class Letters(_Model):
    """The dead letters counted so far. `positions` are by partition. The counts are for hours that are not over yet."""

    positions: dict[int, int] = Field(default_factory=dict)
    counts: tuple[Counted, ...] = ()


class Noticed(_Model):
    """A contract version noticed in the registry at `at_ms`. `previous` is None for a new subject."""

    subject: str
    previous: int | None
    version: int
    at_ms: int


class Window(_Model):
    """The measurements since the last row of the history. Times are wall-clock milliseconds.

    `received` and `completed` are totals at the start of the window. `letters` counts the dead letters within it, and
    the other members are maximum values within it.
    """

    since_ms: int
    received: int | None = None
    completed: int | None = None
    letters: int | None = None
    lag_seconds: float | None = None
    lag_events: int | None = None
    disk_used_ratio: float | None = None


class ObserverState(_Model):
    """The complete state of an observer.

    `conditions` and `expiring` are keyed by kind and name, and `circuits` by topic. `subjects` are the newest known
    versions, or None until the registry is first listed. `noticed` contains versions whose event the registering client
    may still record itself. `recent` contains events of the last minutes. The next observer records them again, since
    this one may end before Kafka has acknowledged them.
    """

    conditions: dict[str, Condition] = Field(default_factory=dict)
    circuits: dict[str, OpenCircuit] = Field(default_factory=dict)
    expiring: dict[str, datetime] = Field(default_factory=dict)
    subjects: dict[str, int] | None = None
    noticed: tuple[Noticed, ...] = ()
    letters: Letters | None = None
    window: Window | None = None
    recent: tuple[AuditRecord, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ObserverState:
        """Parse a state. An empty string gives an empty state. Raises ValueError for invalid text."""
        return cls.model_validate_json(text) if text else cls()

    def including(self, events: Iterable[AuditRecord]) -> ObserverState:
        """Return the state with these events added to the recent ones, regardless of their age."""
        missing = [event for event in events if event not in self.recent]
        return self.model_copy(update={"recent": (*missing, *self.recent)}) if missing else self

    def dump(self) -> str:
        """Return the state as JSON."""
        return self.model_dump_json(exclude_defaults=True)
