"""Limits the parts that late periods may create, per tenant, and separately from the insert rate of current periods.

An insert creates a part for each period (a month, or a day) in its range. Current events span one period, or two at the
turn of a period. Backdated events can span any number of periods. If their parts were charged to the common insert
rate, they would delay every tenant. This is also why only one past period is current if periods are days: with a week
of current days, one tenant could make each range cost eight parts.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, timedelta
from threading import Lock
from typing import Final

from auditlane.store.partitioning import Partitioning

MINUTE_S: Final = 60.0
OF_ALL: Final = 2  # the budget of all tenants together, as a multiple of one tenant's
_LAST_DAY: Final = (date.max - date(1970, 1, 1)).days
REMEMBERED: Final = 10_000  # maximum number of tenants remembered; a forgotten one starts with a full budget


def late_before(newest_ms: int, partitioning: Partitioning) -> int:
    """Return the first period that is not late. It is the period before that of the newest message in the range, whose
    Kafka timestamp may be any number.
    """
    days = min(max(newest_ms // 86_400_000, 0), _LAST_DAY)
    return partitioning.previous(date(1970, 1, 1) + timedelta(days=days))


@dataclass(slots=True)
class Bucket:
    """A token bucket of unused parts. A negative balance is a debt."""

    saved: float
    at_ms: int

    def fill(self, rate: float, burst: float, now: int) -> float:
        """Add the tokens that have accrued at `rate` per second, up to `burst`."""
        self.saved = min(burst, self.saved + max(0, now - self.at_ms) * rate / 1_000)
        self.at_ms = now
        return self.saved


@dataclass(slots=True)
class LateBudget:
    """Allows `rate` parts per second and tenant. Unused parts of up to a minute are saved. Thread-safe.

    A part contains events of several tenants. It may be created if any of them has budget left, and is charged to all
    of them, so that a tenant with few late events does not wait for one with many.
    """

    rate: float
    _tenants: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)
    _all: Bucket | None = None
    _lock: Lock = field(default_factory=Lock)

    def take(self, tenants: Collection[str], now: int) -> bool:
        """Charge a part to its tenants. Returns False without charging it if the part has to wait.

        `now` is in milliseconds.
        """
        with self._lock:
            whole = self._whole(now)
            buckets = [self._of(tenant, now) for tenant in tenants]
            if whole.saved < 1 or not any(bucket.saved >= 1 for bucket in buckets):
                return False
            self._charge([whole, *buckets])
            return True

    def owe(self, tenants: Collection[str], now: int) -> None:
        """Charge a part that cannot wait. Balances may become negative."""
        with self._lock:
            self._charge([self._whole(now), *(self._of(tenant, now) for tenant in tenants)])

    def most_per_second(self, seconds: float) -> float:
        """Return the maximum number of parts per second for all tenants together, averaged over `seconds` and including
        saved parts.
        """
        return OF_ALL * (self.rate + self._burst / seconds)

    def _charge(self, buckets: Collection[Bucket]) -> None:
        for bucket in buckets:
            bucket.saved = max(bucket.saved - 1, -self._burst)

    @property
    def _burst(self) -> float:
        return max(1.0, self.rate * MINUTE_S)

    def _whole(self, now: int) -> Bucket:
        if self._all is None:
            self._all = Bucket(OF_ALL * self._burst, now)
        self._all.fill(OF_ALL * self.rate, OF_ALL * self._burst, now)
        return self._all

    def _of(self, tenant: str, now: int) -> Bucket:
        bucket = self._tenants.get(tenant)
        if bucket is None:
            bucket = self._tenants[tenant] = Bucket(self._burst, now)
            if len(self._tenants) > REMEMBERED:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(tenant)
        bucket.fill(self.rate, self._burst, now)
        return bucket
