"""The insert threads. They validate and insert a range, publish its dead letters, and report the result.

The validation result is kept until the range is complete or its partition is revoked, so that a retried step uses the
same result. The core decides whether and when a failed step is retried. Stored periods are not sent again.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from auditlane.runtime import tracing
from auditlane.runtime.errors import RegistryUnavailable
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.event_insert import EncodedBatch, columns_to_send
from auditlane.store.insert_failures import classify
from auditlane.store.partitioning import Partitioning
from auditlane.worker.protocol.actions import Publish, Write
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.range_traces import RangeTraces
from auditlane.worker.sink.circuit_breaker import CircuitBreaker, Traffic
from auditlane.worker.sink.dead_letters import DeadLetters, DlqPublishFailed
from auditlane.worker.sink.late_budget import LateBudget, late_before
from auditlane.worker.validation.batch import RawRange, Rejection, ValidationResult
from auditlane.worker.validation.validator import BatchValidator

# one insert can be invisible because its token was used before, for rows that were then deleted manually
MAX_INVISIBLE: Final = 3
SLICE_MS: Final = 200  # time slice for inserting late periods, since other partitions may be waiting
LATE_WAIT_MS: Final = 250  # delay before late periods are retried for lack of budget
MOST_THREADS: Final = 64


class Store(Protocol):
    """The methods of `event_insert.Writer` that the pool uses."""

    def insert(
        self, range_: Range, period: int, rows: EncodedBatch, *, seen: Collection[int] | None = None, again: int = 0
    ) -> int: ...
    def stored(self, range_: Range) -> dict[int, set[int]]: ...


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a step. `failure` is None if the step succeeded, and the counts then cover the whole range.

    `late` counts the `parts` of late periods. `took_ms` covers the other parts, or the publication of dead letters. If
    `later_ms` is set, the step must be repeated after that time for the remaining late periods, and the counts are not
    set.
    """

    work: Write | Publish
    failure: Failure | None = None
    rows: int = 0
    parts: int = 0
    rejected: tuple[Rejection, ...] = ()
    took_ms: int = 0
    late: int = 0
    later_ms: int | None = None


class InsertNotVisible(Exception):
    """The store acknowledged rows but does not return them. Retrying would add parts endlessly."""


class CircuitOpen(Exception):
    """Too many messages are rejected. Nothing of the range is written. The message contains the numbers.

    `code` is the most frequent reject code in the range, and `rejected` is the number of rejected messages.
    """

    def __init__(self, message: str, code: str, rejected: int) -> None:
        super().__init__(message)
        self.code = code
        self.rejected = rejected


@dataclass(slots=True)
class _Progress:
    rejected: list[Rejection]
    rows: dict[int, EncodedBatch]  # periods left to store
    late: dict[int, frozenset[str]]  # the range's late periods, each with its tenants
    stored_rows: int = 0
    parts: int = 0
    late_parts: int = 0
    took_ms: int = 0
    outcome_unknown: bool = False  # whether an insert may have succeeded; the store is then read first, as with `redo`

    def ended(self, period: int) -> None:
        """Record that all rows of the period are stored."""
        self.stored_rows += len(self.rows.pop(period))


def _late_periods(range_: Range, validation: ValidationResult, partitioning: Partitioning) -> dict[int, frozenset[str]]:
    """Return the late periods of a range, each with the tenants that have events in that period."""
    present = late_before(range_.columns.timestamps_ms[-1], partitioning)
    return {
        period: frozenset(map(str, rows["tenant_id"].unique().to_pylist()))
        for period, rows in validation.rows.items()
        if period < present
    }


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def _lacks(seen: Mapping[int, set[int]], period: int, rows: EncodedBatch) -> bool:
    return not seen.get(period, set()).issuperset(rows.offsets)


