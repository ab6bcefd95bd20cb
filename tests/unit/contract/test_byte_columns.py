"""Tests that a column of blobs that is stored in several parts behaves like a plain list."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from auditlane.contract.message_columns import ByteColumn

ONE = st.one_of(st.none(), st.binary(max_size=12))
PARTS = st.lists(st.lists(ONE, max_size=6), max_size=5)


@given(PARTS, st.integers(0, 30))
def test_reading_taking_and_cutting_agree_with_a_list(parts: list[list[bytes | None]], count: int) -> None:
    whole, flat = ByteColumn(), [one for part in parts for one in part]
    for part in parts:
        whole.extend(ByteColumn.of(part))
    assert list(whole) == [whole[at] for at in range(len(flat))] == flat
    assert [whole[at - len(flat)] for at in range(len(flat))] == flat
    assert whole.sizes().tolist() == [len(one or b"") for one in flat]
    assert whole.missing().tolist() == [one is None for one in flat]
    assert whole.slices_after(np.arange(len(flat)), 2) == [(one or b"")[2:] for one in flat]
    for head, blob in zip(whole.prefixes(3), flat, strict=True):
        assert blob is None or len(blob) < 3 or bytes(head) == blob[:3]
    head = whole.take(count)
    assert list(head) == flat[:count]
    assert list(whole) == flat[count:]
    assert head.size + whole.size == sum(len(one or b"") for one in flat)
