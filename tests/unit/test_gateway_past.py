"""How many past months one tenant's events may be of over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from auditlane.gateway.past import PastMonths

TODAY = datetime(2026, 11, 29, tzinfo=UTC)


def events(count: int, *, first: int = 0) -> list[Any]:
    """One of each past month, the newest first: 2026-09 is the first that counts as past."""
    months = [(2026 * 12 + 8 - at) for at in range(first, first + count)]
    return [{"occurred_at": f"{month // 12:04}-{month % 12 + 1:02}-03T00:00:00Z"} for month in months]


def waits(past: PastMonths, posted: list[Any], now: float, tenant: str = "acme") -> int:
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
def test_the_month_and_the_one_before_cost_nothing(today: datetime, at: Any, counts: bool) -> None:
    past = PastMonths(1.0)
    for now in range(200):
        found = past.waits([{"occurred_at": at}] * 3, ["acme"] * 3, now * 0.5, today)
        assert not found or counts
    many = [{"occurred_at": at}, *events(119, first=24)]
    assert waits(PastMonths(1.0), many, 0) == 0, "a request larger than the burst passes once"


def test_a_flood_of_months_is_refused_and_nobody_elses() -> None:
    past = PastMonths(2.0)
    taken = sum(119 - waits(past, events(119), now) for now in range(600))
    assert taken <= 600 * 2 + 120 + 119
    assert waits(past, events(3), 600.0, "globex") == 0
    assert waits(past, [{"action": "now"}] * 1_000, 600.0) == 0


def test_the_wait_is_as_long_as_the_debt() -> None:
    past = PastMonths(2.0)
    assert waits(past, events(119), 0) == 0
    assert waits(past, events(119), 2.0) == 0
    found = past.waits(events(1, first=200), ["acme"], 4.0, TODAY)
    assert found == {0: pytest.approx((119 + 119 + 1 - 120 - 8) / 2)}


def test_many_events_of_one_month_and_of_months_in_order_cost_a_month_a_second() -> None:
    past = PastMonths(2.0)
    for number in range(2_000):  # a thousand events each tenth of a second
        month = events(1, first=number // 100)
        assert waits(past, month * 1_000, number / 10) == 0


def test_what_came_within_the_second_is_charged_once() -> None:
    past = PastMonths(0.01)
    assert waits(past, events(50), 0.0) == 0
    assert waits(past, events(50), 0.5) == 0
    assert waits(past, events(51), 0.5) == 1


def test_odd_values_are_left_to_the_checks() -> None:
    odd: list[Any] = [None, 7, "x", [], {}, {"occurred_at": []}, {"occurred_at": ""}, {"occurred_at": "long ago"}]
    assert waits(PastMonths(1.0), odd, 0) == 0
