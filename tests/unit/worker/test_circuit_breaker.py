"""Tests when the circuit breaker halts a partition, and what happens to the range."""

from __future__ import annotations

from unittest.mock import Mock

from hypothesis import given
from hypothesis import strategies as st
from validating import BASE_ID, base_registry, message

from auditlane.contract.intent import Intent
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.remedy import Failure, Remedy
from auditlane.worker.protocol.actions import Commit, Halt, Write
from auditlane.worker.protocol.core import Core, Policy
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.sink.circuit_breaker import DAY_MS, BreakerPolicy, CircuitBreaker, PartitionBreaker, Traffic
from auditlane.worker.sink.insert_pool import InsertPool
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

P, Q = Partition("audit.events", 0), Partition("audit.events", 1)
TOPIC_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"
POLICY = BreakerPolicy(ratio=0.5, window=10, within_ms=1_000)


Given = dict[str, tuple[int, int]]


def traffic(given: Given) -> dict[str, Traffic]:
    return {tenant: Traffic(*counts) for tenant, counts in given.items()}


def opened(*ranges: tuple[int, int], policy: BreakerPolicy = POLICY) -> list[bool]:
    """Record ranges of a single tenant, 1 ms apart, and return whether the breaker opens at each of them.

    Each range is given as its number of messages and the number of those that are rejected.
    """
    return stops(*({"acme": one} for one in ranges), policy=policy)


def stops(*ranges: Given, policy: BreakerPolicy = POLICY) -> list[bool]:
    breaker = PartitionBreaker(policy)
    return [bool(breaker.record(traffic(range_), now)) for now, range_ in enumerate(ranges)]


def test_it_opens_when_more_than_the_ratio_is_rejected() -> None:
    assert opened((10, 5)) == [False]
    assert opened((10, 6)) == [True]
    assert opened((1_000, 501)) == [True]


def test_it_needs_a_window_of_messages() -> None:
    assert opened((9, 9)) == [False]
    assert opened((5, 5), (4, 4), (1, 1)) == [False, False, True]


def test_it_considers_the_newest_messages_only() -> None:
    assert opened((1_000, 0), (4, 4), (6, 6)) == [False, False, True]
    assert opened((10, 4), (10, 6)) == [False, True]
    assert opened((6, 5), (6, 1), (6, 1)) == [False, False, False]


def test_old_traffic_does_not_count() -> None:
    breaker = PartitionBreaker(POLICY)
    assert not breaker.record(traffic({"a": (9, 9)}), 0)
    assert not breaker.record(traffic({"a": (9, 9)}), 1_001)
    assert breaker.record(traffic({"a": (1, 1)}), 2_001)


def test_a_ratio_of_one_lets_everything_through() -> None:
    assert opened((10_000, 10_000), policy=BreakerPolicy(ratio=1.0)) == [False]


def test_the_reason_has_the_numbers() -> None:
    assert PartitionBreaker(POLICY).record(traffic({"a": (40, 30)}), 0) == (
        "the circuit breaker opened: 30 of the last 40 messages were rejected, more than 50%, from one tenant"
    )


@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 8)).map(lambda one: (one[0], min(one)))))
def test_it_agrees_with_a_recounted_window(ranges: list[tuple[int, int]]) -> None:
    breaker = PartitionBreaker(POLICY)
    for now, range_ in enumerate(ranges):
        newest, messages_, refused = ranges[: now + 1], 0, 0
        while newest and messages_ < POLICY.window:
            count, bad = newest.pop()
            messages_, refused = messages_ + count, refused + bad
        expected = messages_ >= POLICY.window and refused > messages_ / 2
        assert bool(breaker.record(traffic({"a": range_}), now)) == expected


def test_one_tenant_of_several_does_not_halt_the_partition() -> None:
    assert stops({"mallory": (990, 990), "victim": (1, 0)}) == [False]
    assert stops({"mallory": (990, 990)}, policy=POLICY) == [True], "it is the partition's only tenant"


