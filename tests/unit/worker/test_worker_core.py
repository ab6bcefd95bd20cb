from __future__ import annotations

from typing import TypeVar

import pytest

from auditlane.contract.intent import Intent, OpenCircuit, decode
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.metrics import Lag, LagGauge
from auditlane.worker.protocol.actions import Action, Commit, Halt, Pause, Publish, Resume, Write
from auditlane.worker.protocol.core import Core
from auditlane.worker.protocol.partition_state import HALT_NOTE_MS, Policy, digest

TOPIC = "00000000-0000-0000-0000-000000000001"
P, Q = Partition("t", 0), Partition("t", 1)
A = TypeVar("A", bound=Action)


def core(*partitions: Partition, **policy: object) -> Core:
    made = Core(Policy(**({"range_rows": 3, "parts_per_second": 1_000.0} | policy)))  # type: ignore[arg-type]
    for partition in partitions or (P,):
        made.assigned(AssignmentFacts(partition, TOPIC, 0, Intent(TOPIC).encode(), 0, 1_000))
    return made


def messages(first: int, last: int, value: bytes = b"v") -> Columns:
    offsets = list(range(first, last + 1))
    return Columns(offsets, [0] * len(offsets), [b"k"] * len(offsets), [value] * len(offsets))


def only(actions: list[Action], kind: type[A]) -> A:
    [found] = [one for one in actions if isinstance(one, kind)]
    return found


def plan(commit: Commit, at: Partition = P) -> tuple[int, int | None, int | None]:
    offset, metadata = commit.offsets[at]
    intent = decode(metadata)
    assert intent is not None
    return offset, intent.first, intent.last


def sealed(worker: Core, now: int = 0) -> Write:
    """Seal a range and commit its intent. Returns the write that the core then requests."""
    commit = only(worker.step(now, now), Commit)
    worker.committed(commit, {}, now)
    return only(worker.step(now, now), Write)


def test_a_range_goes_from_messages_to_its_committed_offset() -> None:
    worker = core()
    assert worker.received(P, messages(0, 2), 0) == 0
    commit = only(worker.step(0, 0), Commit)
    assert plan(commit) == (0, 0, 2)
    assert worker.step(0, 0) == [commit], "repeated until it is answered"
    worker.committed(commit, {}, 0)
    write = only(worker.step(0, 0), Write)
    assert (write.range.first, write.range.last, write.range.redo) == (0, 2, False)
    worker.written(write.range, parts=1, rejected=1, took_ms=1)
    publish = only(worker.step(0, 0), Publish)
    worker.published(publish.range)
    done = only(worker.step(0, 0), Commit)
    assert plan(done) == (3, None, None)
    worker.committed(done, {}, 0)
    assert worker.step(0, 0) == []


def test_the_next_intent_is_the_completion() -> None:
    worker = core()
    worker.received(P, messages(0, 5), 0)
    write = sealed(worker)
    assert worker.step(0, 0) == [], "one range of a partition at a time"
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    assert plan(only(worker.step(0, 0), Commit)) == (3, 3, 5)


def test_one_commit_carries_every_partition() -> None:
    worker = core(P, Q)
    for at in (P, Q):
        worker.received(at, messages(0, 2), 0)
    assert only(worker.step(0, 0), Commit).offsets.keys() == {P, Q}


def test_a_range_is_sealed_by_age_and_bytes_too() -> None:
    worker = core(range_age_ms=100)
    worker.received(P, messages(0, 0), 0)
    assert worker.step(99, 0) == []
    assert plan(only(worker.step(100, 0), Commit)) == (0, 0, 0)
    worker = core(range_bytes=20)
    worker.received(P, messages(0, 1, b"x" * 15), 0)
    assert plan(only(worker.step(0, 0), Commit)) == (0, 0, 0)


def test_the_fullest_then_the_oldest_goes_first() -> None:
    worker = core(P, Q, flights=1, range_age_ms=10)
    worker.received(P, messages(0, 0), 0)
    worker.received(Q, messages(0, 2), 5)
    assert only(worker.step(20, 0), Commit).offsets.keys() == {Q}


def test_control_records_are_counted_and_not_treated_as_gaps() -> None:
    worker = core()
    assert worker.received(P, Columns([0, 3], [0, 0], [b"k"] * 2, [b"v"] * 2), 0) == 2


