"""A simulated worker process: the real core, and in place of the runner the same steps, one at a time."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from random import Random

from simulator.clickhouse import ClickHouse, Insert
from simulator.kafka import TOPIC_ID, Kafka, Member

from auditlane.worker.actions import Bury, Commit, Failure, Halt, Pause, Remedy, Resume, Write
from auditlane.worker.core import Core
from auditlane.worker.lanes import Policy
from auditlane.worker.ranges import Partition, Range
from auditlane.worker.recovery import Found, Stored, wants_store
from auditlane.worker.write import token


@dataclass(slots=True)
class Job:
    """What an insert thread does with one range: its months one after another, then its dead letters."""

    work: Write | Bury
    months: deque[int]
    rows: dict[int, list[int]]
    bad: list[int]
    sent: Insert | None = None
    parts: int = 0


@dataclass(slots=True)
class World:
    kafka: Kafka
    clickhouse: ClickHouse
    letters: set[tuple[Partition, int]] = field(default_factory=set)
    trouble: float = 0.0  # how likely a fault is, where one may happen
    trace: list[str] = field(default_factory=list)
    now: int = 0
    skew: int = 0  # what the machines' clocks are off
    events: Counter[str] = field(default_factory=Counter)  # faults that struck the parts
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)  # (fault, what a partition was doing)

    def say(self, text: str) -> None:
        self.trace.append(f"{self.now:>7} {text}")


class Worker:
    """`turn` is one turn of the runner's loop, `advance` one step of one insert thread."""

    core_class: type[Core] = Core

    def __init__(self, name: str, world: World, random: Random, policy: Policy) -> None:
        self.name, self.world, self.random = name, world, random
        self.born = random.choice([0, 1_000, 10_000_000])  # monotonic clocks begin anywhere
        self.core = self.core_class(policy, self.now)
        self.jobs: list[Job] = []
        self.positions: dict[Partition, int] = {}
        self.paused: set[Partition] = set()
        self.halts: dict[Partition, str] = {}
        self.late: list[tuple[int, dict[Partition, tuple[int, str]]]] = []
        self.frozen = False
        world.kafka.join(name)
        self.member: Member = world.kafka.members[name]

    @property
    def now(self) -> int:
        return self.world.now + self.born

    def struck(self, fault: str) -> None:
        """Note what each partition was doing when a fault came."""
        for partition in self.member.owned:
            self.world.struck[fault, self._doing(partition)] += 1

    def _doing(self, partition: Partition) -> str:
        lane = self.core.lanes.get(partition)
        if lane is None or (lane.flight is None and lane.rebuild is None):
            return "holding" if lane is not None and lane.held else "idle"
        if lane.flight is None:
            return "rebuilding"
        sent = any(job.sent is not None and job.work.range is lane.flight.range for job in self.jobs)
        return "writing, insert sent" if sent else lane.flight.step.name.lower()

    # The consuming thread.

    def poll(self) -> None:
        """The consumer's poll: first what the group changes, then messages."""
        kafka = self.world.kafka
        revoked, assigned = kafka.poll(self.member)
        if self.member.expelled:  # it joins again under another identity, as the real client does
            kafka.join(self.name)
            self.member = kafka.members[self.name]
        if revoked:
            self.world.say(f"{self.name} gives up {_names(revoked)}")
            for partition in revoked:
                self.world.struck["revoked", self._doing(partition)] += 1
            self.core.dropped(revoked)
            for partition in revoked:
                self.positions.pop(partition, None)
                self.paused.discard(partition)
                self.halts.pop(partition, None)
        for partition in sorted(assigned):
            begin = self.core.assigned(self._found(partition))
            self.positions[partition] = begin.offset
            self.paused.discard(partition)
            rebuild = f", rebuilds {begin.rebuild.first}-{begin.rebuild.last}" if begin.rebuild else ""
            self.world.say(f"{self.name} takes {partition} at {begin.offset}{rebuild} {begin.halt}")
        for partition in sorted(self.positions):
            if partition in self.paused or self.random.random() < 0.3:
                continue
            columns = kafka.fetch(partition, self.positions[partition], self.random.randint(1, 9))
            if columns:
                self.positions[partition] = columns.offsets[-1] + 1
                self.core.received(partition, columns, self.now)

    def act(self) -> None:
        """Do what the core asks; a commit is answered at once, as the synchronous call is."""
        for _ in range(4):
            actions = self.core.step(self.now, self.world.now + self.world.skew)
            for action in actions:
                match action:
                    case Write(range_) | Bury(range_):
                        self.jobs.append(self._job(action, range_))
                    case Commit():
                        self.core.committed(action, self._commit(action), self.now)
                    case Pause(partitions):
                        self.paused.update(partitions)
                    case Resume(partitions):
                        self.paused.difference_update(partitions)
                    case Halt(partition, reason):
                        self.halts[partition] = reason
            if not any(isinstance(action, Commit) for action in actions):
                return

    def _found(self, partition: Partition) -> Found:
        kafka = self.world.kafka
        offset, metadata = kafka.committed.get(partition, (None, ""))
        stored = None
        if wants_store(offset, metadata, TOPIC_ID) and self.random.random() >= self.world.trouble:
            offsets = self.world.clickhouse.stored(partition)
            gaps = sorted(set(range(offsets[-1])) - set(offsets)) if offsets else []
            stored = Stored(offsets[-1], gaps[0] if gaps else None) if offsets else Stored(None)
        return Found(partition, TOPIC_ID, offset, metadata, 0, kafka.ends[partition], stored)

    def _commit(self, commit: Commit) -> dict[Partition, str]:
        """Taken; refused; taken in part; or an error whose commit arrives all the same, before the next one does."""
        kafka, epoch = self.world.kafka, self.member.epoch
        self.arrive()
        fault = self.random.choice(["lost", "late", "unanswered", "partly"]) if self._trouble() else ""
        self.world.say(f"{self.name} commits {_plan(commit)} {fault}")
        if fault:
            self.world.events[f"commit {fault}"] += 1
        if fault == "lost":
            return dict.fromkeys(commit.offsets, "lost")
        if fault == "late":
            self.late.append((epoch, commit.offsets))
            return dict.fromkeys(commit.offsets, "timed out")
        if fault == "partly":
            part = {at: what for at, what in commit.offsets.items() if self.random.random() < 0.5}
            kafka.commit(self.member, epoch, part)
            return dict.fromkeys(commit.offsets, "raised")
        if not kafka.commit(self.member, epoch, commit.offsets):
            return dict.fromkeys(commit.offsets, "unknown member")
        return dict.fromkeys(commit.offsets, "unanswered") if fault else {}

    def arrive(self) -> None:
        """Commits that timed out reach the broker now, which takes them if the epoch is still theirs."""
        for epoch, offsets in self.late:
            self.world.kafka.commit(self.member, epoch, offsets)
        self.late.clear()

    # The insert threads.

    def _job(self, work: Write | Bury, range_: Range) -> Job:
        rows: dict[int, list[int]] = {}
        bad: list[int] = []
        for offset, value in zip(range_.columns.offsets, range_.columns.values, strict=True):
            assert value is not None
            month, good, _ = value.split(b":")
            if good == b"1":
                rows.setdefault(int(month), []).append(offset)
            else:
                bad.append(offset)
        return Job(work, deque(sorted(rows)) if isinstance(work, Write) else deque(), rows, bad)

    def advance(self, job: Job) -> None:
        """The next thing that the insert thread of a job does."""
        range_ = job.work.range
        if isinstance(job.work, Bury):
            self._bury(job)
        elif job.sent is not None:
            self._answer(job, job.sent)
        elif job.months and self._trouble() and self.random.random() < 0.3:
            self._failed(job, Failure(Remedy.retry, "the registry is away"))
        elif job.months:
            month = job.months[0]
            self.world.say(f"{self.name} sends {range_} month {month}")
            job.sent = self.world.clickhouse.send(token(range_, month), range_.partition, job.rows[month])
            if self.random.random() < 0.5:
                self.world.clickhouse.look(job.sent)
        else:
            self.jobs.remove(job)
            self.core.written(range_, parts=job.parts, rejected=len(job.bad), took_ms=1)

    def _answer(self, job: Job, sent: Insert) -> None:
        """ClickHouse answers; or it does not, and the rows landed, will land, or never do."""
        clickhouse = self.world.clickhouse
        fault = self.random.choice(["applied", "later", "never", "refused"]) if self._trouble() else ""
        if sent.unanswered:
            fault = "restarted"
        elif fault in ("", "applied"):
            clickhouse.land(sent)
        elif fault in ("never", "refused"):
            clickhouse.drop(sent)
        if fault:
            self.world.say(f"{self.name} gets no answer for {job.work.range} ({fault})")
            self.world.events[f"insert without an answer: {fault}"] += 1
            self._failed(job, Failure(Remedy.slower if fault == "refused" else Remedy.retry, "no answer"))
            return
        job.sent = None
        job.months.popleft()
        job.parts += 1

    def _failed(self, job: Job, failure: Failure) -> None:
        self.jobs.remove(job)
        self.core.failed(job.work.range, failure, self.now)

    def _bury(self, job: Job) -> None:
        range_ = job.work.range
        self.jobs.remove(job)
        fault = self._trouble()
        for offset in job.bad[: self.random.randint(0, len(job.bad)) if fault else None]:
            self.world.letters.add((range_.partition, offset))
        if fault:
            self.world.events["dead letters not acknowledged"] += 1
            self.core.failed(range_, Failure(Remedy.retry, "not acknowledged"), self.now)
        else:
            self.core.buried(range_)

    def _trouble(self) -> bool:
        return self.random.random() < self.world.trouble


def _names(partitions: set[Partition]) -> str:
    return ", ".join(sorted(map(str, partitions)))


def _plan(commit: Commit) -> str:
    return ", ".join(
        f"{at}@{offset}{'+intent' if at in commit.intents else ''}" for at, (offset, _) in commit.offsets.items()
    )
