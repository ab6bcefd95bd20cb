"""Tests that the simulation catches known bugs, each of which is injected into the simulated worker."""

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

SEEDS = 600  # number of schedules that suffices to catch each bug


class CommitsBeforeInsert(Core):
    """Considers a range complete as soon as its intent is committed, and immediately commits the offset after the
    range.
    """

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
    """Ignores the range in the intent, and seals a new one starting at the same offset."""

    def assigned(self, found: AssignmentFacts) -> StartDecision:
        begin = super().assigned(found)
        self.partitions[found.partition].rebuild = None
        return begin


class NeverRechecks(Core):
    """Assumes that offsets above the committed offset were never attempted, even if that offset was set back."""

    def assigned(self, found: AssignmentFacts) -> StartDecision:
        begin = super().assigned(found)
        self.partitions[found.partition].recheck_below = 0
        return begin


class NoOwnership(Core):
    """Keeps processing revoked partitions, even after leaving the group."""

    def revoked(self, partitions: Iterable[Partition]) -> list[Partition]:
        states = [state for at in partitions if (state := self.partitions.get(at)) is not None]
        return super().revoked(state.partition for state in states if state.flight is None)


class NotCompared(Core):
    """Accepts a result that belongs to a range of an earlier assignment as the result of the range now in flight."""

    def _flight(self, range_: Range) -> Any:
        state = self.partitions.get(range_.partition)
        return state.flight if state is not None else None


class PauseOutlivesAssignment(Core):
    """Forgets a revoked partition without resuming it, so that it is still paused when it is assigned again."""

    def revoked(self, partitions: Iterable[Partition]) -> list[Partition]:
        super().revoked(partitions)
        return []


class DropsWhenFull(Core):
    """Advances past messages received above the memory limit without keeping them."""

    def received(self, partition: Partition, columns: Columns, now: int) -> int:
        state = self.partitions.get(partition)
        if state is None or not columns or not self._memory.over_limit:
            return super().received(partition, columns, now)
        state.position = columns.offsets[-1] + 1
        return 0


class WaitsForEver(Core):
    """Never resumes polling once it has exceeded the memory limit."""

    @property
    def must_wait(self) -> bool:
        self.waits = getattr(self, "waits", False) or super().must_wait
        return self.waits


class NeverRefetches(Core):
    """Frees memory by discarding messages, but does not seek back in order to fetch them again."""

    def step(self, now: int, wall_ms: int) -> list[Action]:
        return [action for action in super().step(now, wall_ms) if not isinstance(action, Seek)]


class IgnoresRefetched(Core):
    """Fetches discarded messages again, but ignores them as duplicates."""

    def _make_room(self, now: int) -> list[Seek]:
        positions = {at: state.position for at, state in self.partitions.items()}
        seeks = super()._make_room(now)
        for seek in seeks:
            self.partitions[seek.partition].position = positions[seek.partition]
        return seeks


class ForgetsParkedRange(Core):
    """Discards a failed range as if none of its rows could have been stored, and seals a new range from the same
    offset.
    """

    def _make_room(self, now: int) -> list[Seek]:
        seeks = super()._make_room(now)
        for seek in seeks:
            state = self.partitions[seek.partition]
            state.rebuild, state.parked_until = None, None
        return seeks


class ParksForEver(Core):
    """Never fetches the messages of a parked range again."""

    def _unpark(self, now: int) -> None:
        pass


class FailureCompletes(Core):
    """Mistakes the commit that records a range's failure for the range's completion."""

    def committed(self, commit: Commit, errors: Mapping[Partition, str], now: int) -> None:
        super().committed(replace(commit, notes=frozenset()), errors, now)


class LatePeriodsAreLost(Core):
    """Completes a range although its late periods have been deferred."""

    def later(self, range_: Range, wait_ms: int, now: int) -> None:
        self.written(range_, parts=1, rejected=0, took_ms=1)


