"""A circuit breaker that halts a partition when most of its recent messages are rejected.

After a bad deploy, every message would become a dead letter. The circuit breaker checks a range's validation result
before anything is written. If it opens, the range stays pending, and the next assignment validates it again.

Many tenants share a partition, so it halts only for a failure that affects many of them. The messages of a single
tenant never halt a partition that others use. If they are rejected, they become dead letters.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Final, NamedTuple

from auditlane.contract.partition import Partition
from auditlane.worker.protocol.partition_state import Range

DAY_MS: Final = 86_400_000
REMEMBERED: Final = 1_000  # maximum number of tenants remembered per partition; the least recent are forgotten


class Traffic(NamedTuple):
    """The number of messages of a tenant in a range or window, and how many of them were rejected."""

    messages: int
    rejected: int

    def plus(self, more: Traffic, times: int = 1) -> Traffic:
        return Traffic(self.messages + times * more.messages, self.rejected + times * more.rejected)

    def exceeds(self, ratio: float) -> bool:
        return self.rejected > ratio * self.messages


_NONE: Final = Traffic(0, 0)
ByTenant = Mapping[str, Traffic]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """The policy of a circuit breaker. It opens when more than `ratio` of the recent messages are rejected. A ratio of
    1 disables it.

    Recent messages are the last `window` messages or more, all validated within the last `within_ms`.

    At least `tenants` tenants must be failing, or every tenant known to use the partition. A tenant is failing when
    more than `ratio` of its own messages are rejected. Messages whose key does not name a tenant count as one tenant. A
    single tenant must not dominate either: without the tenant with the most rejections, the ratio of rejected messages
    must still exceed half of `ratio`.
    """

    ratio: float = 0.5
    window: int = 1_000
    within_ms: int = 600_000
    tenants: int = 3

    @property
    def off(self) -> bool:
        return self.ratio >= 1


@dataclass(slots=True)
class PartitionBreaker:
    """The breaker of one partition under one assignment. Times are monotonic milliseconds.

    It keeps counts per tenant for each range in the window, for at most `REMEMBERED` tenants.
    """

    policy: BreakerPolicy
    _ranges: deque[tuple[int, ByTenant]] = field(default_factory=deque)  # (time of validation, traffic)
    _tenants: dict[str, Traffic] = field(default_factory=dict)  # traffic in the window, by tenant
    _all: Traffic = _NONE
    # Tenants with an accepted message within a day. A flood from one tenant pushes the others out of the window, but a
    # halt would still affect them.
    _served: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def record(self, traffic: ByTenant, now: int) -> str:
        """Count a range. Returns the reason why the partition must halt, or an empty string if the range may be
        written.
        """
        self.count(traffic, now)
        return self.reason_to_open()

    def count(self, traffic: ByTenant, now: int) -> None:
        """Count a range, and drop ranges that are too old or outside the window."""
        if self.policy.off or not traffic:
            return
        self._ranges.append((now, traffic))
        self._add(traffic, 1)
        while self._too_old(now) or self._all.messages - _size(self._ranges[0][1]) >= self.policy.window:
            self._add(self._ranges.popleft()[1], -1)
        self.add_known_tenants({tenant for tenant, one in traffic.items() if one.rejected < one.messages}, now)

    def reason_to_open(self) -> str:
        """Return the reason to halt the partition because of the counted traffic, or "" if it can continue."""
        if self._all.messages < self.policy.window or not self._all.exceeds(self.policy.ratio):
            return ""
        failing = {tenant for tenant, one in self._tenants.items() if one.exceeds(self.policy.ratio)}
        if not (self._from_every_tenant(failing) or self._from_many(failing)):
            return ""
        return (
            f"the circuit breaker opened: {self._all.rejected} of the last {self._all.messages} messages were rejected,"
            f" more than {self.policy.ratio:.0%}, from {_tenants(len(failing))}"
        )

    def add_known_tenants(self, tenants: Iterable[str], now: int) -> None:
        """Record that these tenants use the partition."""
        for tenant in tenants:
            self._served[tenant] = now
            self._served.move_to_end(tenant)
        while self._served and (len(self._served) > REMEMBERED or now - next(iter(self._served.values())) > DAY_MS):
            self._served.popitem(last=False)

    def _from_every_tenant(self, failing: set[str]) -> bool:
        return failing >= self._tenants.keys() and failing >= self._served.keys()

    def _from_many(self, failing: set[str]) -> bool:
        worst = max(self._tenants.values(), key=lambda traffic: traffic.rejected)
        return len(failing) >= self.policy.tenants and self._all.plus(worst, -1).exceeds(self.policy.ratio / 2)

    def _add(self, traffic: ByTenant, times: int) -> None:
        for tenant, one in traffic.items():
            self._all = self._all.plus(one, times)
            counted = self._tenants[tenant] = self._tenants.get(tenant, _NONE).plus(one, times)
            if not counted.messages:
                del self._tenants[tenant]

    def _too_old(self, now: int) -> bool:
        return now - self._ranges[0][0] > self.policy.within_ms


def _size(traffic: ByTenant) -> int:
    return sum(one.messages for one in traffic.values())


def _tenants(count: int) -> str:
    return "one tenant" if count == 1 else f"{count} tenants"


@dataclass(slots=True)
class _Assigned:
    """The breaker of one assignment.

    `counted` is the first offset of the newest range. A range that is validated again because the store did not respond
    is therefore counted only once.
    """

    assignment_epoch: int
    breaker: PartitionBreaker
    counted: int = -1
    seeded: bool = False  # whether the store's tenants have been added


class CircuitBreaker:
    """The breakers of all partitions. A new assignment starts with empty counts. Several threads may use it, one per
    partition.

    `served` returns the tenants with rows among a partition's newest messages. It is called before an assignment's
    first halt, so that the first tenant seen is not mistaken for the only one. Its exceptions propagate.
    """

    def __init__(self, policy: BreakerPolicy, *, served: Callable[[Range], Iterable[str]] = lambda _: ()) -> None:
        self._policy = policy
        self._served = served
        self._by_partition: dict[Partition, _Assigned] = {}
        self._lock = Lock()

    def record(self, range_: Range, traffic: ByTenant, now: int) -> str:
        """Count a range in the breaker of its partition. Returns the reason why the partition must halt, or an empty
        string.
        """
        assigned = self._of(range_)
        breaker = assigned.breaker
        if assigned.counted != range_.first:
            assigned.counted = range_.first
            breaker.count(traffic, now)
        if breaker.reason_to_open() and not assigned.seeded:
            breaker.add_known_tenants(self._served(range_), now)
            assigned.seeded = True
        return breaker.reason_to_open()

    def _of(self, range_: Range) -> _Assigned:
        with self._lock:
            found = self._by_partition.get(range_.partition)
            if found is None or found.assignment_epoch != range_.assignment_epoch:
                found = self._by_partition[range_.partition] = _Assigned(
                    range_.assignment_epoch, PartitionBreaker(self._policy)
                )
            return found