def test_other_tenants_count_even_after_a_flood_has_pushed_them_out_of_the_window() -> None:
    assert stops({"victim": (1, 0)}, *[{"mallory": (10, 10)}] * 100) == [False] * 101


def test_a_tenant_without_messages_for_a_day_no_longer_counts() -> None:
    breaker = PartitionBreaker(POLICY)
    breaker.record(traffic({"gone": (1, 0)}), 0)
    assert not breaker.record(traffic({"acme": (10, 10)}), DAY_MS)
    assert breaker.record(traffic({"acme": (10, 9)}), DAY_MS + 1)


def test_rejections_of_enough_tenants_open_it_whatever_others_send() -> None:
    assert stops({"a": (4, 4), "b": (4, 4), "c": (4, 4), "d": (8, 0)}) == [True]
    assert stops({"a": (4, 4), "b": (4, 4), "d": (4, 0)}) == [False], "two of three"
    assert stops({"a": (5, 5), "b": (5, 5)}) == [True], "all tenants"
    assert stops({"a": (4, 4), "d": (3, 0)}, policy=BreakerPolicy(0.5, 5, tenants=1)) == [False], "all by one tenant"


def test_stray_rejections_of_others_do_not_turn_one_tenants_flood_into_everyones() -> None:
    assert stops({"mallory": (990, 990), "b": (20, 1), "c": (20, 1)}) == [False]
    assert stops({"mallory": (990, 990), "b": (1, 1), "c": (1, 1), "d": (6, 0)}) == [False]


def test_messages_whose_key_names_no_tenant_count_as_one_tenants() -> None:
    assert stops({"": (50, 50), "d": (4, 0)}) == [False]


counts = st.integers(1, 40).flatmap(lambda of: st.tuples(st.just(of), st.integers(0, of)))
clean = st.dictionaries(st.sampled_from("bcdef"), st.integers(0, 40), max_size=5)


@given(
    st.integers(1, 9),
    st.dictionaries(st.sampled_from("bcdef"), st.integers(1, 40), min_size=1),
    st.lists(st.tuples(st.none() | counts, clean), max_size=30),
    st.sampled_from([BreakerPolicy(0.5, 10), BreakerPolicy(0.1, 30, tenants=2), BreakerPolicy(0.9, 5, tenants=1)]),
)
def test_no_messages_of_one_tenant_halt_a_partition_whose_other_tenants_are_valid(
    step: int, first: dict[str, int], ranges: list[tuple[tuple[int, int] | None, dict[str, int]]], policy: BreakerPolicy
) -> None:
    breaker = PartitionBreaker(policy)
    assert not breaker.record(traffic({tenant: (of, 0) for tenant, of in first.items()}), 0)
    for at, (bad, others) in enumerate(ranges, 1):
        by_tenant = {tenant: (of, 0) for tenant, of in others.items() if of} | ({"mallory": bad} if bad else {})
        assert not breaker.record(traffic(by_tenant), at * step)


@given(st.lists(st.dictionaries(st.integers(0, 99).map(str), counts, max_size=9), max_size=30))
def test_the_counters_equal_the_window(ranges: list[Given]) -> None:
    breaker = PartitionBreaker(BreakerPolicy(0.99, 50))
    for now, range_ in enumerate(ranges):
        breaker.record(traffic(range_), now)
    in_window = [counts for _, counted in breaker._ranges for counts in counted.values()]
    assert breaker._all == (sum(of for of, _ in in_window), sum(bad for _, bad in in_window))
    assert breaker._tenants.keys() == {tenant for _, counted in breaker._ranges for tenant in counted}


def messages(count: int) -> Columns:
    return Columns(list(range(count)), [0] * count, [b"k"] * count, [b"v"] * count)


