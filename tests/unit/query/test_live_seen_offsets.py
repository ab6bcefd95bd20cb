"""Tests how a stream tracks the offsets it has seen. No offset is skipped or sent twice, regardless of the order of the
inserts.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter, parse
from auditlane.query.live import seen_offsets
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.live.seen_offsets import (
    MAX_GAPS,
    MAX_YOUNG_GAPS,
    SETTLED_S,
    OffsetTracker,
    SeenOffsets,
    seen_through,
    unseen,
)
from auditlane.runtime.errors import InvalidCursor

OFFSETS = st.sets(st.integers(0, 60), max_size=30)
ACME = TenantScope.for_operator("acme")


def held(seen: SeenOffsets) -> set[int]:
    return {one for one in range(200) if seen.contains(one)}


def numbers(runs: list[tuple[int, int]]) -> set[int]:
    return {one for first, last in runs for one in range(first, min(last, 200) + 1)}


@given(st.lists(OFFSETS, max_size=6))
def test_seen_offsets_are_those_that_were_added(batches):
    seen = SeenOffsets()
    for batch in batches:
        seen = seen.with_offsets(batch)
    assert held(seen) == set().union(*batches)
    assert all(first <= last for first, last in seen.gaps)
    assert all(one[1] + 1 < other[0] for one, other in zip(seen.gaps, seen.gaps[1:], strict=False))


@given(OFFSETS, OFFSETS)
def test_only_unseen_offsets_are_new(before, more):
    old = SeenOffsets().with_offsets(before)
    new = old.with_offsets(more)
    assert numbers(unseen(old, new)) == more - before
    assert numbers(unseen(None, new)) == before | more
    assert numbers(unseen(old, None)) == set(range(201)) - before


@given(OFFSETS, OFFSETS)
def test_a_stream_can_resume_after_every_step(before, more):
    old = SeenOffsets().with_offsets(before)
    new = old.with_offsets(more)
    left = more - before
    for offset in sorted(left):
        left = left - {offset}
        assert numbers(unseen(seen_through(old, new, offset), new)) == left


def separately(offsets: Iterable[int]) -> dict[int, int]:
    """Return the offsets as events of different inserts."""
    return {offset: offset for offset in offsets}


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_a_watch_returns_each_offset_once_in_any_order(chance, most):
    """Polling is repeated as long as offsets are held back. If there are more gaps than can be tracked, they are held
    back until the gaps are old enough.
    """
    left = chance.sample(range(0, 200, 2), 100)
    tracker, waiting, passed, now = OffsetTracker(), set(), set(), 0.0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(seen_offsets, "MAX_YOUNG_GAPS", MAX_GAPS)
        while left or waiting:
            step = chance.randint(1, most)
            waiting |= set(left[:step])
            del left[:step]
            before = tracker.seen
            tracker.observe(separately(waiting), now)
            new = {one for one in waiting if tracker.seen.contains(one)}
            assert not any(before.contains(one) for one in new)
            waiting -= new
            passed |= new
            assert all(tracker.seen.contains(one) for one in passed)
            now += 0.0 if left else SETTLED_S / 2
            assert now < 100 * SETTLED_S
    assert passed == set(range(0, 200, 2))


def test_few_gaps_never_settle():
    tracker = OffsetTracker()
    tracker.observe(separately([5, 9]), 0.0)
    tracker.observe(separately([10_000]), 3_600.0)
    assert not tracker.seen.contains(7)
    tracker.observe(separately([7]), 9_999.0)
    assert tracker.seen.contains(7)


def test_many_young_gaps_hold_back_later_offsets():
    tracker = OffsetTracker()
    even = list(range(0, 3 * MAX_YOUNG_GAPS, 2))
    tracker.observe(separately(even), 0.0)
    assert 0 < len([one for one in even if tracker.seen.contains(one)]) < len(even)
    tracker.observe(separately(range(3 * MAX_YOUNG_GAPS)), 1.0)
    assert tracker.seen == SeenOffsets(3 * MAX_YOUNG_GAPS - 1)


@settings(max_examples=10)
@given(st.randoms(use_true_random=False))
def test_a_late_insert_is_seen_however_many_events_of_others_lie_between(chance):
    """A replica shows a tenant's inserts out of order. Each insert contains every tenth offset of its range."""
    inserts = [dict.fromkeys(range(1_000 * at, 1_000 * (at + 1), 10), at) for at in range(MAX_GAPS)]
    order = sorted(range(MAX_GAPS), key=lambda at: at + chance.random() * 20)
    tracker = OffsetTracker()
    for at in order:
        assert not any(tracker.seen.contains(offset) for offset in inserts[at])
        tracker.observe(inserts[at], 0.0)
        assert all(tracker.seen.contains(offset) for offset in inserts[at])
        assert len(tracker.seen.gaps) <= MAX_GAPS


