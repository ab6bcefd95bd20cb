"""The simulation is worth something only if it fails on workers that are wrong: each known bug is sown and caught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from simulator.inserts import Job, Progress
from simulator.schedule import Broken, Plan, Schedule
from simulator.shrink import broken, shrink
from simulator.worker import Worker

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, StartDecision
from auditlane.worker.protocol.actions import Action, Commit, Seek
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import Range

ENOUGH = 600


class CommitsBeforeInsert(Core):
    """Takes a range for complete as soon as its intent is committed, and commits past it at once."""

    def step(self, now: int, wall_ms: int) -> list[Action]:
        actions = super().step(now, wall_ms)
        for action in actions:
            if isinstance(action, Commit):
                for at in action.intents:
                    flight = self.partitions[at].flight
                    assert flight is not None
                    action.offsets[at] = (flight.range.last + 1, "")
        return actions


class UnstableBoundaries(Core):
    """Forgets what the intent announced, and seals anew from where it began."""

    def assigned(self, found: AssignmentFacts) -> StartDecision:
        begin = super().assigned(found)
        self.partitions[found.partition].rebuild = None
        return begin


class TakesNothingForDoubtful(Core):
    """Trusts that what lies above a committed offset was never attempted, also where somebody set it back."""

    def assigned(self, found: AssignmentFacts) -> StartDecision:
        begin = super().assigned(found)
        self.partitions[found.partition].recheck_below = 0
        return begin


class NoOwnership(Core):
    """Goes on with partitions that were taken from it, under whatever membership it has by then."""

    def revoked(self, partitions: Iterable[Partition]) -> list[Partition]:
        states = [state for at in partitions if (state := self.partitions.get(at)) is not None]
        return super().revoked(state.partition for state in states if state.flight is None)


class NotCompared(Core):
    """Takes the result of an earlier assignment's range for that of the range which is in flight now."""

    def _flight(self, range_: Range) -> Any:
        state = self.partitions.get(range_.partition)
        return state.flight if state is not None else None


class PauseOutlivesAssignment(Core):
    """Forgets a partition that is taken from it, and leaves it paused for when it comes back."""

    def revoked(self, partitions: Iterable[Partition]) -> list[Partition]:
        super().revoked(partitions)
        return []


class DropsWhenFull(Core):
    """Goes on behind what comes while too much is held, as if it had taken it."""

    def received(self, partition: Partition, columns: Columns, now: int) -> int:
        state = self.partitions.get(partition)
        if state is None or not columns or not self._memory.over_limit:
            return super().received(partition, columns, now)
        state.position = columns.offsets[-1] + 1
        return 0


class WaitsForEver(Core):
    """Once that too much is held, it waits for room without looking for it."""

    @property
    def must_wait(self) -> bool:
        self.waits = getattr(self, "waits", False) or super().must_wait
        return self.waits


class GivesUpForGood(Core):
    """Makes room by giving up what it holds, and has it not delivered again."""

    def step(self, now: int, wall_ms: int) -> list[Action]:
        return [one for one in super().step(now, wall_ms) if not isinstance(one, Seek)]


class GoesOnBehindWhatItGaveUp(Core):
    """Reads again what it gave up to make room, and takes it for delivered."""

    def _make_room(self, now: int) -> list[Seek]:
        positions = {at: state.position for at, state in self.partitions.items()}
        seeks = super()._make_room(now)
        for seek in seeks:
            self.partitions[seek.partition].position = positions[seek.partition]
        return seeks


class ForgetsWhatItParked(Core):
    """Gives up a range that failed as if nothing of it could be stored, and seals anew from where it began."""

    def _make_room(self, now: int) -> list[Seek]:
        seeks = super()._make_room(now)
        for seek in seeks:
            state = self.partitions[seek.partition]
            state.rebuild, state.parked_until = None, None
        return seeks


class ParksForEver(Core):
    """Never reads again what it parked."""

    def _unpark(self, now: int) -> None:
        pass


