"""Rate limits per caller, and limits on what one tenant's events cost, in past periods and in pattern steps. Performs
no I/O.

Also contains the errors for callers and events that exceed a limit.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from auditlane.contract.patterns import LONGEST_VALUE
from auditlane.runtime.errors import RateLimited
from auditlane.store.partitioning import Partitioning

# Maximum number of buckets. The least recently used one is dropped, so its caller starts again with a full one.
MOST_KEYS: Final = 20_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Rates:
    """A token bucket per key. It gains `per_s` tokens a second (0 means unlimited), and holds at most `burst`.

    A request is admitted while a token is available, and is then charged in full. A request that exceeds the burst is
    therefore admitted too; later requests wait until the debt is repaid.
    """

    per_s: float
    burst: float
    most_keys: int = MOST_KEYS
    _buckets: OrderedDict[Hashable, _Bucket] = field(default_factory=OrderedDict)  # most recently used last

    def wait_s(self, key: Hashable, now: float) -> float:
        """Return the number of seconds until this key has a token, 0 if it has one now."""
        bucket = self._buckets.get(key) if self.per_s else None
        if bucket is None:
            return 0.0
        tokens = self._tokens(bucket, now)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.per_s

    def charge(self, key: Hashable, amount: int, now: float) -> None:
        """Take `amount` tokens from this key's bucket, whose balance may become negative."""
        if not self.per_s:
            return
        bucket = self._buckets.setdefault(key, _Bucket(self.burst, now))
        bucket.tokens, bucket.at = self._tokens(bucket, now) - amount, now
        self._buckets.move_to_end(key)
        if len(self._buckets) > self.most_keys:
            self._buckets.popitem(last=False)

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self.burst, bucket.tokens + (now - bucket.at) * self.per_s)


# One charge for a past period covers all of its events within this time, since a worker inserts them together.
SECOND_S: Final = 1.0
# Clients that were offline for a week are common. Their six late days cost a worker 1.5 s of its budget for late parts.
FREE_DAYS: Final = 7
BURST_S: Final = 10.0  # a larger burst would delay the partition's other tenants by seconds
REMEMBERED: Final = 20_000


