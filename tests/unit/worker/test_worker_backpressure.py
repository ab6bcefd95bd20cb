"""Tests a partition whose range makes no progress. It neither blocks others nor fills the memory, and it is
reported.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditlane.contract.intent import MAX_BYTES, Intent, decode
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.metrics import LagGauge
from auditlane.worker.protocol.actions import Action, Commit, Pause, Resume, Seek, Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import FAILING_MS, SLOW_MS, Policy, Range

TOPIC = "00000000-0000-0000-0000-000000000001"
P, Q, R, S = (Partition("t", number) for number in range(4))
LIMIT = 1_000
AWAY = Failure(Remedy.retry, "the period is refused")


def core(*partitions: Partition, **policy: object) -> Core:
    options = {"range_rows": 10, "parts_per_second": 1_000.0, "buffer_bytes": LIMIT, "park_ms": 5_000} | policy
    made = Core(Policy(**options))  # type: ignore[arg-type]
    for partition in partitions:
        made.assigned(AssignmentFacts(partition, TOPIC, 0, Intent(TOPIC).encode(), 0, 100_000))
    return made


def messages(first: int, count: int, size: int = 9) -> Columns:
    return Columns(range(first, first + count), [at + 1 for at in range(count)], [b"k"] * count, [b"v" * size] * count)


class World:
    """Performs a core's actions, except for writes, and tracks the positions that a consumer would have."""

    def __init__(self, core_: Core) -> None:
        self.core, self.now = core_, 0
        self.positions = dict.fromkeys(core_.partitions, 0)
        self.paused: set[Partition] = set()
        self.writes: dict[Partition, Range] = {}
        self.commits: list[Commit] = []

    def turn(self, after_ms: int = 0) -> list[Action]:
        self.now += after_ms
        done: list[Action] = []
        while actions := self.core.step(self.now, self.now):
            done += actions
            for action in actions:
                if isinstance(action, Commit):
                    self.commits.append(action)
                    self.core.committed(action, {}, self.now)
                elif isinstance(action, Write):
                    self.writes[action.range.partition] = action.range
                elif isinstance(action, Seek):
                    self.positions[action.partition] = action.offset
                elif isinstance(action, Pause):
                    self.paused |= set(action.partitions)
                elif isinstance(action, Resume):
                    self.paused -= set(action.partitions)
            if not any(isinstance(one, Commit) for one in actions):
                break
        return done

    def deliver(self, partition: Partition, count: int, size: int = 9) -> None:
        if partition not in self.paused:
            self.core.received(partition, messages(self.positions[partition], count, size), self.now)
            self.positions[partition] += count

    def fail(self, *partitions: Partition, failure: Failure = AWAY) -> None:
        for partition in partitions:
            self.core.failed(self.writes.pop(partition), failure, self.now)

    def store(self, partition: Partition) -> Range:
        stored = self.writes.pop(partition)
        self.core.written(stored, parts=1, rejected=0, took_ms=1)
        return stored


def held(core_: Core, partitions: Iterable[Partition]) -> int:
    return sum(core_.partitions[one].held_bytes for one in partitions)


def test_failing_ranges_take_no_other_partitions_slot() -> None:
    world = World(core(P, Q, R, flights=1))
    for partition in (P, Q):
        world.deliver(partition, 10)
        world.turn()
        world.fail(partition)
    world.deliver(R, 10)
    world.turn()
    assert R in world.writes
    world.store(R)


def test_a_slow_range_takes_no_other_partitions_slot() -> None:
    world = World(core(P, Q, flights=1))
    world.deliver(P, 10)
    world.turn()
    world.deliver(Q, 10)
    world.turn(SLOW_MS - 1)
    assert Q not in world.writes
    world.turn(1)
    world.turn()
    assert Q in world.writes
    world.store(P)
    world.store(Q)
    world.turn()
    world.deliver(P, 10)
    world.deliver(Q, 10)
    world.turn()
    world.turn()
    assert world.writes.keys() == {P, Q}, "a partition that was slow once starts without a slot"
    world.turn()
    world.store(P)
    assert not world.core.partitions[P].slow


def test_a_range_waiting_for_late_periods_takes_no_slot_and_is_not_failing() -> None:
    world = World(core(P, Q, flights=1))
    world.deliver(P, 10)
    world.turn()
    late = world.writes.pop(P)
    world.core.later(late, 250, world.now)
    world.deliver(Q, 10)
    world.turn()
    assert world.writes.keys() == {Q}
    world.turn(249)
    assert world.writes.keys() == {Q}
    world.turn(1)
    assert world.writes[P] is late
    assert world.core.partitions[P].trouble(world.now) == (250, "t[0]:0-9: its step (WRITE) has not ended yet")


def test_a_failing_partition_keeps_its_share_and_the_others_progress() -> None:
    world = World(core(P, Q, R, S, range_rows=20))
    world.deliver(P, 90)  # nearly the whole memory limit
    world.turn()
    world.fail(P)
    world.deliver(Q, 20)
    world.turn()
    assert held(world.core, [P]) <= LIMIT // 2
    assert P in world.paused
    assert Q not in world.paused
    for _ in range(50):
        world.deliver(Q, 20)
        world.turn(10)
        assert not world.core.must_wait
        world.store(Q)
    assert world.core.partitions[Q].begin >= 1_000


