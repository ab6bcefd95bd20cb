"""Tests which offsets a replay or a verification covers, given the request, Kafka's bounds, and the commits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.partition import Partition
from auditlane.operations.selection import Bounds, Selection, Slice, plan

ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def bounds(number: int = 0, low: int = 0, high: int = 100, **overrides: int | None) -> Bounds:
    return Bounds(Partition("audit.events", number), ID, low, high, **overrides)


def spans(selection: Selection, *all_bounds: Bounds, below_commit: bool = False) -> list[tuple[int, int, int]]:
    return [
        (span.partition.number, span.first, span.end)
        for span in plan(selection, all_bounds, below_commit=below_commit).spans
    ]


@pytest.mark.parametrize(
    ("selection", "limits", "below_commit", "expected"),
    [
        (Selection(), bounds(low=10, high=100), False, (10, 100)),
        (Selection(), bounds(committed=40), True, (0, 40)),
        (Selection(), bounds(committed=40), False, (0, 100)),
        (Selection(), bounds(committed=400), True, (0, 100)),  # the log was truncated
        (Selection(), bounds(committed=None), True, (0, 0)),
        (Selection(), bounds(committed=None, begins=70), True, (0, 70)),
        (Selection(), bounds(low=50, committed=40), True, (50, 50)),
        (Selection((Slice(None, 20, 29),)), bounds(), False, (20, 30)),
        (Selection((Slice(0, 20, None),)), bounds(), False, (20, 100)),
        (Selection((Slice(0, None, 29),)), bounds(low=10), False, (10, 30)),
        (Selection((Slice(0, 5, 29),)), bounds(low=10), False, (10, 30)),
        (Selection((Slice(0, 5, 29),)), bounds(low=50), False, (30, 30)),
        (Selection((Slice(0, 20, 500),)), bounds(committed=25), True, (20, 25)),
        (Selection((Slice(0, 200, 500),)), bounds(), False, (200, 200)),
        (Selection(since_ms=1), bounds(since=30), False, (30, 100)),
        (Selection(since_ms=1, until_ms=2), bounds(since=30, until=60), False, (30, 60)),
        (Selection((Slice(0, 40, 89),), since_ms=1, until_ms=2), bounds(since=30, until=60), False, (40, 60)),
        (Selection(since_ms=1), bounds(since=100), False, (100, 100)),
    ],
)
def test_a_span_is_the_part_of_the_selection_that_exists(
    selection: Selection, limits: Bounds, below_commit: bool, expected: tuple[int, int]
) -> None:
    assert spans(selection, limits, below_commit=below_commit) == [(0, *expected)]


@pytest.mark.parametrize(
    ("limits", "already_committed"),
    [
        (bounds(committed=40), 40),
        (bounds(committed=None), 0),
        (bounds(committed=40, consumed=False), None),  # a copy of the topic, which is not read by workers
    ],
)
def test_the_workers_have_decided_below_their_commit(limits: Bounds, already_committed: int | None) -> None:
    selection = Selection((Slice(0, 10, 50), Slice(0, 40, 60)))
    [span] = plan(selection, [limits], below_commit=False).spans
    assert (span.first, span.end, span.already_committed) == (10, 61, already_committed)


def test_without_slices_every_partition_is_covered_in_order() -> None:
    assert spans(Selection(), bounds(1, high=5), bounds(0, high=7)) == [(0, 0, 7), (1, 0, 5)]


def test_slices_choose_partitions_and_merge_where_they_overlap() -> None:
    selection = Selection((Slice(1, 10, 19), Slice(1, 15, 30), Slice(1, 31, 40), Slice(1, 60, 69)))
    assert spans(selection, bounds(0), bounds(1)) == [(1, 10, 41), (1, 60, 70)]


def test_an_unknown_partition_is_refused() -> None:
    with pytest.raises(ValueError, match="no partition 7; the topic has 2"):
        plan(Selection((Slice(7),)), [bounds(0), bounds(1)], below_commit=False)


def test_omissions_are_reported() -> None:
    made = plan(Selection((Slice(0, 5, None),)), [bounds(low=10, committed=40)], below_commit=True)
    assert made.notes == (
        "audit.events[0]: offsets from 40 on are not completed by the workers yet; run the command again later.",
        "audit.events[0]: Kafka no longer holds offsets 5-9.",
    )
    [span] = made.spans
    assert (span.asked, span.pending, span.whole) == (5, 60, True)
    never = plan(Selection(), [bounds()], below_commit=True)
    assert never.notes == ("audit.events[0]: omitted, as the workers have committed no offset.",)
    assert plan(Selection(), [bounds(low=10, committed=100)], below_commit=True).notes == ()


def test_a_span_limited_by_the_request_is_not_complete() -> None:
    assert [one.whole for one in plan(Selection((Slice(0, 0, 9),)), [bounds()], below_commit=False).spans] == [False]
    assert [one.whole for one in plan(Selection(), [bounds()], below_commit=False).spans] == [True]


OFFSET = st.integers(0, 60)


@given(
    low=OFFSET,
    more=OFFSET,
    committed=st.none() | OFFSET,
    slices=st.lists(st.tuples(st.none() | OFFSET, st.none() | OFFSET), max_size=4),
    since=st.none() | OFFSET,
    until=st.none() | OFFSET,
)
def test_exactly_the_offsets_that_all_conditions_admit_are_covered_once(
    low: int,
    more: int,
    committed: int | None,
    slices: list[tuple[int | None, int | None]],
    since: int | None,
    until: int | None,
) -> None:
    high = low + more
    given_bounds = bounds(low=low, high=high, committed=committed, since=since, until=until)
    selection = Selection(tuple(Slice(0, *one) for one in slices))
    covered = [at for _, first, end in spans(selection, given_bounds, below_commit=True) for at in range(first, end)]
    expected = [
        at
        for at in range(low, high)
        if committed is not None
        and at < committed
        and (since is None or at >= since)
        and (until is None or at < until)
        and (not slices or any((a is None or at >= a) and (b is None or at <= b) for a, b in slices))
    ]
    assert covered == expected
