"""Tests of where the table has no copies of events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlane.query.summary.stored_parts import StoredPart, without_copies

EDGES = (0, 10, 20, 30)
times = st.integers(0, 29)
parts = st.lists(
    st.builds(
        lambda number, level, ends: StoredPart(f"202603_{number}_{number + 9}_{level}", min(ends), max(ends)),
        st.integers(1, 99),
        st.integers(0, 2),
        st.tuples(times, times),
    ),
    max_size=6,
)


def part(first: int, last: int, *, level: int = 1) -> StoredPart:
    return StoredPart(f"202603_1_2_{level}", first, last)


def test_a_time_that_only_one_merged_part_covers_has_no_copies() -> None:
    assert without_copies([part(0, 9), part(10, 25)], EDGES) == [True, True, True]


def test_a_time_that_two_parts_cover_may_have_copies() -> None:
    assert without_copies([part(0, 10), part(10, 25)], EDGES) == [True, False, True]


def test_a_part_that_no_merge_wrote_may_have_copies() -> None:
    assert without_copies([part(12, 13, level=0)], EDGES) == [True, False, True]


def test_a_mutation_does_not_make_a_part_the_result_of_a_merge() -> None:
    assert not StoredPart("202603_1_1_0_7", 0, 1).merged
    assert StoredPart("202603_1_4_1_7", 0, 1).merged


def test_a_part_with_an_unknown_name_may_have_copies() -> None:
    assert not StoredPart("202603", 0, 1).merged


@given(parts)
def test_exactly_the_buckets_in_which_no_instant_has_two_parts_are_found(found: list[StoredPart]) -> None:
    def covering(at: int) -> list[StoredPart]:
        return [one for one in found if one.first <= at <= one.last]

    def single(at: int) -> bool:
        here = covering(at)
        return len(here) <= 1 and all(one.merged for one in here)

    expected = [all(map(single, range(start, start + 10))) for start in EDGES[:-1]]
    assert without_copies(found, EDGES) == expected
