"""Whether a tenant's audit logs are switched on: asked for each request that views them, mostly known already."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import LogsDisabled, StoreUnavailable
from auditlane.server.bounded_call import BoundedCall

ASKERS: Final = 16  # threads; one of them may be reading, the others take what is known


class TenantEnablement:
    """`enabled(tenant)` may block, as `StructureCache.of` does; no request waits for it longer than `timeout_s`.

    For "", which no tenant is called, it says what tenants inherit.
    """

    def __init__(self, enabled: Callable[[str], bool], *, timeout_s: float) -> None:
        self._enabled = enabled
        self._askers = BoundedCall("ClickHouse", timeout_s=timeout_s, threads=ASKERS, error=StoreUnavailable)

    async def is_enabled(self, tenant: str | None) -> bool:
        """Whether a tenant's logs are on; None: what tenants inherit. Raises StoreUnavailable when nobody can say."""
        if tenant == OURS:  # what operators do is there to be seen, whatever tenants see
            return True
        return await self._askers.run(partial(self._enabled, tenant or ""))

    async def require_enabled(self, tenant: str) -> None:
        """Raise LogsDisabled for a tenant whose logs are off, StoreUnavailable when nobody can say."""
        if not await self.is_enabled(tenant):
            raise LogsDisabled(
                "Audit logs are switched off for this tenant.",
                fix="Its events are still recorded; whoever may configure audit logs can switch them on.",
            )