def test_several_failing_partitions_are_refetched_one_at_a_time_without_loss() -> None:
    world = World(core(P, Q, R, S, range_rows=40))
    for partition in (P, Q, R):
        world.deliver(partition, 40)
        world.turn()
        world.fail(partition)
    world.turn()
    parked = [one for one in (P, Q, R) if world.core.partitions[one].parked_until is not None]
    assert parked
    assert held(world.core, parked) == 0
    world.deliver(S, 40)
    world.turn()
    stored = [(world.store(S)).partition]
    world.turn()
    ranges: list[Range] = []
    for _ in range(400):
        for one in (P, Q, R, S):
            if world.positions[one] < 40:
                world.deliver(one, 40 - world.positions[one])
        world.turn(100)
        ranges += [world.store(one) for one in list(world.writes)]
        rebuilding = [one for one in world.core.partitions.values() if one.rebuild and one.parked_until is None]
        assert len(rebuilding) <= 1
    assert stored == [S]
    assert sorted((one.partition, one.first, one.last) for one in ranges) == [(one, 0, 39) for one in (P, Q, R)]
    assert {one.partition for one in ranges if one.redo} >= set(parked), "it is rebuilt as after a restart"
    assert all(state.begin == 40 and not state.held for state in world.core.partitions.values())


def test_while_every_partition_fails_none_is_released() -> None:
    world = World(core(P, Q, range_rows=60))
    for partition in (P, Q):
        world.deliver(partition, 60)
        world.turn()
    world.fail(P, Q)
    assert not [one for one in world.turn() if isinstance(one, Seek)]
    assert held(world.core, [P, Q]) == 1_200


def test_the_lag_of_a_parked_partition_starts_at_its_range() -> None:
    world = World(core(P, Q, range_rows=150))
    world.deliver(P, 150)
    world.turn()
    world.fail(P)
    world.turn()
    assert world.core.partitions[P].parked_until is not None
    lag = LagGauge().measure(world.core.partitions.values(), {P: 150, Q: 0}, 60_001)
    assert (lag.records, lag.seconds) == (150, 60.0)


def test_messages_delivered_late_to_a_parked_partition_are_discarded() -> None:
    world = World(core(P, Q, range_rows=150))
    world.deliver(P, 150)
    world.turn()
    world.fail(P)
    world.turn()
    assert world.core.received(P, messages(150, 10), world.now) == 0
    assert world.core.partitions[P].position == 0


def test_a_drain_leaves_a_parked_range_to_the_next_worker() -> None:
    world = World(core(P, Q, range_rows=150))
    world.deliver(P, 150)
    world.turn()
    world.fail(P)
    world.turn()
    world.core.drain()
    assert world.core.drained


def test_a_refused_period_slows_no_other_partition() -> None:
    slower = Failure(Remedy.retry_slower, "TOO_MANY_PARTS")
    world = World(core(P, Q))
    world.deliver(P, 10)
    world.turn()
    world.fail(P, failure=slower)
    for _ in range(50):
        world.deliver(Q, 10)
        world.turn(200)
        world.store(Q)
        if P in world.writes:
            world.fail(P, failure=slower)
    assert world.core.budget.factor == 1.0


def test_a_failing_range_is_reported_after_a_minute_until_it_succeeds() -> None:
    world = World(core(P, Q))
    world.deliver(P, 10)
    world.turn()
    world.fail(P)
    first = world.now
    for _ in range(20):
        world.turn(5_000)
        assert world.core.partitions[P].trouble(world.now) == (first, "t[0]:0-9: the period is refused")
        if P in world.writes:
            world.fail(P)
    notes = [one for one in world.commits if one.notes]
    assert len(notes) == 1, "one per minute"
    offset, metadata = notes[0].offsets[P]
    note = decode(metadata)
    assert note is not None
    assert (offset, note.first, note.last) == (0, 0, 9), "it repeats the announced range"
    assert (note.failing_ms, note.error) == (max(1, first), "t[0]:0-9: the period is refused")
    world.turn(5_000)
    world.store(P)
    assert world.core.partitions[P].trouble(world.now) is None
    world.turn()
    assert decode(world.commits[-1].offsets[P][1]) == Intent(TOPIC, at_ms=world.now)


def test_a_note_whose_commit_fails_changes_nothing() -> None:
    world = World(core(P))
    world.deliver(P, 10)
    world.turn()
    world.fail(P)
    world.now += FAILING_MS
    [commit, *_] = [one for one in world.core.step(world.now, 0) if isinstance(one, Commit)]
    world.core.committed(commit, {P: "no answer"}, world.now)
    flight = world.core.partitions[P].flight
    assert flight is not None
    assert flight.range.last == 9


def test_an_error_of_any_length_fits_the_offsets_metadata() -> None:
    longest = Intent(TOPIC, 1 << 60, 1 << 61, "f" * 16, 1 << 50, 1 << 60, 1 << 50, "\U0001f600\x00" * 10_000)
    assert len(longest.encode().encode()) <= MAX_BYTES
    read = decode(longest.encode())
    assert read is not None
    assert (read.first, read.last, read.failing_ms) == (longest.first, longest.last, longest.failing_ms)


def test_an_unanswered_range_is_reported_too() -> None:
    world = World(core(P))
    world.deliver(P, 10)
    world.turn()
    since, error = world.core.partitions[P].trouble(FAILING_MS) or (None, "")
    assert since == 0
    assert "has not ended yet" in error