class NotesComplete(Core):
    """Takes a note that a range fails for its completion."""

    def committed(self, commit: Commit, errors: Mapping[Partition, str], now: int) -> None:
        super().committed(replace(commit, notes=frozenset()), errors, now)


class LateMonthsAreLost(Core):
    """Completes a range whose late months wait."""

    def later(self, range_: Range, wait_ms: int, now: int) -> None:
        self.written(range_, parts=1, rejected=0, took_ms=1)


def worker_with(core: type[Core]) -> type[Worker]:
    return type(core.__name__, (Worker,), {"core_class": core})


class CountsInTheClient(Worker):
    """Asks the store what is there before it sends, and sends without a guard."""

    def _judge(self, range_: Range) -> Progress:
        progress = super()._judge(range_)
        stored = set(self.world.clickhouse.stored(range_.partition))
        for month, offsets in progress.rows.items():
            progress.rows[month] = [one for one in offsets if one not in stored]
        return progress


class BuriesLater(Worker):
    """Takes dead letters for produced before they are acknowledged."""

    def _publish(self, job: Job) -> None:
        self.jobs.remove(job)
        if not self._trouble():
            self.world.letters |= {(job.work.range.partition, offset) for offset in job.progress.bad}
        self.core.published(job.work.range)


class TrustsTheToken(Worker):
    """Takes a redo's insert for the verdict of now, whatever the attempt before had stored under the same token."""

    compares = False


class LooksAtNothing(Worker):
    """Repeats an insert whose outcome is not known, and takes the acknowledgement of its token for its rows."""

    doubts = False


BUGS = {
    "commit before insert": {"worker": worker_with(CommitsBeforeInsert)},
    "unstable boundaries": {"worker": worker_with(UnstableBoundaries)},
    "no ownership check": {"worker": worker_with(NoOwnership)},
    "results of an old assignment": {"worker": worker_with(NotCompared)},
    "a pause that outlives its assignment": {"worker": worker_with(PauseOutlivesAssignment)},
    "what comes while too much is held is dropped": {"worker": worker_with(DropsWhenFull)},
    "a wait for room without an end": {"worker": worker_with(WaitsForEver)},
    "a guard counted by the client": {"worker": CountsInTheClient, "guard": False, "window": 2},
    "token alone": {"guard": False, "window": 2},
    "a window too small": {"window": 1, "patient": False},
    "what was given up is not delivered again": {"worker": worker_with(GivesUpForGood)},
    "what was given up is taken for delivered": {"worker": worker_with(GoesOnBehindWhatItGaveUp)},
    "a parked range is sealed anew": {"worker": worker_with(ForgetsWhatItParked)},
    "a parked range is never read again": {"worker": worker_with(ParksForEver)},
    "a note of failure counts as completion": {"worker": worker_with(NotesComplete)},
    "late months are not awaited": {"worker": worker_with(LateMonthsAreLost)},
    "letters not awaited": {"worker": BuriesLater},
    "set back over a pending range, not compared": {"worker": worker_with(TakesNothingForDoubtful)},
    "a verdict that changed is not compared": {"worker": TrustsTheToken},
    "an outcome that is not known is not looked at": {"worker": LooksAtNothing},
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_sown_bug_is_caught(bug: str) -> None:
    with pytest.raises(Broken):
        for seed in range(ENOUGH):
            Schedule(Plan(seed=seed, partitions=1 + seed % 3, **BUGS[bug])).run()


def test_a_failing_schedule_shrinks_to_a_trace_that_a_person_can_read() -> None:
    bad = next(
        one
        for seed in range(ENOUGH)
        if broken(one := Plan(seed=seed, partitions=1 + seed % 3, worker=worker_with(CommitsBeforeInsert)))
    )
    small, why = shrink(bad)
    assert small.only is not None
    assert 0 < len(small.only) <= 30  # of 150
    assert len(str(why).splitlines()) <= 40
    assert all(
        broken(replace(small, only=small.only[:at] + small.only[at + 1 :])) is None for at in range(len(small.only))
    )