def test_each_partition_and_assignment_has_its_own_breaker() -> None:
    breaker = CircuitBreaker(POLICY)

    def range_(partition: Partition = P, assignment_epoch: int = 1, first: int = 0) -> Range:
        return Range(partition, TOPIC_ID, first, first + 5, messages(6), "", assignment_epoch)

    refused = traffic({"a": (6, 6)})
    assert not breaker.record(range_(), refused, 0)
    assert not breaker.record(range_(Q), refused, 0)
    assert not breaker.record(range_(assignment_epoch=2), refused, 0)
    assert breaker.record(range_(Q, first=6), refused, 0)
    assert not breaker.record(range_(assignment_epoch=2), refused, 0), "the same range, validated again"
    assert breaker.record(range_(assignment_epoch=2, first=6), refused, 0)


def test_a_new_assignment_queries_the_store_before_it_treats_a_tenant_as_the_only_one() -> None:
    queried: list[int] = []

    def served(range_: Range) -> list[str]:
        queried.append(range_.first)
        return ["mallory", "victim"]

    breaker = CircuitBreaker(POLICY, served=served)
    for first in range(0, 100, 10):
        flood = traffic({"mallory": (10, 10)})
        assert not breaker.record(Range(P, TOPIC_ID, first, first + 9, messages(10), "", 1), flood, first)
    assert queried == [0], "once per assignment"


def test_a_range_that_opens_the_circuit_is_not_completed_and_others_continue() -> None:
    worker = Core(Policy(range_rows=3, parts_per_second=1_000.0))
    for partition in (P, Q):
        worker.assigned(AssignmentFacts(partition, TOPIC_ID, 0, Intent(TOPIC_ID).encode(), 0, 1_000))

    def step() -> list[object]:
        """Step the worker and confirm its commits until it has no more. Returns all actions that it requested."""
        requested: list[object] = []
        while actions := worker.step(0, 0):
            requested += actions
            commits = [one for one in actions if isinstance(one, Commit)]
            for commit in commits:
                worker.committed(commit, {}, 0)
            if not commits:
                break
        return requested

    worker.received(P, messages(3), 0)
    [write] = [one for one in step() if isinstance(one, Write)]
    worker.failed(write.range, Failure(Remedy.open_circuit, "too much"), 0)
    assert (worker.partitions[P].circuit_open, worker.partitions[Q].circuit_open) == (True, False)
    worker.received(Q, messages(3), 0)
    asked = step()
    assert ["too much" in one.reason for one in asked if isinstance(one, Halt)] == [True]
    commits = [one for one in asked if isinstance(one, Commit)]
    assert [(tuple(one.offsets), set(one.notes)) for one in commits] == [((P, Q), {P})], (
        "P's commit only notes the halt"
    )
    assert [one.range.partition for one in asked if isinstance(one, Write)] == [Q]


def test_nothing_of_a_range_that_opens_the_circuit_is_written() -> None:
    registry = base_registry()
    book = SchemaCache(registry, topic="audit.events", refresh_s=30)
    validator = BatchValidator(book, topic="audit.events", max_event_bytes=10_000)
    store, letters = Mock(), Mock()
    values: list[bytes | None] = [message(BASE_ID)] * 4 + [b"junk"] * 6
    columns = Columns(list(range(10)), [1_750_000_000_000] * 10, [b"acme"] * 10, values)
    range_ = Range(P, TOPIC_ID, 0, 9, columns, "", 1)
    pool = InsertPool(validator, store, letters, Failpoints(""), threads=1, breaker=CircuitBreaker(POLICY))
    pool.submit(Write(range_))
    assert pool.join(10)
    [done] = pool.poll()
    pool.close()
    assert done.failure is not None
    assert done.failure.remedy is Remedy.open_circuit
    assert "NOT_FRAMED" in done.failure.message
    assert "AUDITLANE_DLQ_MAX_RATIO=1" in done.failure.message
    assert (done.failure.code, done.failure.rejected) == ("NOT_FRAMED", 6)
    store.insert.assert_not_called()
    letters.publish.assert_not_called()