def test_duplicate_deliveries_are_ignored() -> None:
    worker = core()
    worker.received(P, messages(0, 1), 0)
    worker.received(P, messages(0, 2), 0)
    assert list(sealed(worker).range.columns.offsets) == [0, 1, 2]


def test_a_commit_that_failed_is_repeated_the_same_after_a_while() -> None:
    worker = core()
    worker.received(P, messages(0, 2), 0)
    commit = only(worker.step(0, 0), Commit)
    worker.committed(commit, {P: "not coordinator"}, 0)
    worker.received(P, messages(3, 4), 0)
    assert worker.step(0, 0) == []
    assert plan(only(worker.step(100, 0), Commit)) == (0, 0, 2)


def test_nothing_is_done_for_a_revoked_partition() -> None:
    worker = core()
    worker.received(P, messages(0, 2), 0)
    write = sealed(worker)
    worker.revoked([P])
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    assert worker.step(0, 0) == []
    assert worker.received(P, messages(3, 9), 0) == 0


def test_the_result_of_an_earlier_assignment_is_discarded() -> None:
    worker = core()
    worker.received(P, messages(0, 2), 0)
    write = sealed(worker)
    worker.revoked([P])
    worker.assigned(AssignmentFacts(P, TOPIC, 0, Intent(TOPIC, 0, 2, write.range.digest).encode(), 0, 3))
    worker.received(P, messages(0, 2), 0)
    again = only(worker.step(0, 0), Write)
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    assert worker.step(0, 0) == []
    worker.written(again.range, parts=1, rejected=0, took_ms=1)
    assert plan(only(worker.step(0, 0), Commit)) == (3, None, None)


def pending(worker: Core, last: int) -> None:
    intent = Intent(TOPIC, 0, last, digest(messages(0, last)))
    worker.revoked([P])
    worker.assigned(AssignmentFacts(P, TOPIC, 0, intent.encode(), 0, 1_000))


def test_a_pending_range_is_rebuilt_with_its_own_boundaries() -> None:
    worker = core()
    pending(worker, 4)  # more than this worker's range_rows
    worker.received(P, messages(0, 3), 0)
    assert worker.step(10_000, 0) == [], "not before the whole range has arrived"
    worker.received(P, messages(4, 6), 0)
    write = only(worker.step(10_000, 0), Write)
    assert (write.range.first, write.range.last, write.range.redo) == (0, 4, True)
    assert write.range.columns == messages(0, 4)


def test_other_messages_in_a_pending_range_halt_the_partition() -> None:
    worker = core(P, Q)
    pending(worker, 4)
    worker.received(P, messages(0, 5, b"other"), 0)
    worker.received(Q, messages(0, 2), 0)
    actions = worker.step(0, 0)
    assert only(actions, Halt).partition == P
    assert only(actions, Pause).partitions == (P,)
    assert only(actions, Commit).offsets.keys() == {Q}, "the others continue"
    assert worker.received(P, messages(6, 9), 0) == 0


def test_messages_read_before_the_position_was_lost_are_stored() -> None:
    worker = core()
    worker.received(P, messages(0, 1), 0)
    worker.position_lost(P, "out of range")
    actions = worker.step(0, 0)
    assert only(actions, Halt).reason == "out of range"
    assert plan(only(actions, Commit)) == (0, 0, 1)


@pytest.mark.parametrize("remedy", [Remedy.halt, Remedy.open_circuit])
def test_the_lag_of_a_halted_partition_starts_at_the_range_that_halted_it(remedy: Remedy) -> None:
    worker = core(P)
    worker.received(P, Columns(range(5), [4_000 + at for at in range(5)], [b"k"] * 5, [b"v"] * 5), 0)
    write = sealed(worker)
    assert (write.range.first, write.range.last) == (0, 2)
    worker.failed(write.range, Failure(remedy, "refused"), 0)
    assert LagGauge().measure(worker.partitions.values(), {P: 50}, 64_000) == Lag(50, 60.0)


def test_a_refused_range_halts_and_is_never_completed() -> None:
    worker = core(P, Q, flights=1)
    worker.received(P, messages(0, 9), 0)
    write = sealed(worker)
    worker.failed(write.range, Failure(Remedy.halt, "TYPE_MISMATCH"), 0)
    actions = worker.step(0, 0)
    assert "TYPE_MISMATCH" in only(actions, Halt).reason
    worker.committed(only(actions, Commit), {}, 0)
    assert worker.step(60_000, 0) == []
    worker.received(Q, messages(0, 2), 0)
    assert only(worker.step(0, 0), Commit).offsets.keys() == {Q}, "a halted partition does not delay the others"


