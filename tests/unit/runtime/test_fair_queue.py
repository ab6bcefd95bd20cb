"""Tests that many requests from one tenant do not delay other tenants."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from auditlane.runtime.fair_share import FairQueue


def test_other_tenants_go_before_one_tenants_crowd() -> None:
    lines, order = FairQueue(1), []
    shared = anyio.CapacityLimiter(1)

    async def request(tenant: str) -> None:
        async with lines.of(tenant), shared:
            order.append(tenant)
            await asyncio.sleep(0)

    async def run() -> None:
        await asyncio.gather(*(request("crowd") for _ in range(20)), request("other"), request(""))

    asyncio.run(run())
    assert set(order[:3]) == {"crowd", "other", ""}
    assert order.count("crowd") == 20


def test_an_inactive_tenant_leaves_no_state() -> None:
    lines = FairQueue(2)

    async def run() -> None:
        async with lines.of("a"), lines.of("a"):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01), lines.of("a"):
                    pass
        with pytest.raises(LookupError):
            async with lines.of("b"):
                raise LookupError

    asyncio.run(run())
    assert lines._lines == {}