def test_old_gaps_between_inserts_are_dropped_last():
    tracker = OffsetTracker()
    tracker.observe({5: 1}, 0.0)
    tracker.observe(dict.fromkeys(range(100, 1_000, 2), 2), SETTLED_S)
    assert tracker.seen.gaps[:2] == ((0, 4), (6, 99))
    assert len(tracker.seen.gaps) == MAX_GAPS
    tracker.observe(separately(range(2_000, 2_000 + 4 * MAX_GAPS, 2)), 2 * SETTLED_S)
    assert not any(first < 1_000 - 1 for first, _ in tracker.seen.gaps)
    assert tracker.seen.top == 2_000 + 4 * MAX_GAPS - 2


def mac(purpose: str, data: bytes) -> bytes:
    return hmac.digest(b"k" + purpose.encode(), data, hashlib.sha256)


SEEN = OFFSETS.map(lambda one: SeenOffsets().with_offsets({5 * offset for offset in one}))
PERIODS = st.integers(197001, 22991231)
PLACES = st.dictionaries(st.tuples(st.uuids().map(str), st.integers(0, 2**32 - 1), PERIODS), SEEN, max_size=4)


@given(PLACES, st.integers(0, 2**50))
def test_an_id_holds_the_whole_state(places, at_ms):
    seals, position = ResumeTokens(mac), StreamPosition(at_ms, places)
    text = seals.seal(ACME, Filter(), position)
    assert seals.open(ACME, Filter(), text) == position
    assert "\n" not in text


def test_an_id_belongs_to_one_stream_and_is_opaque():
    seals, topic = ResumeTokens(mac), str(uuid.UUID(int=7))
    text = seals.seal(ACME, Filter(), StreamPosition(1, {(topic, 0, 202611): SeenOffsets(1_000_000)}))
    other = seals.seal(ACME, Filter(), StreamPosition(1, {(topic, 0, 202611): SeenOffsets(1_000_001)}))
    assert sum(one == two for one, two in zip(text, other, strict=False)) < len(text) / 4
    for scope, filter_, given_ in (
        (TenantScope.for_operator("globex"), Filter(), text),
        (ACME, parse([("action", "x")]), text),
        (ACME, Filter(), text[:-2] + "AA"),
        (ACME, Filter(), text[:20]),
        (ACME, Filter(), ""),
        (ACME, Filter(), "é"),
        (ACME, Filter(), "A" * 20_000),
    ):
        with pytest.raises(InvalidCursor):
            seals.open(scope, filter_, given_)


def test_an_id_fits_a_header():
    gaps = tuple((9 * 10**8 + 40 * n, 9 * 10**8 + 40 * n + 20) for n in range(2 * MAX_GAPS))
    whole = StreamPosition(10**13, {(str(uuid.uuid4()), 3, 202611): SeenOffsets(10**9, gaps)})
    assert len(ResumeTokens(mac).seal(ACME, Filter(), whole)) < 1_000