@pytest.mark.parametrize("circuit", [OpenCircuit("FIELD_RULE", 7), None])
def test_a_halt_is_noted_with_the_announced_range_until_that_is_committed(circuit: OpenCircuit | None) -> None:
    worker = core(P)
    worker.received(P, messages(0, 2), 0)
    write = sealed(worker)
    code, rejected = circuit or ("", 0)
    remedy = Remedy.open_circuit if circuit else Remedy.halt
    failure = Failure(remedy, "refused", code=code, rejected=rejected)
    worker.failed(write.range, failure, 0)
    for now, errors in ((0, {P: "no answer"}), (HALT_NOTE_MS, {})):
        commit = only(worker.step(now, 9_000 + now), Commit)
        assert (commit.notes, commit.completes) == ({P}, False)
        offset, metadata = commit.offsets[P]
        noted = decode(metadata)
        assert noted is not None
        assert (offset, noted.first, noted.last, noted.digest) == (0, 0, 2, write.range.digest)
        assert (noted.failing_ms, noted.error, noted.circuit) == (9_000 + now, f"{write.range}: refused", circuit)
        worker.committed(commit, errors, now)
        assert worker.step(now + HALT_NOTE_MS - 1, 0) == []
    heir = core()
    begin = heir.assigned(AssignmentFacts(P, TOPIC, 0, metadata, 0, 100))
    assert (begin.offset, begin.halt, begin.rebuild) == (0, "", noted), "the note changes nothing for the next owner"


def test_a_failed_step_is_repeated_with_growing_delays() -> None:
    worker = core()
    worker.received(P, messages(0, 2), 0)
    write, now, waits = sealed(worker), 0, []
    for _ in range(8):
        worker.failed(write.range, Failure(Remedy.retry_slower, "TOO_MANY_PARTS"), now)
        before = now
        while not (actions := worker.step(now, 0)):
            now += 50
        assert actions == [write]
        waits.append(now - before)
    assert waits == [100, 200, 500, 1_000, 2_000, 5_000, 5_000, 5_000]
    assert worker.budget.factor < 0.1


def test_a_range_behind_another_insert_waits_without_slowing_down_and_keeps_its_place() -> None:
    worker = core(P, Q, flights=1)
    worker.received(P, messages(0, 2), 0)
    write, now, waits = sealed(worker), 0, []
    worker.received(Q, messages(0, 2), 0)
    for _ in range(6):
        worker.failed(write.range, Failure(Remedy.wait, "another is on its way"), now)
        before = now
        while not (actions := worker.step(now, 0)):
            now += 50
        assert actions == [write], "no other range is sealed to wait beside it"
        waits.append(now - before)
    assert waits == [100, 200, 500, 1_000, 1_000, 1_000]
    assert worker.budget.factor == 1.0
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    assert plan(only(worker.step(now, 0), Commit)) == (3, None, None)


def test_an_insert_of_unknown_outcome_is_repeated_at_the_same_interval() -> None:
    worker = core()
    worker.received(P, messages(0, 2), 0)
    write = sealed(worker)
    worker.failed(write.range, Failure(Remedy.look, "not known"), 0)
    assert worker.step(100, 0) == [write]
    assert worker.budget.factor == 1.0


def test_over_the_memory_limit_all_partitions_pause_except_rebuilds() -> None:
    worker = core(P, Q, buffer_bytes=20, range_rows=100)
    pending(worker, 30)
    worker.received(Q, messages(0, 9), 0)
    actions = worker.step(0, 0)
    assert only(actions, Pause).partitions == (Q,)
    # The partition has its share of the memory limit, so its range is sealed: waiting would not add messages.
    assert plan(only(actions, Commit), Q) == (0, 0, 9)
    assert worker.revoked([P, Q]) == [Q], "since librdkafka would keep it paused"
    pending(worker, 30)
    worker.assigned(AssignmentFacts(Q, TOPIC, 0, "", 0, 10))
    assert worker.step(0, 0) == [], "a new assignment begins unpaused"


def test_an_undeliverable_rebuild_pauses_no_other_partition() -> None:
    worker = core(P, Q, buffer_bytes=20, range_rows=100)
    pending(worker, 30)
    worker.position_lost(P, "out of range")
    assert only(worker.step(0, 0), Pause).partitions == (P,)
    worker.received(Q, messages(0, 9), 0)
    assert not [one for one in worker.step(0, 0) if isinstance(one, Pause)]
    assert worker.must_wait


