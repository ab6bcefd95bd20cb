"""The insert threads: judge and insert a range, bury its dead letters, and say what became of it.

What was judged is kept until the range is complete or its partition is gone, so that a repeated step decides nothing
anew; a month that is stored is not sent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from auditlane.runtime.errors import RegistryUnavailable
from auditlane.worker.actions import Bury, Failure, Remedy, Write
from auditlane.worker.brake import Brakes, Traffic
from auditlane.worker.dead_letters import DeadLetters, NotBuried
from auditlane.worker.failpoints import Failpoints
from auditlane.worker.judge import Judge, RawRange, Rejection, Verdict
from auditlane.worker.ranges import Range
from auditlane.worker.store_failures import classify
from auditlane.worker.write import Packed, sent

UNSEEN: Final = 3  # one is a token spent on rows that were removed by hand


class Store(Protocol):
    """The part of `write.Writer` that is needed here."""

    def insert(
        self, range_: Range, month: int, rows: Packed, *, seen: Collection[int] | None = None, again: int = 0
    ) -> None: ...
    def stored(self, range_: Range) -> dict[int, set[int]]: ...


@dataclass(frozen=True, slots=True)
class Done:
    """A step that ended. `failure` is None when it succeeded; the counts are then of the whole range."""

    work: Write | Bury
    failure: Failure | None = None
    rows: int = 0
    parts: int = 0
    rejected: tuple[Rejection, ...] = ()
    took_ms: int = 0


class Unseen(Exception):
    """The store does not show what it says it stored: going on would add parts without end."""


class Braked(Exception):
    """Too much is refused: nothing of the range is written. The message says how much."""


@dataclass(slots=True)
class _Progress:
    rejected: list[Rejection]
    rows: dict[int, Packed]  # months still to store
    stored_rows: int = 0
    parts: int = 0

    def ended(self, month: int) -> None:
        """All of the month is stored."""
        self.stored_rows += len(self.rows.pop(month))


def _lacks(seen: Mapping[int, set[int]], month: int, rows: Packed) -> bool:
    return not seen.get(month, set()).issuperset(rows.offsets)


class Jobs:
    """A `lifecycle.Stage` whose work is `Write` and `Bury`. At most `threads` inserts run at once."""

    def __init__(
        self,
        judge: Judge,
        store: Store,
        letters: DeadLetters,
        failpoints: Failpoints,
        *,
        threads: int,
        brakes: Brakes | None = None,
    ) -> None:
        self._judge, self._store, self._letters, self._failpoints = judge, store, letters, failpoints
        self._brakes = brakes
        self._work: SimpleQueue[Write | Bury | None] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._progress: WeakKeyDictionary[Range, _Progress] = WeakKeyDictionary()
        self._idle = threading.Condition()
        self._in_flight = 0
        self._closed = False
        # One thread more than inserts at once: it judges the next range meanwhile.
        self._inserting = threading.BoundedSemaphore(threads)
        # Daemons: a process that gave up draining must not wait at its exit for an insert that hangs.
        self._threads = [
            threading.Thread(target=self._loop, name=f"insert-{n}", daemon=True) for n in range(threads + 1)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Write | Bury) -> None:
        with self._idle:
            self._in_flight += 1
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
        """Threads cannot be ended; these do not keep the process."""

    def _loop(self) -> None:
        while (work := self._work.get()) is not None:
            if not self._closed:  # what still waits when the worker leaves is its successor's
                self._run(work)
            with self._idle:
                self._in_flight -= 1
                self._idle.notify_all()

    def _run(self, work: Write | Bury) -> None:
        try:
            done = self._write(work) if isinstance(work, Write) else self._bury(work)
        except NotBuried as error:
            done = Done(work, error.failure)
        except Braked as error:
            done = Done(work, Failure(Remedy.brake, str(error)))
        except RegistryUnavailable as error:
            done = Done(work, Failure(Remedy.retry, str(error)))
        except (ClickHouseError, HTTPError, OSError) as error:
            done = Done(work, classify(error))
        except BaseException as error:
            done = Done(work, Failure(Remedy.halt, f"{type(error).__name__}: {error}"))
        self._done.put(done)

    def _write(self, work: Write) -> Done:
        range_ = work.range
        progress = self._judged(range_)
        with self._inserting:
            started = time.monotonic_ns()
            self._failpoints.hit("before_insert")
            if range_.redo:
                self._settle(range_, progress)
            for month in sorted(progress.rows):
                self._store.insert(range_, month, progress.rows[month])
                progress.parts += 1
                progress.ended(month)
            self._failpoints.hit("after_insert")
        return Done(
            work,
            rows=progress.stored_rows,
            parts=progress.parts,
            rejected=tuple(progress.rejected),
            took_ms=(time.monotonic_ns() - started) // 1_000_000,
        )

    def _settle(self, range_: Range, progress: _Progress) -> None:
        """Store what is missing of a range that may have been attempted before, until the store is seen to hold it.

        That attempt may have had another verdict: a schema was registered since, a contract became exclusive. What it
        stored is the decision: no dead letter for it. What only the new verdict accepts is missing.
        """
        seen, again = self._store.stored(range_), 0
        while missing := [month for month in sorted(progress.rows) if _lacks(seen, month, progress.rows[month])]:
            for month in missing:
                self._store.insert(range_, month, progress.rows[month], seen=seen.get(month, set()), again=again)
                progress.parts += 1
            before, seen = seen, self._store.stored(range_)
            again = again + 1 if seen == before else 0
            if again >= UNSEEN:
                raise Unseen(
                    f"{UNSEEN} inserts of {range_} were acknowledged, and the store shows none of their rows. Does the "
                    "worker's user see every row (row policies), and every replica what a majority has?"
                )
        for month in list(progress.rows):
            progress.ended(month)
        held, offsets = set().union(*seen.values()), range_.columns.offsets
        progress.rejected = [one for one in progress.rejected if offsets[one.index] not in held]

    def _judged(self, range_: Range) -> _Progress:
        progress = self._progress.get(range_)
        if progress is None:
            raw = RawRange.of(range_.topic_id, range_.partition, range_.columns)
            verdict: Verdict = self._judge.judge(raw, ingested_at_ms=time.time_ns() // 1_000_000)
            self._brake(range_, verdict)
            rows = {month: Packed(sent(one, range_)) for month, one in verdict.rows.items()}
            progress = self._progress[range_] = _Progress(list(verdict.rejected), rows)
        return progress

    def _brake(self, range_: Range, verdict: Verdict) -> None:
        now = time.monotonic_ns() // 1_000_000
        traffic = {tenant: Traffic(*counts) for tenant, counts in verdict.by_tenant.items()}
        why = self._brakes.judged(range_, traffic, now) if self._brakes else ""
        if why:
            first = verdict.rejected[0]
            raise Braked(
                f"{why}; the first of the range: {first.code.value}, {first.message} Undo what was deployed and restart"
                " the worker, or restart it with AUDITLANE_BRAKE_RATIO=1 to make them dead letters"
            )

    def _bury(self, work: Bury) -> Done:
        rejected = self._progress[work.range].rejected
        self._failpoints.hit("before_letters")
        self._letters.bury(work.range, rejected)
        self._failpoints.hit("after_letters")
        return Done(work, rejected=tuple(rejected))
