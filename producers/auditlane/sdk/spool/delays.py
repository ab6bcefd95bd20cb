"""Decides when a tenant's log receives `delivery.delayed` and `delivery.recovered`. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from auditlane.sdk.spool.ledger import Ledger
from auditlane.sdk.spool.losses import time_text

DELAYED_S: Final = 10.0  # how long Kafka may acknowledge nothing before it is recorded in the tenants' logs


@dataclass(frozen=True, slots=True)
class Change:
    """The beginning or end of a delay. `spooled` is the number of the tenant's events that were on disk."""

    tenant: str
    action: str
    spooled: int
    since_us: int

    def metadata(self) -> dict[str, str]:
        """Return the event's metadata."""
        return {"spooled": str(self.spooled), "since": time_text(self.since_us)}


class Delays:
    """Detects delays.

    A delay begins once the oldest open record has stayed the same for DELAYED_S. It ends once no record is waiting to
    be sent, and all records that were added before that are done.
    """

    def __init__(self) -> None:
        self._low = -1  # all records up to this number were done
        self._moved_at = 0.0
        self._moved_us = 0
        self._mark = 0  # the delay ends when all records up to this number are done
        self._tenants: dict[str, int] = {}  # delayed tenants, and the highest number of their records

    def changes(self, ledger: Ledger, on_disk: Mapping[str, int], now: float, now_us: int) -> list[Change]:
        """Return the changes since the previous call. `now` is monotonic, and `now_us` is in microseconds since
        1970.
        """
        if ledger.low != self._low or not ledger.open:
            self._low, self._moved_at = ledger.low, now
            if not self._tenants:
                self._moved_us = now_us
        elif now - self._moved_at >= DELAYED_S:
            self._mark = ledger.last
            begun = [tenant for tenant in on_disk if tenant not in self._tenants]
            self._remember(on_disk, begun)
            return [Change(tenant, "delivery.delayed", on_disk[tenant], self._moved_us) for tenant in begun]
        self._remember(on_disk, [])
        if ledger.waiting:
            self._mark = max(self._mark, ledger.last)
        if not self._tenants or ledger.low < self._mark:
            return []
        ended, self._tenants = self._tenants, {}
        return [Change(tenant, "delivery.recovered", count, self._moved_us) for tenant, count in ended.items()]

    def _remember(self, on_disk: Mapping[str, int], begun: list[str]) -> None:
        for tenant in begun:
            self._tenants[tenant] = 0
        for tenant, count in self._tenants.items():
            self._tenants[tenant] = max(count, on_disk.get(tenant, 0))
