"""Which tenants' contracts refuse events, and whether that began with a change of the contract. Pure: `now` is passed.

A contract that demands what nobody sends keeps events out of the log. Whoever sends them is told with each; this is how
operators see it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from auditlane.runtime.errors import EventTooLarge, InvalidEvent

MOST_TENANTS: Final = 1_000  # known at once; the one whose last refusal is oldest is forgotten
HOUR: Final = timedelta(hours=1)
_SLOT: Final = timedelta(minutes=5)  # refusals are counted by these
_OF_EVERY_EVENT: Final = frozenset({"tenant_id", "occurred_at"})  # checked whatever the contract says


@dataclass(frozen=True, slots=True)
class RefusalCount:
    """One tenant's events that its contract refused within an hour; `after_change` of them since it was last changed,
    if that was within the hour too."""

    tenant: str
    refused: int
    changed_at: datetime | None = None
    after_change: int = 0


@dataclass(slots=True)
class _TenantRefusals:
    slots: dict[int, int] = field(default_factory=dict)  # number of the slot -> refusals
    changed_at: datetime | None = None
    after_change: int = 0


def by_contract(error: Exception) -> bool:
    """Whether an event that could be read was refused by what its tenant's contract says."""
    return (
        isinstance(error, InvalidEvent) and not isinstance(error, EventTooLarge) and error.field not in _OF_EVERY_EVENT
    )


class ContractRefusals:
    """Thread-safe; of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tenants: dict[str, _TenantRefusals] = {}  # in the order of their last refusal or change
        self._base_changed_at: datetime | None = None

    def changed(self, tenant: str | None, now: datetime) -> None:
        """A contract was changed; None: the environment's, which is everybody's."""
        with self._lock:
            if tenant is None:
                self._base_changed_at = now
            for refusals in list(self._tenants.values()) if tenant is None else [self._of(tenant)]:
                refusals.changed_at, refusals.after_change = now, 0

    def add(self, tenant: str, now: datetime) -> RefusalCount:
        """One event was refused; returns how it stands with this tenant."""
        with self._lock:
            one = self._of(tenant)
            slot = _slot(now)
            one.slots[slot] = one.slots.get(slot, 0) + 1
            if _recent(one.changed_at, now):
                one.after_change += 1
            return _count_of(tenant, one, now)

    def top(self, now: datetime, most: int = 10) -> list[RefusalCount]:
        """The tenants with most refusals within an hour, those first whose contract was changed meanwhile."""
        with self._lock:
            counts = [_count_of(tenant, one, now) for tenant, one in self._tenants.items()]
        found = [one for one in counts if one.refused]
        return sorted(found, key=lambda one: (-one.after_change, -one.refused, one.tenant))[:most]

    def _of(self, tenant: str) -> _TenantRefusals:
        one = self._tenants.pop(tenant, None) or _TenantRefusals(changed_at=self._base_changed_at)
        self._tenants[tenant] = one
        while len(self._tenants) > MOST_TENANTS:
            del self._tenants[next(iter(self._tenants))]
        return one


def _slot(now: datetime) -> int:
    return int(now.timestamp() // _SLOT.total_seconds())


def _recent(at: datetime | None, now: datetime) -> bool:
    return at is not None and now - at < HOUR


def _count_of(tenant: str, one: _TenantRefusals, now: datetime) -> RefusalCount:
    oldest = _slot(now - HOUR)
    one.slots = {slot: count for slot, count in one.slots.items() if slot > oldest}
    refused = sum(one.slots.values())
    if not _recent(one.changed_at, now):
        return RefusalCount(tenant, refused)
    return RefusalCount(tenant, refused, one.changed_at, one.after_change)