class InsertPool:
    """A `consumer_loop.Stage` that executes `Write` and `Publish`. At most `threads` inserts run concurrently.

    Threads are added up to one per range in flight, so that a range with slow validation does not delay the others.
    `late` is the budget for late periods, which follow from the table's `partitioning`.
    """

    def __init__(
        self,
        validator: BatchValidator,
        store: Store,
        letters: DeadLetters,
        failpoints: Failpoints,
        *,
        threads: int,
        breaker: CircuitBreaker | None = None,
        late: LateBudget | None = None,
        partitioning: Partitioning = Partitioning.MONTH,
        traces: RangeTraces | None = None,
    ) -> None:
        self._validator = validator
        self._store = store
        self._letters = letters
        self._failpoints = failpoints
        self._breaker = breaker
        self._late = late
        self._partitioning = partitioning
        self._traces = traces or RangeTraces()
        self._work: SimpleQueue[Write | Publish | None] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._progress: WeakKeyDictionary[Range, _Progress] = WeakKeyDictionary()
        self._idle = threading.Condition()
        self._in_flight = 0
        self._closed = False
        self._inserting = threading.BoundedSemaphore(threads)
        self._threads: list[threading.Thread] = []
        for _ in range(threads + 1):  # one more than the inserts, to validate the next range in the meantime
            self._start_thread()

    def _start_thread(self) -> None:
        # A daemon, so that a process that gave up draining can exit while an insert hangs.
        thread = threading.Thread(target=self._loop, name=f"insert-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def submit(self, work: Write | Publish) -> None:
        with self._idle:
            self._in_flight += 1
            busy = self._in_flight > len(self._threads)
        if busy and len(self._threads) < MOST_THREADS:
            self._start_thread()
        self._work.put(work)

    def poll(self, wait_s: float = 0.0) -> list[Done]:
        done: list[Done] = []
        while True:
            try:
                done.append(self._done.get(timeout=wait_s if not done else 0.0))
            except Empty:
                return done

    def close(self) -> None:
        self._closed = True
        for _ in self._threads:
            self._work.put(None)

    def join(self, timeout_s: float) -> bool:
        with self._idle:
            return self._idle.wait_for(lambda: self._in_flight == 0, timeout_s)

    def terminate(self) -> None:
        """Do nothing. Threads cannot be killed, and daemon threads do not keep the process alive."""

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                if not self._closed:  # work still queued when the worker leaves belongs to the partition's next owner
                    self._run(work)
            finally:
                with self._idle:
                    self._in_flight -= 1
                    self._idle.notify_all()

    def _run(self, work: Write | Publish) -> None:
        try:
            with self._traces.of(work.range):
                done = self._write(work) if isinstance(work, Write) else self._publish(work)
        except DlqPublishFailed as error:
            done = Done(work, error.failure)
        except CircuitOpen as error:
            cause = type(error).__name__
            done = Done(work, Failure(Remedy.open_circuit, str(error), cause, error.code, error.rejected))
        except RegistryUnavailable as error:
            done = Done(work, Failure(Remedy.retry, str(error), type(error).__name__))
        except (ClickHouseError, HTTPError, OSError) as error:
            done = Done(work, self._classified(work.range, error))
        except BaseException as error:  # including Rust panics: work without a result would stop its partition silently
            cause = type(error).__name__
            done = Done(work, Failure(Remedy.halt, f"{cause}: {error}", cause))
        self._done.put(done)

    def _classified(self, range_: Range, error: Exception) -> Failure:
        failure = classify(error)
        progress = self._progress.get(range_)
        if failure.remedy is Remedy.look and progress is not None:
            progress.outcome_unknown = True
        return failure

    def _write(self, work: Write) -> Done:
        range_ = work.range
        progress = self._validated(range_)
        with self._inserting:
            self._failpoints.hit("before_insert")
            if range_.redo or progress.outcome_unknown:
                self._owe(progress)
                self._reconcile_attempt(range_, progress)
            started = time.monotonic_ns()
            for period in sorted(progress.rows.keys() - progress.late.keys()):
                if period in progress.rows:
                    self._insert(range_, progress, period)
            progress.took_ms += (time.monotonic_ns() - started) // 1_000_000
            if (wait_ms := self._write_late(range_, progress)) is not None:
                return Done(work, later_ms=wait_ms)
            self._failpoints.hit("after_insert")
        return Done(
            work,
            rows=progress.stored_rows,
            parts=progress.parts,
            rejected=tuple(progress.rejected),
            took_ms=progress.took_ms,
            late=progress.late_parts,
        )

    def _insert(self, range_: Range, progress: _Progress, period: int) -> None:
        """Store a period in a first attempt, in which none of its rows should be stored yet.

        If fewer rows are added, the attempt was repeated or overtaken, and the range is then handled as a redo.
        """
        rows = progress.rows[period]
        if self._store.insert(range_, period, rows, seen=()) < len(rows):
            progress.outcome_unknown = True
            self._owe(progress)
            self._reconcile_attempt(range_, progress)
            return
        progress.parts += 1
        progress.late_parts += period in progress.late
        progress.ended(period)

    def _write_late(self, range_: Range, progress: _Progress) -> int | None:
        """Insert late periods within their budget for `SLICE_MS`.

        Returns how long the remaining periods must wait, or None if no periods remain.
        """
        began = _now_ms()
        refused: set[frozenset[str]] = set()  # a range can have thousands of late periods of the same tenants
        for period in sorted(progress.rows, reverse=True):
            if period not in progress.rows:  # already stored as part of a redo
                continue
            if _now_ms() - began > SLICE_MS:
                return 0
            if progress.late[period] in refused:
                continue
            if self._late is None or self._late.take(progress.late[period], _now_ms()):
                self._insert(range_, progress, period)
            else:
                refused.add(progress.late[period])
        return LATE_WAIT_MS if progress.rows else None

    def _owe(self, progress: _Progress) -> None:
        """Charge late periods without waiting, since a range that may be partially stored is compared as a whole."""
        for period in progress.rows.keys() & progress.late.keys():
            if self._late is not None:
                self._late.owe(progress.late[period], _now_ms())

    def _reconcile_attempt(self, range_: Range, progress: _Progress) -> None:
        """Store the missing rows of a range that may have been attempted before, until the store returns all rows.

        The earlier attempt may have had a different validation result, because a schema was registered since then, or a
        contract became exclusive. Rows that it stored stay, without a dead letter. Rows that only this validation
        accepts are added.
        """
        seen, again = self._store.stored(range_), 0
        while missing := [period for period in sorted(progress.rows) if _lacks(seen, period, progress.rows[period])]:
            for period in missing:
                self._store.insert(range_, period, progress.rows[period], seen=seen.get(period, set()), again=again)
                progress.parts += 1
                progress.late_parts += period in progress.late
            before, seen = seen, self._store.stored(range_)
            again = again + 1 if seen == before else 0
            if again >= MAX_INVISIBLE:
                raise InsertNotVisible(
                    f"{MAX_INVISIBLE} inserts of {range_} were acknowledged, but the store returns none of their rows. "
                    "Check that no row policy hides rows from the worker's user, and that replicas are in sync."
                )
        for period in list(progress.rows):
            progress.ended(period)
        stored, offsets = set().union(*seen.values()), range_.columns.offsets
        progress.rejected = [rejection for rejection in progress.rejected if offsets[rejection.index] not in stored]

    def _validated(self, range_: Range) -> _Progress:
        progress = self._progress.get(range_)
        if progress is None:
            raw = RawRange.of(range_.topic_id, range_.partition, range_.columns)
            with tracing.span("validate") as span:
                validation: ValidationResult = self._validator.validate(raw, ingested_at_ms=time.time_ns() // 1_000_000)
                span.set_attribute("auditlane.rejected", len(validation.rejected))
                self._check_circuit(range_, validation)
                late = _late_periods(range_, validation, self._partitioning)
                rows = {period: EncodedBatch(columns_to_send(one, range_)) for period, one in validation.rows.items()}
            progress = self._progress[range_] = _Progress(list(validation.rejected), rows, late)
        return progress

    def _check_circuit(self, range_: Range, validation: ValidationResult) -> None:
        traffic = {tenant: Traffic(*counts) for tenant, counts in validation.by_tenant.items()}
        why = self._breaker.record(range_, traffic, _now_ms()) if self._breaker else ""
        if why:
            first = validation.rejected[0]
            [(code, _)] = Counter(rejection.code.value for rejection in validation.rejected).most_common(1)
            raise CircuitOpen(
                f"{why}; the first of the range: {first.code.value}, {first.message} Roll the deployment back and "
                "restart the worker, or restart it with AUDITLANE_DLQ_MAX_RATIO=1 to make them dead letters",
                code,
                len(validation.rejected),
            )

    def _publish(self, work: Publish) -> Done:
        rejected = self._progress[work.range].rejected
        self._failpoints.hit("before_letters")
        started = _now_ms()
        with tracing.span("dead letters", {"messaging.batch.message_count": len(rejected)}, kind="producer"):
            self._letters.publish(work.range, rejected)
        took_ms = _now_ms() - started
        self._failpoints.hit("after_letters")
        return Done(work, rejected=tuple(rejected), took_ms=took_ms)
