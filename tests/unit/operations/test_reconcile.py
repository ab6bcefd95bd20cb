"""Tests the status of each offset, determined from sorted arrays of messages, rows and dead letters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.operations.stored_offsets import Offsets
from auditlane.operations.verify.reconcile import OffsetStatus, Origin, Run, SpanSummary, compare, orphaned_rows, runs


def array(*offsets: int) -> Offsets:
    return np.array(offsets, dtype=np.int64)


S, D, M, E = OffsetStatus.stored, OffsetStatus.dead_lettered, OffsetStatus.missing, OffsetStatus.extra


@pytest.mark.parametrize(
    ("messages", "stored", "letters", "expected", "doubled"),
    [
        ((), (), (), {}, ()),
        ((1, 2, 3), (1, 2, 3), (), {1: S, 2: S, 3: S}, ()),
        ((1, 2, 3), (1, 3), (), {1: S, 2: M, 3: S}, ()),
        ((1, 2, 3), (1, 3), (2,), {1: S, 2: D, 3: S}, ()),
        ((1, 3), (1, 2, 3), (), {1: S, 2: E, 3: S}, ()),
        ((1, 4, 9), (1, 4, 9), (), {1: S, 4: S, 9: S}, ()),  # transaction markers and compaction leave gaps
        ((1, 2), (1, 1, 2), (), {1: S, 2: S}, (1,)),
        ((1, 2), (1, 2), (2,), {1: S, 2: S}, ()),  # a message that was validated twice
        ((1,), (1, 2, 2), (), {1: S, 2: E}, (2,)),
        ((1,), (), (5,), {1: M}, ()),  # a dead letter for an offset that Kafka has deleted
        ((), (7,), (7,), {7: E}, ()),
    ],
)
def test_each_offset_has_one_status(
    messages: tuple[int, ...],
    stored: tuple[int, ...],
    letters: tuple[int, ...],
    expected: dict[int, OffsetStatus],
    doubled: tuple[int, ...],
) -> None:
    compared = compare(array(*messages), array(*stored), array(*letters))
    assert dict(zip(compared.offsets.tolist(), map(OffsetStatus, compared.statuses.tolist()), strict=True)) == expected
    assert tuple(compared.doubled.tolist()) == doubled


SOME = st.sets(st.integers(0, 40))


@given(messages=SOME, stored=st.lists(st.integers(0, 40)), letters=SOME, cut=st.integers(0, 41))
def test_statuses_agree_with_sets_whatever_the_chunks(
    messages: set[int], stored: list[int], letters: set[int], cut: int
) -> None:
    def arrays(low: int, high: int) -> tuple[Offsets, Offsets, Offsets]:
        return tuple(array(*sorted(x for x in one if low <= x < high)) for one in (messages, stored, letters))  # type: ignore[return-value]

    summary = SpanSummary(limit=1_000)
    for low, high in ((0, cut), (cut, 41)):
        summary.add(compare(*arrays(low, high)))
    whole = SpanSummary(limit=1_000)
    whole.add(compare(*arrays(0, 41)))
    rows = set(stored)
    assert summary.counts == {
        OffsetStatus.stored: len(messages & rows),
        OffsetStatus.dead_lettered: len((messages & letters) - rows),
        OffsetStatus.duplicate: 0,
        OffsetStatus.missing: len(messages - rows - letters),
        OffsetStatus.extra: len(rows - messages),
        OffsetStatus.differs: 0,
    }
    assert summary.doubled == sorted(one for one in rows if stored.count(one) > 1)
    assert (summary.runs, summary.wrong) == (whole.runs, whole.wrong)
    assert sum(run.count for run in summary.runs) == len(messages | rows)


def test_runs_merge_neighbours_and_count_their_offsets() -> None:
    compared = compare(array(1, 2, 5, 6, 7, 9), array(1, 2, 5, 9, 10), array())
    assert list(runs(compared)) == [Run(1, 5, 3, S), Run(6, 7, 2, M), Run(9, 9, 1, S), Run(10, 10, 1, E)]
    assert list(runs(compare(array(), array(), array()))) == []


def test_missing_runs_split_where_the_reason_changes() -> None:
    summary = SpanSummary(limit=10)
    summary.add(compare(array(1, 2, 3, 4), array(4), array()), {1: "a", 2: "a", 3: "b"})
    summary.add(compare(array(5, 6), array(), array()), {5: "b", 6: "b"})
    assert summary.wrong == [Run(1, 2, 2, M, "a"), Run(3, 3, 1, M, "b"), Run(5, 6, 2, M, "b")]
    assert [run.status for run in summary.runs] == [M, M, S, M]


def test_lists_are_truncated_and_counts_are_not() -> None:
    summary = SpanSummary(limit=3)
    summary.add(compare(array(*range(0, 100, 2)), array(*sorted([*range(1, 100, 2)] * 2)), array()))
    assert (len(summary.runs), len(summary.wrong), len(summary.doubled)) == (3, 3, 3)
    assert (summary.counts[M], summary.counts[E], summary.doubled_count) == (50, 50, 50)


def test_known_duplicates_are_not_missing() -> None:
    compared = compare(array(1, 2, 3), array(1), array()).with_status(array(3), OffsetStatus.duplicate)
    assert compared.of(OffsetStatus.duplicate).tolist() == [3]
    assert compared.of(M).tolist() == [2]
    assert compared.with_status(array(), OffsetStatus.duplicate).of(M).tolist() == [2]


def test_rows_without_a_partition_are_extra_unless_their_topic_was_deleted() -> None:
    topics = {"audit.events": ("new", 2)}
    ours = Origin("audit.events", "new", 1, 5)
    above = Origin("audit.events", "new", 2, 1)
    former = Origin("audit.events", "old", 0, 7)
    deleted = Origin("audit.events.acme", "x", 0, 3)
    stranger = Origin("", "0", 0, 2)
    extra, beyond = orphaned_rows(
        [ours, above, former, deleted, stranger], topics, lambda name: name.startswith("audit.")
    )
    assert (extra, beyond) == ([above, stranger], [former, deleted])
