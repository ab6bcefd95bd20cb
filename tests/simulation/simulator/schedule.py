"""Runs one schedule from a seed: random faults, a quiet period, and a check of the promise.

Each step has its own random seed, so that removing a step does not change the others. `shrink` depends on this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Final

from simulator.clickhouse import ClickHouse
from simulator.kafka import Kafka
from simulator.worker import Worker
from simulator.world import World

from auditlane.contract.partition import Partition
from auditlane.worker.protocol.partition_state import Policy

QUIET_TURNS = 400


class Broken(AssertionError):
    """Raised if the promise is broken. The message contains the seed and the trace."""


# The periods of events, in schedules with an even seed and in those with an odd one: a table by month, and one by day.
PERIODS: Final = ([202601, 202601, 202602], [20260131, 20260131, 20260131, 20260201, 20260130, 20251231])


@dataclass(frozen=True, slots=True)
class Plan:
    """The parameters of a schedule.

    `window` is the number of tokens that ClickHouse remembers. With `patient`, if another insert has used the token of
    a running insert, the running insert ends before the token is forgotten. This is the promise's only condition on the
    window.
    """

    seed: int
    steps: int = 150
    partitions: int = 2
    window: int = 6
    guard: bool = True
    worker: type[Worker] = Worker
    patient: bool = True
    only: tuple[int, ...] | None = None  # the steps to run; None means all


@dataclass(slots=True)
class Schedule:
    plan: Plan
    random: Random = field(init=False)
    world: World = field(init=False)
    workers: list[Worker] = field(init=False, default_factory=list)
    policy: Policy = field(init=False)
    born: int = field(init=False, default=0)
    menu: list[tuple[float, Callable[[], None]]] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.plan
        self.random = Random(plan.seed)
        self.world = World(Kafka(plan.partitions), ClickHouse(plan.window, plan.guard, plan.patient))
        self.world.trouble = self.random.choice([0.0, 0.05, 0.2, 0.4])
        self.world.late = self.random.choice([0.0, 0.0, 0.3])
        self.policy = Policy(
            range_rows=self.random.randint(1, 7),
            range_age_ms=self.random.choice([1, 100, 1_000]),
            parts_per_second=1_000.0,
            flights=self.random.randint(1, 3),
            buffer_bytes=self.random.choice([60, 1 << 20]),
            failing_ms=self.random.choice([1, 60_000]),
            park_ms=self.random.choice([1, 1_000, 15_000]),
        )
        self.menu = self._menu()

    def run(self) -> None:
        """Run the schedule. Raises Broken if the promise is broken."""
        self._start()
        for step in range(self.plan.steps) if self.plan.only is None else self.plan.only:
            self.random.seed(self.plan.seed << 16 | step)
            self._step()
        self.random.seed(self.plan.seed << 16 | 0xFFFF)
        self._calm()
        self._check()

    # Faults.

    def _step(self) -> None:
        draw = self.random.random()
        for probability, action in self.menu:
            if draw < probability:
                action()
                break
            draw -= probability

    def _menu(self) -> list[tuple[float, Callable[[], None]]]:
        return [
            (0.26, self._turn),
            (0.32, self._advance),
            (0.10, self._produce),
            (0.09, self._land),
            (0.05, self._time),
            (0.01, self._clock),
            (0.01, self._roll_over),
            (0.01, self._store_restart),
            (0.02, self._crash),
            (0.02, self._freeze),
            (0.02, self._thaw),
            (0.02, self._expel),
            (0.02, self._rebalance),
            (0.01, self._stop),
            (0.01, self._rewind),
            (0.01, self._expire),
            (0.02, self._turn_verdicts),
        ]

    def _start(self) -> None:
        self.born += 1
        self.workers.append(self.plan.worker(f"w{self.born}", self.world, self.random, self.policy))

    def _awake(self) -> list[Worker]:
        return [worker for worker in self.workers if not worker.frozen]

    def _turn(self) -> None:
        if awake := self._awake():
            worker = self.random.choice(awake)
            worker.poll()
            worker.act()

    def _advance(self) -> None:
        jobs = [(worker, job) for worker in self._awake() for job in worker.jobs]
        if jobs:
            worker, job = self.random.choice(jobs)
            worker.advance(job)

    def _produce(self) -> None:
        partition = self.random.choice(sorted(self.world.kafka.logs))
        for _ in range(self.random.randint(1, 6)):
            self.world.kafka.produce(
                partition,
                period=self.random.choice(PERIODS[self.plan.seed % 2]),
                good=self.random.random() > 0.15,
                doubtful=self.random.random() < 0.2,
                control=self.random.random() < 0.05,
            )

    def _land(self) -> None:
        """Advance a running insert: run its guard, or land its rows."""
        if running := self.world.clickhouse.running:
            insert = self.random.choice(running)
            if insert.rows is None:
                self.world.clickhouse.look(insert)
            else:
                self.world.clickhouse.land(insert)

    def _time(self) -> None:
        self.world.now += self.random.choice([1, 50, 500, 5_000])

    def _clock(self) -> None:
        """Set the machines' clocks. No decision may depend on them."""
        self.world.skew = self.random.choice([-86_400_000, -3_600_000, -60_000, 0, 60_000, 3_600_000, 86_400_000])
        self.world.log(f"the clock is {self.world.skew} ms off")
        self.world.events["clock jumps"] += 1

    def _roll_over(self) -> None:
        """Push our tokens out of the window with inserts from other workers."""
        self.world.log("the window rolls over")
        self.world.events["window rolled over"] += 1
        self.world.clickhouse.others(self.random.randint(1, self.plan.window))

    def _store_restart(self) -> None:
        """Kill ClickHouse. Each running insert either lands just before or is lost, and never gets a response."""
        self.world.log("ClickHouse restarts")
        self.world.events["ClickHouse restarts"] += 1
        for insert in list(self.world.clickhouse.running):
            if self.random.random() < 0.5:
                self.world.clickhouse.land(insert)
            else:
                self.world.clickhouse.drop(insert)
            insert.unanswered = True

    def _crash(self) -> None:
        if self.workers:
            worker = self.random.choice(self.workers)
            self.world.log(f"{worker.name} is killed")
            worker.struck("killed")
            self._gone(worker)
            if self.random.random() < 0.8 or not self.workers:
                self._start()

    def _stop(self) -> None:
        """Send SIGTERM to a worker. It drains for a while, and then leaves, whether or not it has finished."""
        if awake := self._awake():
            worker = self.random.choice(awake)
            self.world.log(f"{worker.name} drains")
            worker.struck("drained")
            worker.core.drain()
            for _ in range(self.random.randint(0, 12)):
                worker.poll()
                worker.act()
                for job in list(worker.jobs):
                    worker.advance(job)
                self.world.now += 100
                if worker.core.drained:
                    break
            self._gone(worker)
            self._start()

    def _gone(self, worker: Worker) -> None:
        self.workers.remove(worker)
        if worker.name in self.world.kafka.members:
            self.world.kafka.leave(worker.name)

    def _freeze(self) -> None:
        if awake := self._awake():
            worker = self.random.choice(awake)
            self.world.log(f"{worker.name} freezes")
            worker.struck("frozen")
            worker.frozen = True

    def _thaw(self) -> None:
        for worker in self.workers:
            worker.frozen = worker.frozen and self.random.random() < 0.5

    def _expel(self) -> None:
        """Let the session of a frozen worker time out. Other workers get its partitions while it still believes that it
        owns them.
        """
        frozen = [worker for worker in self.workers if worker.frozen and not worker.member.expelled]
        if frozen:
            worker = self.random.choice(frozen)
            self.world.log(f"{worker.name} is expelled")
            worker.struck("expelled, a zombie")
            self.world.kafka.leave(worker.name)
            if not self._awake():
                self._start()

    def _rebalance(self) -> None:
        if self.random.random() < 0.5 and len(self.workers) < 4:
            self._start()
        self.world.kafka.rebalance(self.random.randint(0, 3))

    def _turn_verdicts(self) -> None:
        """Reverse the validation result of doubtful messages, as registering a new schema or an exclusive contract
        does.
        """
        self.world.turned = not self.world.turned
        self.world.log("the registry changes: the verdicts on doubtful messages flip")
        self.world.events["verdicts turned"] += 1

    def _settled(self) -> list[Partition]:
        """Return the partitions for which no worker has a range in flight or is about to start one."""
        busy = {job.work.range.partition for worker in self.workers for job in worker.jobs}
        busy |= {insert.partition for insert in self.world.clickhouse.running}
        busy |= {
            at
            for worker in self.workers
            for at, state in worker.core.partitions.items()
            if state.flight or state.rebuild
        }
        return sorted(set(self.world.kafka.committed) - busy)

    def _rewind(self) -> None:
        """Set an offset back where no range is in flight, as another member or a tool might."""
        if settled := self._settled():
            partition = self.random.choice(settled)
            offset = self.random.randint(0, self.world.kafka.committed[partition][0])
            self.world.log(f"{partition} is set back to {offset}")
            self.world.events["offset set back"] += 1
            self.world.kafka.committed[partition] = (offset, "")

    def _expire(self) -> None:
        """Expire a committed offset and its intent. Skipped while lost rows still have to be stored again, since the
        expiry would make this impossible.
        """
        if settled := [at for at in self._settled() if not self.world.clickhouse.owes(at)]:
            partition = self.random.choice(settled)
            self.world.log(f"{partition} loses its offset")
            self.world.events["offset expired"] += 1
            del self.world.kafka.committed[partition]

    # The quiet period, and the check of the promise.

    def _calm(self) -> None:
        """Stop the faults, thaw all workers, and run until everything is finished."""
        self.world.trouble, self.world.quiet = 0.0, True
        self.world.log("quiet")
        for worker in self.workers:
            worker.frozen = False
            worker.arrive()
        if not self.workers:
            self._start()
        for _ in range(QUIET_TURNS):
            for worker in self.workers:
                worker.poll()
                worker.act()
                for job in [*worker.jobs, *worker.jobs]:
                    if job in worker.jobs:
                        worker.advance(job)
            self.world.now += 1_100
            if self._finished():
                break
        for insert in list(self.world.clickhouse.running):
            self.world.clickhouse.land(insert)

    def _finished(self) -> bool:
        """Return whether every partition has an owner that has completed it, even if its offset has been set back since
        then.
        """
        ends = {at: log[-1].offset + 1 for at, log in self.world.kafka.logs.items() if log}
        states = [state for worker in self.workers for state in worker.core.partitions.values()]
        done = {state.partition for state in states if state.begin >= ends.get(state.partition, 0)}
        return ends.keys() <= done and not any(state.flight or state.held or state.rebuild for state in states)

    def _check(self) -> None:
        kafka, clickhouse = self.world.kafka, self.world.clickhouse
        messages = [(message, (at, message.offset)) for at, log in kafka.logs.items() for message in log]
        good = {at for message, at in messages if message.good and not message.doubtful}
        bad = {at for message, at in messages if not message.good and not message.doubtful}
        either = {at for message, at in messages if message.doubtful}  # stored or not, depending on the first verdict
        halts = {at: reason for worker in self.workers for at, reason in worker.halts.items()}
        problems = {
            "halted": halts,
            "stuck": not self._finished(),
            "lost": sorted(good - clickhouse.rows.keys()),
            "neither stored nor dead-lettered": sorted(either - clickhouse.rows.keys() - self.world.dead_letters),
            "duplicated": sorted(at for at, times in clickhouse.rows.items() if times > 1),
            "invalid but stored": sorted(clickhouse.rows.keys() - good - either),
            "not dead-lettered": sorted(bad - self.world.dead_letters),
        }
        found = {problem: where for problem, where in problems.items() if where}
        if found:
            raise Broken(f"seed {self.plan.seed}: {found}\n" + "\n".join(self.world.trace))
