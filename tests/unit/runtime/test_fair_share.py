"""Tests how much of the event loop's time each tenant gets, and which tenants are delayed as a result."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest

from auditlane.runtime.fair_share import ALONE_S, KEPT, LONGEST_S, Shares, Timed


def busy(shares: Shares, tenant: str, part: float, *, since: float, until: float) -> None:
    """Charge the tenant for this fraction of the loop's time, in steps of 10 ms."""
    for step in range(int((until - since) * 100)):
        shares.charge(tenant, part / 100, since + step / 100)


def test_a_tenant_below_its_share_never_waits() -> None:
    shares = Shares(0.2)
    shares.charge("other", 0.001, 0)
    for second in range(30):
        busy(shares, "acme", 0.15, since=second, until=second + 1)
        shares.charge("other", 0.001, second + 1)
        assert shares.wait_s("acme", second + 1) == 0


def test_a_tenant_above_its_share_waits_longer_the_more_it_uses() -> None:
    found = []
    for part in (0.25, 0.3, 0.5):
        shares = Shares(0.2)
        busy(shares, "acme", part, since=0, until=10)
        shares.charge("other", 0.001, 10)
        found.append(shares.wait_s("acme", 10))
        assert shares.wait_s("other", 10) == 0
        assert shares.wait_s("never seen", 10) == 0
    assert found == sorted(found)
    assert found[0] > 0


def test_a_tenant_that_waits_its_turn_gets_its_share_and_no_more() -> None:
    """Simulate forty clients whose requests take 50 ms each. A client sends its next request as soon as it gets a
    response.
    """
    shares, ready, done, now = Shares(0.2), [0.0] * 40, 0.0, 0.0
    while now < 100:
        client = min(range(len(ready)), key=ready.__getitem__)
        now = ready[client]
        shares.charge("other", 0.001, now)
        wait_s, expected = shares.reserve("acme", now)
        if wait_s > LONGEST_S:
            shares.settle("acme", expected, None, now)
            ready[client] = now + 0.2
            continue
        shares.charge("acme", 0.05, now + wait_s)
        shares.settle("acme", expected, 0.05, now + wait_s)
        done += 0.05
        ready[client] = now + wait_s + 0.05
    assert 0.2 * 90 <= done <= 0.2 * 120


def test_waiting_requests_get_consecutive_turns() -> None:
    shares = Shares(0.2)
    for _ in range(50):  # learns that a request costs 40 ms
        _, expected = shares.reserve("acme", 0)
        shares.settle("acme", expected, 0.04, 0)
    busy(shares, "acme", 1.0, since=1, until=2)
    shares.charge("other", 0.001, 2)
    turns = [shares.reserve("acme", 2)[0] for _ in range(5)]
    gaps = [later - earlier for earlier, later in pairwise(turns)]
    assert gaps == pytest.approx([0.04 / 0.2] * 4, rel=0.01)


def test_refused_requests_do_not_change_a_debt() -> None:
    """Rejected requests neither lengthen nor shorten the wait of admitted requests."""
    shares = Shares(0.2)
    for _ in range(50):  # learns that a request costs 3 s
        _, expected = shares.reserve("acme", 0)
        shares.settle("acme", expected, 3.0, 0)
    busy(shares, "acme", 1.0, since=1, until=60)
    shares.charge("other", 0.001, 60)
    before = shares.wait_s("acme", 60)
    for _ in range(100):
        wait_s, expected = shares.reserve("acme", 60)
        assert wait_s > LONGEST_S
        shares.settle("acme", expected, None, 60)
    assert shares.wait_s("acme", 60) == before


def test_exactly_the_reservation_is_released() -> None:
    shares = Shares(0.2)
    for _ in range(50):
        _, expected = shares.reserve("acme", 0)
        shares.settle("acme", expected, 3.0, 0)
    shares.charge("acme", 0.8, 1)
    shares.charge("other", 0.001, 1)
    before = shares.wait_s("acme", 1)
    wait_s, expected = shares.reserve("acme", 1)  # the tenant's average would exceed its maximum debt
    assert (wait_s, before) == (before, pytest.approx(2.0))
    shares.settle("acme", expected, None, 1)
    assert shares.wait_s("acme", 1) == pytest.approx(before)


def test_a_tenants_debt_is_bounded() -> None:
    shares = Shares(0.2)
    busy(shares, "acme", 1.0, since=0, until=600)
    shares.charge("other", 0.001, 600)
    assert LONGEST_S < shares.wait_s("acme", 600) < 2 * LONGEST_S
    assert shares.wait_s("acme", 600 + 2 * LONGEST_S) == 0


def test_a_tenant_alone_does_not_wait() -> None:
    shares = Shares(0.2)
    shares.charge("other", 0.001, 0)
    busy(shares, "acme", 1.0, since=0, until=ALONE_S + 1)
    assert shares.wait_s("acme", ALONE_S + 1) == 0
    shares.charge("other", 0.001, ALONE_S + 1)
    assert shares.wait_s("acme", ALONE_S + 1) > 0


def test_past_charges_decay() -> None:
    shares = Shares(0.2)
    busy(shares, "acme", 1.0, since=0, until=10)
    shares.charge("other", 0.001, 14.9)
    shares.charge("other", 0.001, 28)
    assert shares.wait_s("acme", 10) > 0
    assert shares.wait_s("acme", 28) == 0


def test_the_number_of_tracked_tenants_is_bounded() -> None:
    shares = Shares(0.2)
    for number in range(3 * KEPT):
        shares.charge(f"tenant{number}", 0.001, number / 10_000)
    assert len(shares._tenants) <= KEPT


def charged_for(work: Coroutine[Any, Any, None]) -> list[float]:
    """Run the work, and return what is charged for each step. Errors in the work are raised unchanged."""
    charged: list[float] = []

    async def run() -> None:
        await Timed(work, charged.append)

    try:
        asyncio.run(run())
    finally:
        assert all(one >= 0 for one in charged)
    return charged


def test_each_step_is_charged_and_waiting_is_not() -> None:
    async def work() -> None:
        sum(range(20_000))
        await asyncio.sleep(0)
        sum(range(20_000))
        await asyncio.sleep(0.2)

    charged = charged_for(work())
    assert len(charged) == 3
    assert 0 < sum(charged) < 0.2


def test_the_result_of_the_work_is_returned() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    async def run() -> int:
        return await Timed(work(), lambda seconds: None)

    assert asyncio.run(run()) == 7


def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        charged_for(work())


def test_an_error_of_an_awaited_call_reaches_the_work() -> None:
    async def fails() -> None:
        raise LookupError

    async def work() -> None:
        with suppress(LookupError):
            await asyncio.ensure_future(fails())
        await asyncio.sleep(0)

    assert len(charged_for(work())) == 3


def test_a_cancellation_reaches_the_work() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3_600)
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def run() -> None:
        async def timed() -> None:
            await Timed(work(), lambda seconds: None)

        task = asyncio.ensure_future(timed())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert seen == ["cancelled"]
