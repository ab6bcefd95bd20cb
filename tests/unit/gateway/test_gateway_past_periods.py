"""Tests the limit on the number of past months or days that one tenant's events may span over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditlane.gateway.rate import PastPeriods, too_many_periods
from auditlane.store.partitioning import Partitioning

TODAY = datetime(2026, 11, 29, tzinfo=UTC)


def events(count: int, *, first: int = 0) -> list[Any]:
    """Return one event per past month, newest first. The newest month that counts as past is 2026-09."""
    months = [(2026 * 12 + 8 - at) for at in range(first, first + count)]
    return [{"occurred_at": f"{month // 12:04}-{month % 12 + 1:02}-03T00:00:00Z"} for month in months]


def waits(past: PastPeriods, posted: list[Any], now: float, tenant: str = "acme") -> int:
    return len(past.waits(posted, [tenant] * len(posted), now, TODAY))


@pytest.mark.parametrize(
    ("today", "at", "counts"),
    [
        (TODAY, "2026-11-01T00:00:00Z", False),
        (TODAY, "2026-10-01T00:00:00Z", False),
        (TODAY, "2026-09-30T23:59:59Z", True),
        (datetime(2026, 1, 1, tzinfo=UTC), "2025-12-01T00:00:00Z", False),
        (datetime(2026, 1, 1, tzinfo=UTC), "2025-11-30T00:00:00Z", True),
        (datetime(2026, 2, 1, tzinfo=UTC), "2026-01-01T00:00:00Z", False),
        (TODAY, 7, False),
        (TODAY, None, False),
    ],
)
def test_the_current_and_previous_month_cost_nothing(today: datetime, at: Any, counts: bool) -> None:
    past = PastPeriods(1.0)
    for now in range(200):
        found = past.waits([{"occurred_at": at}] * 3, ["acme"] * 3, now * 0.5, today)
        assert not found or counts
    many = [{"occurred_at": at}, *events(20, first=24)]
    assert len(PastPeriods(2.0).waits(many, ["acme"] * 21, 0, today)) == counts


@pytest.mark.parametrize(
    ("at", "counts"),
    [("2026-11-29T00:00:00Z", False), ("2026-11-22T00:00:00Z", False), ("2026-11-21T23:59:59Z", True)],
)
def test_with_daily_partitions_days_count_and_a_week_costs_nothing(at: str, counts: bool) -> None:
    past = PastPeriods(1.0, Partitioning.DAY)
    older = [{"occurred_at": f"2026-10-{day:02}T00:00:00Z"} for day in range(1, 11)]
    assert past.waits([{"occurred_at": at}, *older], ["acme"] * 11, 0, TODAY).keys() == ({1} if counts else set())


@pytest.mark.parametrize("partitioning", Partitioning)
def test_the_error_names_what_counts(partitioning: Partitioning) -> None:
    assert f"more past {partitioning}s than" in too_many_periods(1.0, partitioning).message


def test_a_flood_of_months_is_refused_and_other_events_are_not() -> None:
    past = PastPeriods(2.0)
    taken = sum(119 - waits(past, events(119), now) for now in range(600))
    assert 600 * 2 <= taken <= 600 * 2 + 20
    assert waits(past, events(3), 600.0, "globex") == 0
    assert waits(past, [{"action": "now"}] * 1_000, 600.0) == 0


def test_of_too_many_months_the_newest_are_accepted() -> None:
    past = PastPeriods(2.0)
    found = past.waits(events(119), ["acme"] * 119, 0, TODAY)
    assert found == dict.fromkeys(range(20, 119), pytest.approx(0.5))
    assert past.waits(events(119), ["acme"] * 119, 0.9, TODAY).keys() == set(range(21, 119)), "a token was added since"
    assert waits(past, events(119), 100.0) == 99, "the bucket holds no more"


def test_events_of_one_month_or_of_consecutive_months_cost_at_most_one_month_a_second() -> None:
    past = PastPeriods(2.0)
    for number in range(2_000):  # a thousand events every tenth of a second
        month = events(1, first=number // 100)
        assert waits(past, month * 1_000, number / 10) == 0


def test_the_same_months_are_charged_once_a_second() -> None:
    past = PastPeriods(2.0)
    assert waits(past, events(20), 0.0) == 0
    assert waits(past, events(20) * 5, 0.4) == 0
    assert waits(past, events(21), 0.4) == 1


def test_invalid_values_are_left_to_validation() -> None:
    odd: list[Any] = [None, 7, "x", [], {}, {"occurred_at": []}, {"occurred_at": ""}, {"occurred_at": "long ago"}]
    assert waits(PastPeriods(1.0), odd, 0) == 0
