"""The insert threads of a simulated worker. For each range, they perform the steps of `worker.sink.insert_pool` in
turn.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from weakref import WeakKeyDictionary

from simulator.clickhouse import Insert
from simulator.world import World

from auditlane.runtime.remedy import Failure, Remedy
from auditlane.store.event_insert import token
from auditlane.worker.protocol.actions import Publish, Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Range


@dataclass(slots=True)
class Progress:
    """A range's validation result.

    It is kept as long as the range, so that repeating a step does not validate the range again.
    """

    rows: dict[int, list[int]]  # period -> offsets left to store
    bad: list[int]
    doubtful: bool = False  # whether an insert's outcome is unknown


@dataclass(slots=True)
class Job:
    """One attempt at a step for a range.

    For a redo, `seen` contains the stored offsets by period, and `again` counts consecutive checks with the same
    result. `missing` lists the periods that remain to be sent, or is None before the check.
    """

    work: Write | Publish
    progress: Progress
    sent: Insert | None = None
    parts: int = 0
    seen: dict[int, set[int]] = field(default_factory=dict)
    again: int = -1
    missing: list[int] | None = None


# How an unacknowledged insert fails: (its error's remedy, what happens to its rows).
FAULTS = {
    "applied": (Remedy.retry, "land"),
    "later": (Remedy.retry, ""),
    "never": (Remedy.retry, "drop"),
    "refused": (Remedy.retry_slower, "drop"),
    "behind another": (Remedy.wait, "drop"),
    "not known, applied": (Remedy.look, "land"),
    "not known, later": (Remedy.look, ""),
    "not known, never": (Remedy.look, "drop"),
    "not known, lost": (Remedy.look, "lose"),
}


class Inserts:
    """The insert threads of a worker. `advance` performs one step of one thread."""

    compares = True  # whether a redo compares with the stored rows
    doubts = True  # whether a check follows an insert with an unknown outcome
    expects = True  # whether a first attempt expects an empty range, and otherwise continues as a redo

    def __init__(self, name: str, world: World, random: Random) -> None:
        self.name, self.world, self.random = name, world, random
        self.core: Core
        self.jobs: list[Job] = []
        self._progress: WeakKeyDictionary[Range, Progress] = WeakKeyDictionary()

    @property
    def now(self) -> int:
        raise NotImplementedError

    def submit(self, work: Write | Publish) -> None:
        progress = self._progress.get(work.range)
        if progress is None:
            progress = self._progress[work.range] = self._validate(work.range)
        self.jobs.append(Job(work, progress))

    def _validate(self, range_: Range) -> Progress:
        rows: dict[int, list[int]] = {}
        bad: list[int] = []
        for offset, value in zip(range_.columns.offsets, range_.columns.values, strict=True):
            assert value is not None
            period, good, doubtful, _ = value.split(b":")
            if (good == b"1") != (doubtful == b"1" and self.world.turned):
                rows.setdefault(int(period), []).append(offset)
            else:
                bad.append(offset)
        return Progress(rows, bad)

    def advance(self, job: Job) -> None:
        """Perform the next step of a job."""
        range_, progress = job.work.range, job.progress
        if isinstance(job.work, Publish):
            self._publish(job)
        elif job.sent is not None:
            self._answer(job, job.sent)
        elif progress.rows and self._trouble() and self.random.random() < 0.3:
            self._failed(job, Failure(Remedy.retry, "the registry is away"))
        elif self._looks(job) and (progress.rows or job.missing is None):
            self._settle(job)
        elif progress.rows and self.random.random() < self.world.late:
            self.jobs.remove(job)
            self.world.events["late periods waited"] += 1
            self.core.later(range_, self.random.choice([0, 250]), self.now)
        elif progress.rows:
            period = min(progress.rows)
            self._send(job, period, token(range_, period), held=0 if self.expects else None)
        else:
            self.jobs.remove(job)
            self.core.written(range_, parts=job.parts, rejected=len(progress.bad), took_ms=1)

    def _looks(self, job: Job) -> bool:
        return self.compares and (job.work.range.redo or job.progress.doubtful)

    def _settle(self, job: Job) -> None:
        """Perform one step of a redo: check which rows are missing, or insert some of them. A redo ends when a check
        finds that none are missing.
        """
        range_, progress = job.work.range, job.progress
        if job.missing is None:
            before, job.seen = job.seen, self.world.clickhouse.held(range_.partition, range_.first, range_.last)
            job.again = job.again + 1 if before == job.seen else 0
            job.missing = [m for m in sorted(progress.rows) if not job.seen.get(m, set()).issuperset(progress.rows[m])]
            if not job.missing:
                held = set().union(*job.seen.values())
                progress.rows, progress.bad = {}, [offset for offset in progress.bad if offset not in held]
        else:
            period = job.missing.pop(0)
            seen = job.seen.get(period, set())
            if seen:
                self.world.events["redo beside rows of an earlier verdict"] += 1
            self._send(job, period, token(range_, period, seen=seen, again=job.again), held=len(seen))

    def _send(self, job: Job, period: int, name: str, held: int | None = None) -> None:
        range_, offsets = job.work.range, job.progress.rows[period]
        self.world.log(f"{self.name} sends {range_} period {period}: {offsets} as {name[-25:]}")
        span = range_.first, range_.last
        job.sent = self.world.clickhouse.send(name, range_.partition, period, offsets, held=held, span=span)
        if self.random.random() < 0.5:
            self.world.clickhouse.look(job.sent)

    def _answer(self, job: Job, sent: Insert) -> None:
        """Receive ClickHouse's response, if it arrives. If not, the rows may have landed, may land later, or may never
        land.
        """
        clickhouse = self.world.clickhouse
        fault = self.random.choice(list(FAULTS)) if self._trouble() else ""
        remedy, becomes = FAULTS.get(fault, (Remedy.retry, "land"))
        if sent.unanswered:
            fault, remedy = "restarted", Remedy.retry
        elif becomes == "land":
            clickhouse.land(sent)
        elif becomes == "drop":
            clickhouse.drop(sent)
        elif becomes == "lose":
            clickhouse.lose(sent)
        if fault:
            self.world.log(f"{self.name} gets no answer for {job.work.range} ({fault})")
            self.world.events[f"insert without an answer: {fault}"] += 1
            job.progress.doubtful |= self.doubts and remedy is Remedy.look
            self._failed(job, Failure(remedy, "no answer"))
            return
        job.sent = None
        job.parts += 1
        if not self._looks(job):
            if sent.held == 0 and sent.added < len(sent.offsets) and self.compares:
                self.world.events["first attempt repeated or overtaken"] += 1
                job.progress.doubtful = True
            else:
                del job.progress.rows[sent.period]
        elif not job.missing:
            job.missing = None  # check again

    def _failed(self, job: Job, failure: Failure) -> None:
        self.jobs.remove(job)
        self.core.failed(job.work.range, failure, self.now)

    def _publish(self, job: Job) -> None:
        range_, bad = job.work.range, job.progress.bad
        self.jobs.remove(job)
        fault = self._trouble()
        for offset in bad[: self.random.randint(0, len(bad)) if fault else None]:
            self.world.dead_letters.add((range_.partition, offset))
        if fault:
            self.world.events["dead letters not acknowledged"] += 1
            self.core.failed(range_, Failure(Remedy.retry, "not acknowledged"), self.now)
        else:
            self.core.published(range_)

    def _trouble(self) -> bool:
        return self.random.random() < self.world.trouble
