from __future__ import annotations

from auditlane.store.insert_rate import FLOOR, SLOW_MS, AdaptiveRate


def ranges_in(budget: AdaptiveRate, seconds: int, start: int = 0) -> int:
    """Return how many one-part ranges are sealed in `seconds` if a range is always due."""
    count = 0
    for now in range(start, start + seconds * 1_000, 50):
        while budget.ready(now):
            budget.spend(1)
            count += 1
    return count


def test_the_rate_is_held_after_the_first_burst() -> None:
    assert ranges_in(AdaptiveRate.of(4, 0), 10) in range(43, 45)


def test_a_range_of_many_months_is_paid_for_later() -> None:
    budget = AdaptiveRate.of(4, 0)
    budget.spend(12)
    assert ranges_in(budget, 2) == 0
    assert ranges_in(budget, 8, start=2_000) in range(30, 33)


def test_the_rate_shrinks_on_backpressure_and_grows_again() -> None:
    budget = AdaptiveRate.of(16, 0)
    for _ in range(10):
        budget.pushed_back()
    assert budget.factor == FLOOR
    ranges_in(budget, 60)
    assert ranges_in(budget, 10, start=60_000) in range(9, 12)
    for _ in range(100):
        budget.stored(10)
    assert budget.factor == 1.0


def test_a_slow_insert_is_backpressure() -> None:
    budget = AdaptiveRate.of(4, 0)
    budget.stored(SLOW_MS + 1)
    assert budget.factor == 0.5


def test_a_clock_that_jumps_back_adds_nothing() -> None:
    budget = AdaptiveRate.of(1, 10_000)
    budget.spend(1)
    assert not budget.ready(0)
    assert not budget.ready(500)
    assert budget.ready(1_000)
