"""Tests how a stream tracks the offsets it has seen. No offset is skipped or sent twice, regardless of the order of the
inserts.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.query.filters import Filter, parse
from auditlane.query.live.resume_token import ResumeTokens, StreamPosition
from auditlane.query.live.seen_offsets import MAX_GAPS, SETTLED_S, PartitionTracker, SeenOffsets, seen_through, unseen
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


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.integers(1, 60))
def test_a_watch_returns_each_offset_once_in_any_order(chance, most):
    """Polling is repeated as long as offsets are held back. If there are more gaps than can be tracked, they are held
    back until the gaps are old enough.
    """
    left = chance.sample(range(0, 200, 2), 100)
    tracker, waiting, passed, now = PartitionTracker(), set(), set(), 0.0
    while left or waiting:
        step = chance.randint(1, most)
        waiting |= set(left[:step])
        del left[:step]
        before = tracker.seen
        tracker.observe(sorted(waiting), now)
        new = {one for one in waiting if tracker.seen.contains(one)}
        assert not any(before.contains(one) for one in new)
        waiting -= new
        passed |= new
        assert all(tracker.seen.contains(one) for one in passed)
        now += 0.0 if left else SETTLED_S / 2
        assert now < 100 * SETTLED_S
    assert passed == set(range(0, 200, 2))


def test_few_gaps_never_settle():
    tracker = PartitionTracker()
    tracker.observe([5, 9], 0.0)
    tracker.observe([10_000], 3_600.0)
    assert not tracker.seen.contains(7)
    tracker.observe([7], 9_999.0)
    assert tracker.seen.contains(7)


def test_many_young_gaps_hold_back_later_offsets():
    """The months of a range are inserted one after another, so every second offset arrives first."""
    tracker = PartitionTracker()
    even = list(range(0, 1_000, 2))
    tracker.observe(even, 0.0)
    assert 0 < len([one for one in even if tracker.seen.contains(one)]) < len(even)
    tracker.observe([*range(1_000)], 1.0)
    assert tracker.seen == SeenOffsets(999)


def mac(purpose: str, data: bytes) -> bytes:
    return hmac.digest(b"k" + purpose.encode(), data, hashlib.sha256)


SEEN = OFFSETS.map(lambda one: SeenOffsets().with_offsets({5 * offset for offset in one}))
PLACES = st.dictionaries(st.tuples(st.uuids().map(str), st.integers(0, 2**32 - 1)), SEEN, max_size=4)


@given(PLACES, st.integers(0, 2**50))
def test_an_id_holds_the_whole_state(places, at_ms):
    seals, position = ResumeTokens(mac), StreamPosition(at_ms, places)
    text = seals.seal(ACME, Filter(), position)
    assert seals.open(ACME, Filter(), text) == position
    assert "\n" not in text


def test_an_id_belongs_to_one_stream_and_is_opaque():
    seals, topic = ResumeTokens(mac), str(uuid.UUID(int=7))
    text = seals.seal(ACME, Filter(), StreamPosition(1, {(topic, 0): SeenOffsets(1_000_000)}))
    other = seals.seal(ACME, Filter(), StreamPosition(1, {(topic, 0): SeenOffsets(1_000_001)}))
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
    whole = StreamPosition(10**13, {(str(uuid.uuid4()), 3): SeenOffsets(10**9, gaps)})
    assert len(ResumeTokens(mac).seal(ACME, Filter(), whole)) < 1_000
