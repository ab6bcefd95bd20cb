"""The dead-letter brake: when it stops a partition, and what stopping means for the range."""

from __future__ import annotations

from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st
from judging import BASE_ID, base_registry, message

from auditlane.worker.actions import Commit, Failure, Halt, Remedy, Write
from auditlane.worker.brake import Brake, BrakePolicy, Brakes
from auditlane.worker.core import Core, Policy
from auditlane.worker.failpoints import Failpoints
from auditlane.worker.intent import Intent
from auditlane.worker.jobs import Jobs
from auditlane.worker.judge import Judge
from auditlane.worker.ranges import Columns, Partition, Range
from auditlane.worker.recovery import Found
from auditlane.worker.schemas import SchemaBook

P, Q = Partition("audit.events", 0), Partition("audit.events", 1)
TOPIC_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
POLICY = BrakePolicy(ratio=0.5, window=10, within_ms=1_000)


def brake(*ranges: tuple[int, int], policy: BrakePolicy = POLICY) -> list[bool]:
    """Whether it stops at each of the ranges (messages, refused), a millisecond apart."""
    one = Brake(policy)
    return [bool(one.judged(*range_, now)) for now, range_ in enumerate(ranges)]


def test_it_stops_when_more_than_the_ratio_is_refused() -> None:
    assert brake((10, 5)) == [False]
    assert brake((10, 6)) == [True]
    assert brake((1_000, 501)) == [True]


def test_it_needs_a_window_of_messages() -> None:
    assert brake((9, 9)) == [False]
    assert brake((5, 5), (4, 4), (1, 1)) == [False, False, True]


def test_it_looks_at_the_newest_messages_only() -> None:
    assert brake((1_000, 0), (4, 4), (6, 6)) == [False, False, True]
    assert brake((10, 4), (10, 6)) == [False, True]
    assert brake((6, 5), (6, 1), (6, 1)) == [False, False, False]


def test_what_is_long_ago_does_not_count() -> None:
    one = Brake(POLICY)
    assert not one.judged(9, 9, 0)
    assert not one.judged(9, 9, 1_001)
    assert one.judged(1, 1, 2_001)


def test_a_ratio_of_one_lets_everything_through() -> None:
    assert brake((10_000, 10_000), policy=BrakePolicy(ratio=1.0)) == [False]


def test_the_reason_has_the_numbers() -> None:
    assert Brake(POLICY).judged(40, 30, 0) == (
        "the dead-letter brake: 30 of the last 40 messages are refused, more than 50%"
    )


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)).map(lambda one: (one[0], min(one)))))
def test_it_agrees_with_a_window_counted_anew(ranges: list[tuple[int, int]]) -> None:
    one = Brake(POLICY)
    for now, range_ in enumerate(ranges):
        newest, messages_, refused = ranges[: now + 1], 0, 0
        while newest and messages_ < POLICY.window:
            count, bad = newest.pop()
            messages_, refused = messages_ + count, refused + bad
        expected = messages_ >= POLICY.window and refused > messages_ / 2
        assert bool(one.judged(*range_, now)) == expected


def messages(count: int) -> Columns:
    return Columns(list(range(count)), [0] * count, [b"k"] * count, [b"v"] * count)


def test_each_partition_and_assignment_has_its_own() -> None:
    brakes = Brakes(POLICY)

    def range_(partition: Partition = P, lease: int = 1) -> Range:
        return Range(partition, TOPIC_ID, 0, 5, messages(6), "", lease)

    assert not brakes.judged(range_(), 6, 0)
    assert not brakes.judged(range_(Q), 6, 0)
    assert not brakes.judged(range_(lease=2), 6, 0)
    assert brakes.judged(range_(Q), 6, 0)
    assert brakes.judged(range_(lease=2), 6, 0)


def test_a_braked_range_is_neither_completed_nor_buried_and_others_go_on() -> None:
    worker = Core(Policy(range_rows=3, parts_per_second=1_000.0))
    for one in (P, Q):
        worker.assigned(Found(one, TOPIC_ID, 0, Intent(TOPIC_ID).encode(), 0, 1_000))

    def step() -> list[object]:
        """What it asks for, commits answered."""
        asked: list[object] = []
        while actions := worker.step(0, 0):
            asked += actions
            commits = [one for one in actions if isinstance(one, Commit)]
            for one in commits:
                worker.committed(one, {}, 0)
            if not commits:
                break
        return asked

    worker.received(P, messages(3), 0)
    [write] = [one for one in step() if isinstance(one, Write)]
    worker.failed(write.range, Failure(Remedy.brake, "too much"), 0)
    assert (worker.lanes[P].braked, worker.lanes[Q].braked) == (True, False)
    worker.received(Q, messages(3), 0)
    asked = step()
    assert ["too much" in one.reason for one in asked if isinstance(one, Halt)] == [True]
    assert [tuple(one.offsets) for one in asked if isinstance(one, Commit)] == [(Q,)]
    assert [one.range.partition for one in asked if isinstance(one, Write)] == [Q]


def test_nothing_of_a_braked_range_is_written() -> None:
    registry = base_registry()
    book = SchemaBook(registry, topic="audit.events", refresh_s=30)
    judge = Judge(book, topic="audit.events", max_event_bytes=10_000)
    store, letters = Mock(), Mock()
    values: list[bytes | None] = [message(BASE_ID)] * 4 + [b"junk"] * 6
    columns = Columns(list(range(10)), [1_750_000_000_000] * 10, [b"acme"] * 10, values)
    range_ = Range(P, TOPIC_ID, 0, 9, columns, "", 1)
    jobs = Jobs(judge, store, letters, Failpoints(""), threads=1, brakes=Brakes(POLICY))
    jobs.submit(Write(range_))
    assert jobs.join(10)
    [done] = jobs.poll()
    jobs.close()
    assert done.failure is not None
    assert done.failure.remedy is Remedy.brake
    assert "NOT_FRAMED" in done.failure.message
    assert "AUDITLANE_BRAKE_RATIO=1" in done.failure.message
    store.insert.assert_not_called()
    letters.bury.assert_not_called()