@dataclass(slots=True)
class PastPeriods:
    """Limits one tenant to `per_s` past periods a second, with a burst of ten times that. Pure: times are arguments.

    The current and the previous month are free, or the current day and `FREE_DAYS` before it. If a request has more
    periods than there are tokens, the newest are admitted.
    """

    per_s: float
    partitioning: Partitioning = Partitioning.MONTH
    _rates: Rates = field(init=False)
    _charged: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def __post_init__(self) -> None:
        self._rates = Rates(self.per_s, max(1, round(self.per_s * BURST_S)))

    def waits(self, posted: Sequence[object], tenants: Sequence[str], now: float, today: datetime) -> dict[int, float]:
        """Charge for the periods of these posted events. Returns the seconds to wait for each rejected event, by
        position.
        """
        oldest_free = _oldest_free(today, self.partitioning)
        length = len(oldest_free)
        periods: defaultdict[str, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for position, (event, tenant) in enumerate(zip(posted, tenants, strict=True)):
            at = event.get("occurred_at") if isinstance(event, dict) else None
            if isinstance(at, str) and at[:length] < oldest_free:
                periods[tenant][at[:length]].append(position)
        waiting: dict[int, float] = {}
        for tenant, positions in periods.items():
            for period in sorted(positions, reverse=True):
                if now - self._charged.get((tenant, period), -SECOND_S) < SECOND_S:
                    continue
                if wait_s := self._rates.wait_s(tenant, now):
                    waiting |= dict.fromkeys(positions[period], wait_s)
                else:
                    self._charge(tenant, period, now)
        return waiting

    def _charge(self, tenant: str, period: str, now: float) -> None:
        self._rates.charge(tenant, 1, now)
        self._charged[tenant, period] = now
        self._charged.move_to_end((tenant, period))
        while len(self._charged) > REMEMBERED:
            self._charged.popitem(last=False)


def _oldest_free(today: datetime, partitioning: Partitioning) -> str:
    """Return the oldest period that costs nothing, as the text with which its times begin: yyyy-mm or yyyy-mm-dd."""
    if partitioning is Partitioning.DAY:
        return (today.date() - timedelta(days=FREE_DAYS)).isoformat()
    return (today.replace(day=1) - timedelta(days=1)).isoformat()[:7]


LEAST_STEPS: Final = 5_000  # maximum number of pattern steps (60 µs) without a charge for the event
STEPS_BURST_S: Final = 5  # burst, in seconds' worth of steps


@dataclass(slots=True)
class PatternSteps:
    """Limits the CPU time for the patterns in one tenant's contract to `per_s` steps a second. 0 means unlimited."""

    per_s: float
    _rates: Rates = field(init=False)

    def __post_init__(self) -> None:
        self._rates = Rates(self.per_s, self.per_s * STEPS_BURST_S)

    def waits(
        self,
        posted: Sequence[object],
        tenants: Sequence[str],
        patterned: Mapping[str, Sequence[tuple[str, int]]],
        now: float,
    ) -> tuple[dict[int, float], int]:
        """Charge for matching these posted events against patterns.

        Returns the seconds to wait for each rejected event, by position, and the total steps of the other events.
        `patterned` maps each tenant to its (field, number of states) pairs.
        """
        waiting: dict[int, float] = {}
        total = 0
        for position, (event, tenant) in enumerate(zip(posted, tenants, strict=True)):
            steps = pattern_steps(event, patterned[tenant]) if patterned[tenant] else 0
            if steps and (wait_s := self._rates.wait_s(tenant, now)):
                waiting[position] = wait_s
                continue
            if steps:
                self._rates.charge(tenant, steps, now)
            total += steps
        return waiting, total


def pattern_steps(posted: object, patterned: Sequence[tuple[str, int]]) -> int:
    """Return the number of steps for matching an event's patterns, or 0 if they are too few to charge. A step takes at
    most 12 ns.
    """
    if not isinstance(posted, dict):
        return 0
    own = posted.get("fields")
    steps = 0
    for name, states in patterned:
        value = posted.get(name)
        if value is None and isinstance(own, dict):
            value = own.get(name)
        if value is not None:
            steps += states * _bytes(value)
    return steps if steps >= LEAST_STEPS else 0


def _bytes(value: object) -> int:
    return len(value[:LONGEST_VALUE].encode(errors="replace")) if isinstance(value, str) else LONGEST_VALUE


def too_many_steps(wait_s: float) -> RateLimited:
    """Return the error for an event whose patterns exceed the limit."""
    return RateLimited(
        "The tenant has reached its limit of CPU time for checking its contract's patterns.",
        fix="Send the event again after Retry-After seconds; simpler patterns and shorter values take less time. "
        "AUDITLANE_INGEST_PATTERN_STEPS is the limit.",
        retry_after_s=wait_s,
    )


def too_fast(wait_s: float) -> RateLimited:
    """Return the error for a request, or a tenant's events, beyond a rate limit."""
    return RateLimited(
        "This client has reached its rate limit for events of this tenant.",
        fix="Send them again after Retry-After seconds; AUDITLANE_INGEST_RATE is the limit.",
        retry_after_s=wait_s,
    )


def too_many_periods(wait_s: float, partitioning: Partitioning) -> RateLimited:
    """Return the error for an event beyond the limit on past periods."""
    return RateLimited(
        f"The tenant's events span more past {partitioning}s than the limit allows at a time.",
        field="occurred_at",
        fix="Send them again after Retry-After seconds, in order of occurred_at, so that a request spans few "
        f"{partitioning}s. "
        "AUDITLANE_INGEST_PAST_MONTHS is the limit.",
        retry_after_s=wait_s,
    )
