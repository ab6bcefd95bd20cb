"""How much one caller may do in a time, and of how many past months one tenant's events may be. Pure."""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

MOST_KEYS: Final = 20_000  # buckets kept; of more callers the one that was seen longest ago begins anew


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Rates:
    """One bucket a key. `per_s` tokens a second, 0 for any number; `burst` of them at once.

    A request is let in while there is a token, and then charged for everything it holds: one larger than the burst
    passes as well, and what follows waits until the debt is paid.
    """

    per_s: float
    burst: float
    most_keys: int = MOST_KEYS
    _buckets: OrderedDict[Hashable, _Bucket] = field(default_factory=OrderedDict)  # the last used one at the end

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds until this key may go on; 0 when it may now."""
        bucket = self._buckets.get(key) if self.per_s else None
        if bucket is None:
            return 0.0
        tokens = self._tokens(bucket, now)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.per_s

    def charge(self, key: Hashable, amount: int, now: float) -> None:
        """Take so many tokens from this key's bucket."""
        if not self.per_s:
            return
        bucket = self._buckets.setdefault(key, _Bucket(self.burst, now))
        bucket.tokens, bucket.at = self._tokens(bucket, now) - amount, now
        self._buckets.move_to_end(key)
        if len(self._buckets) > self.most_keys:
            self._buckets.popitem(last=False)

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self.burst, bucket.tokens + (now - bucket.at) * self.per_s)


SECOND_S: Final = 1.0  # a month that was charged for holds what comes within so long: a worker stores it together
BURST_S: Final = 10.0  # more at once would keep tenants of the same partition waiting for seconds
REMEMBERED: Final = 20_000


@dataclass(slots=True)
class PastMonths:
    """`per_s` months a second of one tenant, ten seconds' worth of them at once. Pure: times are passed in.

    Events of the present month and the one before cost nothing. Of a request with more months than there are tokens
    for, the newest are taken.
    """

    per_s: float
    _rates: Rates = field(init=False)
    _charged: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._rates = Rates(self.per_s, max(1, round(self.per_s * BURST_S)))

    def waits(self, posted: Sequence[object], tenants: Sequence[str], now: float, today: datetime) -> dict[int, float]:
        """Charge for the months of these posted events; the places of those that have to wait, with the seconds."""
        present = f"{today.year - (today.month == 1):04}-{(today.month - 2) % 12 + 1:02}"
        months: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for place, (one, tenant) in enumerate(zip(posted, tenants, strict=True)):
            at = one.get("occurred_at") if isinstance(one, dict) else None
            if isinstance(at, str) and at[:7] < present:
                months[tenant][at[:7]].append(place)
        waiting: dict[int, float] = {}
        for tenant, places in months.items():
            for month in sorted(places, reverse=True):
                if now - self._charged.get((tenant, month), -SECOND_S) < SECOND_S:
                    continue
                if wait_s := self._rates.wait_s(tenant, now):
                    waiting |= dict.fromkeys(places[month], wait_s)
                else:
                    self._charge(tenant, month, now)
        return waiting

    def _charge(self, tenant: str, month: str, now: float) -> None:
        self._rates.charge(tenant, 1, now)
        self._charged[tenant, month] = now
        self._charged.move_to_end((tenant, month))
        while len(self._charged) > REMEMBERED:
            self._charged.popitem(last=False)
