"""Rate limit for changes to a tenant's data structure: each adds a permanent row and revision, and two events."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.access.audit import auditor_of
from auditlane.gateway.rate import Rates
from auditlane.runtime.errors import RateLimited
from auditlane.runtime.settings import Settings

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


def limit(settings: Settings) -> Callable[[Request], Awaitable[None]]:
    """Return a FastAPI dependency for routes that change a structure. Raises RateLimited above the limit per minute,
    which also counts failed changes."""
    limit_per_minute = settings.structure_changes_per_minute
    rates = Rates(per_s=limit_per_minute / 60, burst=limit_per_minute)

    async def charge(request: Request) -> None:
        if request.method in _READS:
            return
        tenant, now = auditor_of(request).tenant or "", time.monotonic()
        if wait_s := rates.wait_s(tenant, now):
            raise RateLimited(
                "The data structure was changed too often within a minute.",
                fix="Retry after the time in Retry-After.",
                retry_after_s=wait_s,
            )
        rates.charge(tenant, 1, now)

    return charge
