"""Counts the events that tenants' contracts reject, in total and since the contract last changed. Performs no I/O.

A contract that requires a field that no client sends keeps events out of the log. Senders get an error for each event;
these counts make the problem visible to operators.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from auditlane.runtime.errors import EventTooLarge, InvalidEvent

MOST_TENANTS: Final = 1_000  # maximum number of tenants; beyond it, the one with the oldest last rejection is dropped
HOUR: Final = timedelta(hours=1)
_SLOT: Final = timedelta(minutes=5)  # granularity of the counts
_CONTRACT_INDEPENDENT: Final = frozenset({"tenant_id", "occurred_at"})  # fields checked regardless of the contract


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """How many events one tenant's contract rejected within an hour.

    `after_change` is the number since the contract's last change, if that was within the hour.
    """

    tenant: str
    refused: int
    changed_at: datetime | None = None
    after_change: int = 0


@dataclass(slots=True)
class _TenantRefusals:
    slots: dict[int, int] = field(default_factory=dict)  # slot number -> refusals
    changed_at: datetime | None = None
    after_change: int = 0


def by_contract(error: Exception) -> bool:
    """Return whether the tenant's contract rejected the event, rather than a rule for every event."""
    return (
        isinstance(error, InvalidEvent)
        and not isinstance(error, EventTooLarge)
        and error.field not in _CONTRACT_INDEPENDENT
    )


class ContractRefusals:
    """Counts events that one process rejected. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tenants: dict[str, _TenantRefusals] = {}  # in the order of their last refusal or change
        self._base_changed_at: datetime | None = None

    def changed(self, tenant: str | None, now: datetime) -> None:
        """Record a change to the contract of `tenant`, or to the environment's, which all tenants share, if it is
        None.
        """
        with self._lock:
            if tenant is None:
                self._base_changed_at = now
            for refusals in list(self._tenants.values()) if tenant is None else [self._of(tenant)]:
                refusals.changed_at, refusals.after_change = now, 0

    def add(self, tenant: str, now: datetime) -> RefusalCount:
        """Count a rejected event, and return the tenant's counts."""
        with self._lock:
            refusals = self._of(tenant)
            slot = _slot(now)
            refusals.slots[slot] = refusals.slots.get(slot, 0) + 1
            if _recent(refusals.changed_at, now):
                refusals.after_change += 1
            return _count_of(tenant, refusals, now)

    def top(self, now: datetime, most: int = 10) -> list[RefusalCount]:
        """Return up to `most` tenants with rejected events, first those whose contract changed within the hour."""
        with self._lock:
            counts = [_count_of(tenant, refusals, now) for tenant, refusals in self._tenants.items()]
        refused = [count for count in counts if count.refused]
        return sorted(refused, key=lambda count: (-count.after_change, -count.refused, count.tenant))[:most]

    def _of(self, tenant: str) -> _TenantRefusals:
        refusals = self._tenants.pop(tenant, None) or _TenantRefusals(changed_at=self._base_changed_at)
        self._tenants[tenant] = refusals
        while len(self._tenants) > MOST_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        return refusals


def _slot(now: datetime) -> int:
    return int(now.timestamp() // _SLOT.total_seconds())


def _recent(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at < HOUR


def _count_of(tenant: str, refusals: _TenantRefusals, now: datetime) -> RefusalCount:
    oldest = _slot(now - HOUR)
    refusals.slots = {slot: count for slot, count in refusals.slots.items() if slot > oldest}
    refused = sum(refusals.slots.values())
    if not _recent(refusals.changed_at, now):
        return RefusalCount(tenant, refused)
    return RefusalCount(tenant, refused, refusals.changed_at, refusals.after_change)
