"""The parts that late months may make: a budget for each tenant, apart from that of the months that all events are of.

An insert makes a part for each month of its range. Events of the present are of one month, at a turn of two; backdated
ones are of as many as their sender likes. Charged to the common budget, they would make every tenant wait.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np

MINUTE_S: Final = 60.0
OF_ALL: Final = 2  # the budget of all tenants together, in those of one tenant
REMEMBERED: Final = 10_000  # tenants; one that is forgotten has its whole budget again


def late_before(newest_ms: int) -> int:
    """The first month (yyyymm, UTC) that is not late in a range whose newest message Kafka had at this time: the one
    before the message's own."""
    before = int(np.datetime64(newest_ms, "ms").astype("datetime64[M]").astype(int)) - 1
    return (1970 + before // 12) * 100 + before % 12 + 1


@dataclass(slots=True)
class Bucket:
    """Parts that are saved up; below zero, a debt."""

    saved: float
    at_ms: int

    def fill(self, rate: float, burst: float, now: int) -> float:
        self.saved = min(burst, self.saved + max(0, now - self.at_ms) * rate / 1_000)
        self.at_ms = now
        return self.saved


@dataclass(slots=True)
class LateBudget:
    """`rate` is parts a second of one tenant, of which a minute's worth may be saved up. Thread-safe.

    A part holds what several tenants sent. It may be made when one of them can pay, and all of them are charged: so the
    months of a tenant that sends few do not wait for one that sends many.
    """

    rate: float
    _tenants: OrderedDict[str, Bucket] = field(default_factory=OrderedDict)
    _all: Bucket | None = None
    _lock: Lock = field(default_factory=Lock)

    def take(self, tenants: Collection[str], now: int) -> bool:
        """Charge a part to its tenants; False, and nothing is charged, when it has to wait. Times are milliseconds."""
        with self._lock:
            whole = self._whole(now)
            buckets = [self._of(tenant, now) for tenant in tenants]
            if whole.saved < 1 or not any(one.saved >= 1 for one in buckets):
                return False
            self._charge([whole, *buckets])
            return True

    def owe(self, tenants: Collection[str], now: int) -> None:
        """Charge a part that does not wait."""
        with self._lock:
            self._charge([self._whole(now), *(self._of(tenant, now) for tenant in tenants)])

    def most_per_second(self, seconds: float) -> float:
        """The parts of all tenants that may be made in so many seconds, what was saved up included, for each second."""
        return OF_ALL * (self.rate + self._burst / seconds)

    def _charge(self, buckets: Collection[Bucket]) -> None:
        for one in buckets:
            one.saved = max(one.saved - 1, -self._burst)

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
