"""What the core keeps of each partition: what was received, and the one range that is in flight."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from enum import Enum, auto

import xxhash

from auditlane.contract.intent import Intent
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition

FAILING_MS = 60_000  # a range that has failed for so long is told to people
SLOW_MS = 2_000  # a step that takes longer leaves its place among the flights to another partition
BACKOFF_MS = (100, 200, 500, 1_000, 2_000, 5_000)
WAIT_MS = BACKOFF_MS[:4]  # behind another insert


@dataclass(frozen=True, slots=True)
class Policy:
    """The worker's settings that decide: when a range is sealed, how many are in flight, how much is held."""

    range_rows: int = 50_000
    range_bytes: int = 32 << 20
    range_age_ms: int = 1_000
    parts_per_second: float = 4.0
    flights: int = 2  # ranges sealed and not yet stored: one being inserted by each thread, and one being judged
    buffer_bytes: int = 96 << 20
    failing_ms: int = FAILING_MS
    park_ms: int = 15_000  # how long a range that fails, and was given up to make room, waits until it is read again


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Range:
    """One sealed, contiguous range of a partition: what one intent names and one insert a month writes.

    `first` and `last` are offsets, both included; Kafka's own control records make gaps within. `assignment_epoch`
    counts the assignment it was sealed under: a result from another epoch is ignored. `redo` says that parts of it may
    be stored already: it was rebuilt from an intent, or lies where the offset was set back or lost.
    """

    partition: Partition
    topic_id: str
    first: int
    last: int
    columns: Columns
    digest: str
    assignment_epoch: int
    redo: bool = False

    def __str__(self) -> str:
        return f"{self.partition}:{self.first}-{self.last}"


def digest(columns: Columns) -> str:
    """xxh64 over all that decides about the rows: offsets, timestamps, keys, values and signatures, each blob with its
    length; signatures only where there is one.

    Offsets are in it because a compacted or truncated log gives the same boundaries with fewer messages; keys and
    timestamps because the tenant and the accepted times derive from them.
    """
    hashed = xxhash.xxh64()
    parts: list[bytes | array[int]] = [columns.offsets, columns.timestamps_ms]
    signatures = [columns.signatures] if columns.signatures.size else []
    for blobs in (columns.keys, columns.values, *signatures):
        parts += [*blobs.lengths, *blobs.data]
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()


class Step(Enum):
    """What a sealed range waits for."""

    INTENT = auto()
    WRITE = auto()
    PUBLISH = auto()
    COMPLETE = auto()


@dataclass(slots=True)
class InFlightRange:
    """The one sealed range of a partition. `busy` while its step is being done, `not_before` while it backs off.

    `aside`: it fails, is slow, or waits for its late months, and so takes no place among the ranges in flight.
    """

    range: Range
    step: Step
    busy: bool = False
    attempts: int = 0
    not_before: int = 0
    aside: bool = False
    busy_since: int = 0
    stored_before: int = 0  # how many ranges of any partition were stored when it failed last

    def begin(self, now: int) -> None:
        """Its step is being done."""
        self.busy, self.busy_since = True, now

    def next(self, step: Step) -> None:
        self.step, self.busy, self.attempts, self.not_before = step, False, 0, 0

    def wait(self, now: int) -> None:
        """Its step is to be done again soon. It keeps its place, so that no more ranges come to wait beside it."""
        self.busy = False
        self.not_before = now + WAIT_MS[min(self.attempts, len(WAIT_MS) - 1)]
        self.attempts += 1

    def back_off(self, now: int) -> None:
        self.busy, self.aside = False, True
        self.not_before = now + BACKOFF_MS[min(self.attempts, len(BACKOFF_MS) - 1)]
        self.attempts += 1


@dataclass(slots=True)
class PartitionState:
    """One partition under one assignment. `begin` is where the next range begins, `position` where reading goes on."""

    partition: Partition
    topic_id: str
    assignment_epoch: int
    begin: int
    position: int
    rebuild: Intent | None = None
    held: Columns = field(default_factory=Columns)
    since: int = 0
    flight: InFlightRange | None = None
    halted: str = ""
    circuit_open: bool = False  # halted by the circuit breaker
    oldest_ms: int = 0  # when Kafka had the message at `begin`; 0 while it was not seen
    halt_reported: bool = False  # the halt was announced
    paused: bool = False
    recheck_below: int = 0  # ranges that begin below this offset may have been attempted before
    slow: bool = False  # whether its last range was
    failing_since: int | None = None  # while steps of its range fail: when the first did, and why the last did
    error: str = ""
    noted: int | None = None  # when that was committed last
    parked_until: int | None = None  # its range was given up to make room, and is not to be read again before
    parked_attempts: int = 0
    gave_up: bool = False  # so nothing more is read before its range is complete

    @property
    def free(self) -> bool:
        """Whether a range may be sealed: none is before its completion."""
        return self.flight is None or self.flight.step is Step.COMPLETE

    @property
    def aside(self) -> bool:
        """Whether its range takes no place among the ranges in flight."""
        return self.flight is not None and self.flight.aside

    def fails(self, error: str, now: int) -> None:
        """A step of its range failed."""
        self.error = error
        if self.failing_since is None:
            self.failing_since, self.noted = now, None

    def succeeds(self) -> None:
        """A step of its range succeeded."""
        self.failing_since, self.error = None, ""

    def trouble(self, now: int) -> tuple[int, str] | None:
        """Since when its range has failed, or its step not ended, and what is known of why; None while all is well."""
        if self.halted:
            return None
        if self.failing_since is not None:
            return self.failing_since, self.error
        if self.flight is not None and self.flight.busy:
            return self.flight.busy_since, f"{self.flight.range}: its step ({self.flight.step.name}) has not ended yet"
        return None

    def shed(self) -> None:
        """Give up what was received and is not sealed, to make room: it is to be delivered again, from `position`."""
        self.held, self.position, self.gave_up = Columns(), self.begin, True

    def park(self, until: int) -> None:
        """Give up the range in flight as well: its intent stands, and it is rebuilt as after a restart."""
        assert self.flight is not None
        range_ = self.flight.range
        self.rebuild = Intent(range_.topic_id, range_.first, range_.last, range_.digest)
        self.parked_until, self.parked_attempts = until, max(1, self.flight.attempts)
        self.flight, self.begin, self.oldest_ms = None, range_.first, range_.columns.timestamps_ms[0]
        self.shed()

    def halt(self, reason: str) -> None:
        self.halted = self.halted or reason  # the first reason is the one to act on

    @property
    def held_bytes(self) -> int:
        return self.held.size + (self.flight.range.columns.size if self.flight else 0)

    def intent(self, range_: Range, wall_ms: int) -> str:
        """The metadata of the commit that announces a range."""
        return self.announced(range_, wall_ms).encode()

    def announced(self, range_: Range, wall_ms: int, *, failing_ms: int = 0) -> Intent:
        """The intent of a range, also while it fails; times are wall-clock milliseconds."""
        recheck_below, error = self._recheck_below(range_.first), self.error if failing_ms else ""
        return Intent(
            range_.topic_id, range_.first, range_.last, range_.digest, wall_ms, recheck_below, failing_ms, error
        )

    def done(self, range_: Range, wall_ms: int) -> str:
        """The metadata of the commit that completes a range."""
        return Intent(range_.topic_id, at_ms=wall_ms, recheck_below=self._recheck_below(range_.last + 1)).encode()

    def _recheck_below(self, offset: int) -> int:
        return self.recheck_below if offset < self.recheck_below else 0