def test_backpressure_suspends_polling_and_pauses_if_it_lasts() -> None:
    worker = core(buffer_bytes=12)
    worker.received(P, messages(0, 5), 0)
    [commit] = worker.step(0, 0)
    assert isinstance(commit, Commit)
    assert (worker.must_wait, worker.all_paused) == (True, False)
    assert worker.step(999, 0) == [commit]
    assert worker.must_wait
    assert only(worker.step(1_000, 0), Pause).partitions == (P,)
    assert (worker.must_wait, worker.all_paused) == (False, True), "polled again, so that the group keeps this member"


def test_a_finished_insert_frees_memory() -> None:
    worker = core(buffer_bytes=12)
    worker.received(P, messages(0, 5), 0)
    write = sealed(worker)
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    assert worker.must_wait
    commit = only(worker.step(0, 0), Commit)
    worker.committed(commit, {}, 0)
    worker.step(0, 0)
    assert not worker.must_wait


def test_paused_partitions_are_resumed_when_half_is_stored() -> None:
    worker = core(buffer_bytes=12)
    worker.received(P, messages(0, 5), 0)
    write = sealed(worker)
    assert only(worker.step(1_000, 0), Pause).partitions == (P,)
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    worker.committed(only(worker.step(1_000, 0), Commit), {}, 1_000)
    assert only(worker.step(1_000, 0), Resume).partitions == (P,)
    assert not worker.all_paused


def test_a_full_share_is_sealed_at_once_if_no_insert_is_running() -> None:
    worker = core(P, Q, buffer_bytes=40, range_rows=100, flights=2)
    worker.received(P, messages(0, 4), 0)
    worker.received(Q, messages(0, 4), 0)
    assert only(worker.step(0, 0), Commit).offsets.keys() == {P, Q}, "each holds ten of forty bytes, its share of two"
    worker = core(P, Q, buffer_bytes=40, range_rows=100, flights=2)
    worker.received(P, messages(0, 4), 0)
    sealed(worker)
    worker.received(Q, messages(0, 4), 0)
    assert worker.step(0, 0) == [], "a range is being stored"
    assert only(worker.step(1_000, 0), Commit).offsets.keys() == {Q}


def test_over_the_memory_limit_the_fullest_goes_first() -> None:
    worker = core(P, Q, buffer_bytes=40, range_rows=100, flights=1)
    worker.received(P, messages(0, 7), 0)
    worker.received(Q, messages(0, 13), 5)
    assert only(worker.step(5, 0), Commit).offsets.keys() == {Q}


def test_a_quiet_partition_gets_its_turn_in_a_backlog() -> None:
    worker = core(P, Q, buffer_bytes=40, range_rows=20, flights=1)
    worker.received(P, messages(0, 0), 0)
    turns = []
    for now in range(0, 6_000, 100):
        first = worker.partitions[Q].position
        worker.received(Q, messages(first, first + 19), now)  # always full, up to the memory limit
        write = sealed(worker, now)
        worker.written(write.range, parts=1, rejected=0, took_ms=1)
        if write.range.partition == P:
            turns.append(now)
    assert turns == [5_000], "after larger ones went first for a while"


def test_a_small_share_waits_for_its_age_under_backpressure() -> None:
    worker = core(P, Q, buffer_bytes=40, range_rows=100, flights=2)
    worker.received(P, messages(0, 0), 0)
    worker.received(Q, messages(0, 19), 0)
    assert only(worker.step(0, 0), Commit).offsets.keys() == {Q}


def test_a_drain_stores_buffered_messages_and_accepts_no_more() -> None:
    worker = core(range_age_ms=60_000)
    worker.received(P, messages(0, 1), 0)
    worker.drain()
    assert not worker.drained
    assert worker.received(P, messages(2, 3), 0) == 0
    write = sealed(worker)
    worker.written(write.range, parts=1, rejected=0, took_ms=1)
    worker.committed(only(worker.step(0, 0), Commit), {}, 0)
    assert worker.drained


def test_a_drain_leaves_a_rebuild_to_the_next_worker() -> None:
    worker = core()
    pending(worker, 4)
    worker.received(P, messages(0, 2), 0)
    worker.drain()
    assert worker.drained
    worker.received(P, messages(3, 6), 0)
    assert not [one for one in worker.step(0, 0) if isinstance(one, Commit | Write)]
