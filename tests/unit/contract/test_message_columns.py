from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.message_columns import Columns

blobs = st.lists(st.none() | st.binary(max_size=5), max_size=12)


def made(values: list[bytes | None]) -> Columns:
    count = len(values)
    return Columns(list(range(0, 2 * count, 2)), list(range(count)), [b"k"] * count, list(values))


@given(blobs, st.integers(0, 14))
def test_taking_and_extending_restores_the_messages(values: list[bytes | None], count: int) -> None:
    whole, rest = made(values), made(values)
    head = rest.take(count)
    assert len(head) == min(count, len(values))
    assert head.size + rest.size == whole.size
    head.extend(rest)
    assert head == whole


@given(blobs, st.integers(1, 14), st.integers(0, 40))
def test_the_fitting_head_respects_both_limits(values: list[bytes | None], rows: int, size: int) -> None:
    columns = made(values)
    count = columns.fitting(rows, size)
    assert count <= rows
    assert (count >= 1) == bool(values)
    head = columns.take(count)
    assert head.size <= size or len(head) == 1
    if columns and len(head) < rows:  # the next message would not fit
        assert head.size + columns.take(1).size > size


def test_offsets_may_have_gaps() -> None:
    columns = made([b"a", b"b", b"c"])
    assert [columns.before(offset) for offset in (0, 1, 2, 5)] == [0, 1, 1, 3]
    assert [columns.through(offset) for offset in (0, 1, 2, 5)] == [1, 1, 2, 3]
