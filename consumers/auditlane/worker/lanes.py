"""What the core keeps of each partition: what was received, and the one range that is in flight."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from auditlane.worker.intent import Intent
from auditlane.worker.ranges import Columns, Partition, Range

BACKOFF_MS = (100, 200, 500, 1_000, 2_000, 5_000)


@dataclass(frozen=True, slots=True)
class Policy:
    """The worker's settings that decide: when a range is sealed, how many are in flight, how much is held."""

    range_rows: int = 50_000
    range_bytes: int = 32 << 20
    range_age_ms: int = 1_000
    parts_per_second: float = 4.0
    flights: int = 2  # ranges sealed and not yet stored: one being inserted by each thread, and one being judged
    queue_bytes: int = 96 << 20


class Step(Enum):
    """What a sealed range waits for."""

    INTENT = auto()
    WRITE = auto()
    BURY = auto()
    COMPLETE = auto()


@dataclass(slots=True)
class Flight:
    """The one sealed range of a partition. `busy` while its step is being done, `not_before` while it backs off."""

    range: Range
    step: Step
    busy: bool = False
    attempts: int = 0
    not_before: int = 0

    def next(self, step: Step) -> None:
        self.step, self.busy, self.attempts, self.not_before = step, False, 0, 0

    def back_off(self, now: int) -> None:
        self.busy = False
        self.not_before = now + BACKOFF_MS[min(self.attempts, len(BACKOFF_MS) - 1)]
        self.attempts += 1


@dataclass(slots=True)
class Lane:
    """One partition under one assignment. `begin` is where the next range begins, `position` where reading goes on."""

    partition: Partition
    topic_id: str
    lease: int
    begin: int
    position: int
    rebuild: Intent | None = None
    held: Columns = field(default_factory=Columns)
    since: int = 0
    flight: Flight | None = None
    halted: str = ""
    braked: bool = False  # halted by the dead-letter brake
    oldest_ms: int = 0  # when Kafka had the message at `begin`; 0 while it was not seen
    told: bool = False  # the halt was announced
    paused: bool = False
    doubt: int = 0  # ranges that begin below this offset may have been attempted before

    @property
    def free(self) -> bool:
        """Whether a range may be sealed: none is before its completion."""
        return self.flight is None or self.flight.step is Step.COMPLETE

    def halt(self, reason: str) -> None:
        self.halted = self.halted or reason  # the first reason is the one to act on

    @property
    def held_bytes(self) -> int:
        return self.held.size + (self.flight.range.columns.size if self.flight else 0)

    def intent(self, range_: Range, wall_ms: int) -> str:
        """The metadata of the commit that announces a range."""
        doubt = self._doubt(range_.first)
        return Intent(range_.topic_id, range_.first, range_.last, range_.digest, wall_ms, doubt).encode()

    def done(self, range_: Range, wall_ms: int) -> str:
        """The metadata of the commit that completes a range."""
        return Intent(range_.topic_id, at_ms=wall_ms, doubt=self._doubt(range_.last + 1)).encode()

    def _doubt(self, offset: int) -> int:
        return self.doubt if offset < self.doubt else 0
