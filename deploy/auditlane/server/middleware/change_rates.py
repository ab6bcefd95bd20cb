"""Rate limits for changes to a tenant's data structure and saved views. Each change permanently adds a row and
events.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.access.audit import auditor_of
from auditlane.gateway.rate import Rates
from auditlane.runtime.errors import RateLimited

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def limit(per_minute: int, what: str) -> Callable[[Request], Awaitable[None]]:
    """Return a FastAPI dependency for routes that change something.

    `what` begins the error's text, such as "The data structure was". The dependency raises RateLimited if one tenant
    makes more than `per_minute` changes, including failed ones.
    """
    rates = Rates(per_s=per_minute / 60, burst=per_minute)

    async def charge(request: Request) -> None:
        if request.method in _READS:
            return
        tenant, now = auditor_of(request).tenant or "", time.monotonic()
        if wait_s := rates.wait_s(tenant, now):
            raise RateLimited(
                f"{what} changed too often within a minute.",
                fix="Retry after the time in Retry-After.",
                retry_after_s=wait_s,
            )
        rates.charge(tenant, 1, now)

    return charge
