"""Checks whether a tenant's audit logs are enabled, for each request that reads them, usually from a cache."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import LogsDisabled, StoreUnavailable
from auditlane.server.bounded_call import BoundedCall

THREADS: Final = 16  # number of threads: one refreshes the settings while the others serve from the cache


class TenantEnablement:
    """Checks whether logs are enabled. `enabled(tenant)` may block, like `StructureCache.of`, but a request waits for
    it for at most `timeout_s` seconds.

    For an empty tenant, it returns the default that tenants inherit.
    """

    def __init__(self, enabled: Callable[[str], bool], *, timeout_s: float) -> None:
        self._enabled = enabled
        self._reads = BoundedCall("ClickHouse", timeout_s=timeout_s, threads=THREADS, error=StoreUnavailable)

    async def is_enabled(self, tenant: str | None) -> bool:
        """Return whether the tenant's logs are enabled, or the default for all tenants if it is None.

        Raises StoreUnavailable.
        """
        if tenant == OURS:  # the operators' log is always enabled
            return True
        return await self._reads.run(partial(self._enabled, tenant or ""))

    async def require_enabled(self, tenant: str) -> None:
        """Raise LogsDisabled if the tenant's logs are disabled. Raises StoreUnavailable."""
        if not await self.is_enabled(tenant):
            raise LogsDisabled(
                "Audit logs are disabled for this tenant.",
                fix="Ask a user with the permission audits:configure to enable them. Events are still recorded.",
            )
