"""Queue the requests for a shared resource by tenant, so that one tenant's burst does not delay the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class FairQueue:
    """Admits at most `at_once` requests from a tenant at a time; the tenant's other requests wait in its queue.

    For use in one event loop.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lines: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """Hold one of the tenant's slots. A request without a tenant does not have to queue."""
        if not tenant:
            yield
            return
        places, here = self._lines.setdefault(tenant, (asyncio.Semaphore(self._at_once), []))
        here.append(None)
        try:
            async with places:
                yield
        finally:
            here.pop()
            if not here:
                del self._lines[tenant]
