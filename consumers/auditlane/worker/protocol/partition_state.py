"""The core's state for each partition: the buffered messages and the sealed range in flight."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field, replace
from enum import Enum, auto

import xxhash

from auditlane.contract.intent import Intent, OpenCircuit
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition

FAILING_MS = 60_000  # time after which a failing range is reported to operators
HALT_NOTE_MS = 5_000  # delay before a failed commit of a halt note is repeated
SLOW_MS = 2_000  # time after which a slow step frees its slot for another partition
BACKOFF_MS = (100, 200, 500, 1_000, 2_000, 5_000)
WAIT_MS = BACKOFF_MS[:4]  # retry delays while another insert must finish first


@dataclass(frozen=True, slots=True)
class Policy:
    """The settings of the protocol: when a range is sealed, how many ranges are in flight, and how many bytes are
    buffered.
    """

    range_rows: int = 50_000
    range_bytes: int = 32 << 20
    range_age_ms: int = 1_000
    parts_per_second: float = 4.0
    flights: int = 2  # maximum number of sealed ranges not stored yet: one per insert thread, and one being validated
    buffer_bytes: int = 96 << 20
    failing_ms: int = FAILING_MS
    park_ms: int = 15_000  # delay before a failing range that was discarded to free memory is read again


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Range:
    """One sealed, contiguous range of a partition, announced by one intent and written by one insert per period.

    `first` and `last` are offsets, both inclusive. Kafka's control records leave gaps between them. The results of a
    range from an earlier `assignment_epoch` are ignored. `redo` is true if some of the rows may already be stored,
    because the range was rebuilt from an intent, or because the group's offset was reset or lost.
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
    """Return the xxh64 digest of everything that determines the rows: offsets, timestamps, keys, values and signatures.

    Each byte string is hashed with its length. Offsets are included because a compacted or truncated log can have the
    same boundaries with fewer messages. Keys and timestamps determine the tenant and the accepted times. Signatures are
    included only if the range has any.
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
    """The step for which a sealed range is waiting."""

    INTENT = auto()
    WRITE = auto()
    PUBLISH = auto()
    COMPLETE = auto()


@dataclass(slots=True)
class InFlightRange:
    """The sealed range of a partition. It is `busy` while its step runs, and is not retried before `not_before`.

    `aside` is true if the range is failing, slow or waiting for its late periods. It then does not count towards
    `Policy.flights`.
    """

    range: Range
    step: Step
    busy: bool = False
    attempts: int = 0
    not_before: int = 0
    aside: bool = False
    busy_since: int = 0
    stored_before: int = 0  # number of stored ranges, over all partitions, when this partition last failed

    def begin(self, now: int) -> None:
        """Mark the step of the range as running."""
        self.busy, self.busy_since = True, now

    def next(self, step: Step) -> None:
        """Move on to the next step, and reset the retries."""
        self.step, self.busy, self.attempts, self.not_before = step, False, 0, 0

    def wait(self, now: int) -> None:
        """Retry the step soon. The range still counts as in flight, so that no further ranges queue up behind it."""
        self.busy = False
        self.not_before = now + WAIT_MS[min(self.attempts, len(WAIT_MS) - 1)]
        self.attempts += 1

    def back_off(self, now: int) -> None:
        """Retry the step after a delay that grows with each attempt."""
        self.busy, self.aside = False, True
        self.not_before = now + BACKOFF_MS[min(self.attempts, len(BACKOFF_MS) - 1)]
        self.attempts += 1


@dataclass(slots=True)
class PartitionState:
    """The state of one partition under one assignment. The next range starts at `begin`, and reading continues at
    `position`.
    """

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
    circuit_open: bool = False  # whether the circuit breaker halted the partition
    oldest_ms: int = 0  # Kafka timestamp of the message at `begin`; 0 if unknown
    halt_reported: bool = False
    paused: bool = False
    recheck_below: int = 0  # ranges that start below this offset may have been attempted before
    slow: bool = False  # whether the partition's last range was slow
    # time of the first failure since a step last succeeded; `error` is the latest failure
    failing_since: int | None = None
    error: str = ""
    noted: int | None = None  # time when the failure was last committed as a note
    halt_note: Intent | None = None  # the halted range with the reason, until it is committed as a note
    # time before which the partition's range, discarded to free memory, is not read again
    parked_until: int | None = None
    parked_attempts: int = 0
    gave_up: bool = False  # whether buffered messages were discarded; nothing is then read until the range is complete

    @property
    def free(self) -> bool:
        """Whether a range may be sealed, because no range is in flight or it only has to be committed."""
        return self.flight is None or self.flight.step is Step.COMPLETE

    @property
    def aside(self) -> bool:
        """Whether the range of the partition does not count towards `Policy.flights`."""
        return self.flight is not None and self.flight.aside

    def fails(self, error: str, now: int) -> None:
        """Record that a step of the partition's range failed."""
        self.error = error
        if self.failing_since is None:
            self.failing_since, self.noted = now, None

    def succeeds(self) -> None:
        """Record that a step of the partition's range succeeded."""
        self.failing_since, self.error = None, ""

    def trouble(self, now: int) -> tuple[int, str] | None:
        """Return the time at which the range began to fail or its step began to run, and the reason. Returns None if
        there is no problem.
        """
        if self.halted:
            return None
        if self.failing_since is not None:
            return self.failing_since, self.error
        if self.flight is not None and self.flight.busy:
            return self.flight.busy_since, f"{self.flight.range}: its step ({self.flight.step.name}) has not ended yet"
        return None

    def shed(self) -> None:
        """Discard buffered messages to free memory. The caller then seeks to `position`, and Kafka sends them again."""
        self.held, self.position, self.gave_up = Columns(), self.begin, True

    def park(self, until: int) -> None:
        """Discard the range in flight as well. Its intent stays committed, so the range is rebuilt later, as after a
        restart.
        """
        assert self.flight is not None
        range_ = self.flight.range
        self.rebuild = Intent(range_.topic_id, range_.first, range_.last, range_.digest)
        self.parked_until, self.parked_attempts = until, max(1, self.flight.attempts)
        self.flight, self.begin, self.oldest_ms = None, range_.first, range_.columns.timestamps_ms[0]
        self.shed()

    def halt(self, reason: str) -> None:
        """Stop the partition. The first reason is kept, since that is the one on which operators must act."""
        self.halted = self.halted or reason

    @property
    def held_bytes(self) -> int:
        return self.held.size + (self.flight.range.columns.size if self.flight else 0)

    def intent(self, range_: Range, wall_ms: int) -> str:
        """Return the metadata for the commit that announces a range."""
        return self.announced(range_, wall_ms).encode()

    def halt_at(self, range_: Range, circuit: OpenCircuit | None) -> None:
        """Stop the partition at a range that failed.

        The range's intent stays committed, and the next assignment resumes the range.
        """
        self.halt(self.error)
        self.circuit_open, self.noted = circuit is not None, None
        self.halt_note = replace(self.announced(range_, 0), error=self.error, circuit=circuit)
        self.begin, self.oldest_ms = range_.first, range_.columns.timestamps_ms[0]  # the lag is measured from here
        self.flight = None
        self.held = Columns()

    def announced(self, range_: Range, wall_ms: int, *, failing_ms: int = 0) -> Intent:
        """Build the intent of a range. With `failing_ms`, it includes the time at which the failure began, and the
        reason.

        Times are wall-clock milliseconds.
        """
        recheck_below, error = self._recheck_below(range_.first), self.error if failing_ms else ""
        return Intent(
            range_.topic_id, range_.first, range_.last, range_.digest, wall_ms, recheck_below, failing_ms, error
        )

    def done(self, range_: Range, wall_ms: int) -> str:
        """Return the metadata for the commit that completes a range."""
        return Intent(range_.topic_id, at_ms=wall_ms, recheck_below=self._recheck_below(range_.last + 1)).encode()

    def _recheck_below(self, offset: int) -> int:
        return self.recheck_below if offset < self.recheck_below else 0