def worker_with(core: type[Core], *, expects: bool = True) -> type[Worker]:
    """Return a worker with this core. Without `expects`, a first attempt adds missing rows without any check. With
    `expects`, a first attempt detects that the range was attempted before, which hides some bugs.
    """
    return type(core.__name__, (Worker,), {"core_class": core, "expects": expects})


class CountsInTheClient(Worker):
    """Queries which offsets are stored before each insert, and then inserts without a guard."""

    def _validate(self, range_: Range) -> Progress:
        progress = super()._validate(range_)
        stored = set(self.world.clickhouse.stored(range_.partition))
        for period, offsets in progress.rows.items():
            progress.rows[period] = [offset for offset in offsets if offset not in stored]
        return progress


class DoesNotAwaitDeadLetters(Worker):
    """Considers dead letters published before they have been acknowledged."""

    def _publish(self, job: Job) -> None:
        self.jobs.remove(job)
        if not self._trouble():
            self.world.dead_letters |= {(job.work.range.partition, offset) for offset in job.progress.bad}
        self.core.published(job.work.range)


class TrustsTheToken(Worker):
    """Considers a redo's insert complete, although an earlier attempt stored other rows under the same token."""

    compares = False


class IgnoresUnknownOutcome(Worker):
    """Repeats an insert whose outcome is unknown, and trusts that its token was acknowledged, without checking the
    rows.
    """

    doubts = False
    expects = False


BUGS = {
    "commit before insert": {"worker": worker_with(CommitsBeforeInsert)},
    "unstable boundaries": {"worker": worker_with(UnstableBoundaries)},
    "no ownership check": {"worker": worker_with(NoOwnership)},
    "results of an old assignment": {"worker": worker_with(NotCompared)},
    "a pause that outlives its assignment": {"worker": worker_with(PauseOutlivesAssignment)},
    "messages over the memory limit are dropped": {"worker": worker_with(DropsWhenFull)},
    "polling never resumes": {"worker": worker_with(WaitsForEver)},
    "a guard counted by the client": {"worker": CountsInTheClient, "guard": False, "window": 2},
    "token alone": {"guard": False, "window": 2},
    "a window too small": {"window": 1, "patient": False},
    "discarded messages are not fetched again": {"worker": worker_with(NeverRefetches)},
    "discarded messages are taken for duplicates": {"worker": worker_with(IgnoresRefetched)},
    "a parked range gets a new end": {"worker": worker_with(ForgetsParkedRange, expects=False)},
    "a parked range is never fetched again": {"worker": worker_with(ParksForEver)},
    "a recorded failure counts as completion": {"worker": worker_with(FailureCompletes)},
    "late periods are not awaited": {"worker": worker_with(LatePeriodsAreLost)},
    "dead letters are not awaited": {"worker": DoesNotAwaitDeadLetters},
    "an offset set back over a pending range is not compared": {"worker": worker_with(NeverRechecks, expects=False)},
    "a changed verdict is not compared": {"worker": TrustsTheToken},
    "an unknown outcome is not checked": {"worker": IgnoresUnknownOutcome},
}


@pytest.mark.parametrize("bug", BUGS)
def test_an_injected_bug_is_caught(bug: str) -> None:
    with pytest.raises(Broken):
        for seed in range(SEEDS):
            Schedule(Plan(seed=seed, partitions=1 + seed % 3, **BUGS[bug])).run()


def test_a_failing_schedule_shrinks_to_a_readable_trace() -> None:
    failing = next(
        plan
        for seed in range(SEEDS)
        if broken(plan := Plan(seed=seed, partitions=1 + seed % 3, worker=worker_with(CommitsBeforeInsert)))
    )
    small, why = shrink(failing)
    assert small.only is not None
    assert 0 < len(small.only) <= 30  # out of 150
    assert len(str(why).splitlines()) <= 40
    assert all(
        broken(replace(small, only=small.only[:at] + small.only[at + 1 :])) is None for at in range(len(small.only))
    )
