"""How often a tenant's structure may be changed: each change is a row and a revision that stay, and two events."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from fastapi import Request

from auditlane.access.audit import auditor_of
from auditlane.gateway.rate import Rates
from auditlane.runtime.errors import RateLimited
from auditlane.runtime.settings import Settings

_LOOKS = frozenset({"GET", "HEAD", "OPTIONS"})


def limit(settings: Settings) -> Callable[[Request], Awaitable[None]]:
    """A FastAPI dependency for the routes that change a structure. Raises RateLimited after too many changes in a
    minute, whatever became of them."""
    most = settings.structure_changes_per_minute
    rates = Rates(per_s=most / 60, burst=most)

    async def charge(request: Request) -> None:
        if request.method in _LOOKS:
            return
        tenant, now = auditor_of(request).tenant or "", time.monotonic()
        if wait_s := rates.wait_s(tenant, now):
            raise RateLimited(
                "The structure is changed more often than it may be.",
                fix="Wait as long as Retry-After says, then change it again.",
                retry_after_s=wait_s,
            )
        rates.charge(tenant, 1, now)

    return charge
