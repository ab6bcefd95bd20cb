"""The circuit breaker: halts a partition when suddenly most of its messages are rejected, before all of them are.

After a bad deploy every message would become a dead letter. The circuit breaker sees the result of a range's validation
before anything of it is written: the range stays pending, and the next assignment validates it again.

A partition is shared by many tenants, so it is halted only for what concerns many of them. What one tenant sends
never stops a partition that others use: its refused messages become dead letters.
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
REMEMBERED: Final = 1_000  # tenants of one partition; those that were heard of last


class Traffic(NamedTuple):
    """How many messages a tenant has in a range or window, and how many of them are refused."""

    messages: int
    refused: int

    def plus(self, more: Traffic, times: int = 1) -> Traffic:
        return Traffic(self.messages + times * more.messages, self.refused + times * more.refused)

    def exceeds(self, ratio: float) -> bool:
        return self.refused > ratio * self.messages


_NONE: Final = Traffic(0, 0)
ByTenant = Mapping[str, Traffic]


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Stop when more than `ratio` of the newest messages are refused: the last `window` of them at least, none judged
    longer than `within_ms` ago. A ratio of 1 lets everything through.

    The refusals must come from at least `tenants` tenants, or from every tenant that the partition was seen to have.
    They come from a tenant when more than `ratio` of its own messages are refused; messages whose key names no tenant
    count as one tenant's. Nor may they be the work of one:
    without the tenant of which most is refused, more than half of `ratio` must still be refused.
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
    """One partition's, under one assignment. Times are monotonic milliseconds.

    Memory: a count for each tenant and range of the window, and at most `REMEMBERED` names.
    """

    policy: BreakerPolicy
    _ranges: deque[tuple[int, ByTenant]] = field(default_factory=deque)  # (judged at, what was in it)
    _tenants: dict[str, Traffic] = field(default_factory=dict)  # in the window
    _all: Traffic = _NONE
    # Tenants of which anything was accepted within a day: a flood of one pushes the others out of the window, but they
    # are still those whom a stop would concern.
    _served: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def record(self, traffic: ByTenant, now: int) -> str:
        """Count a range in. Why the partition is to stop, or empty: then the range may be written."""
        self.count(traffic, now)
        return self.reason_to_open()

    def count(self, traffic: ByTenant, now: int) -> None:
        """Count a range in, and forget what is too old or pushed out of the window."""
        if self.policy.off or not traffic:
            return
        self._ranges.append((now, traffic))
        self._add(traffic, 1)
        while self._too_old(now) or self._all.messages - _size(self._ranges[0][1]) >= self.policy.window:
            self._add(self._ranges.popleft()[1], -1)
        self.add_known_tenants({tenant for tenant, one in traffic.items() if one.refused < one.messages}, now)

    def reason_to_open(self) -> str:
        """Why the partition is to stop by what was counted; empty when it is not."""
        if self._all.messages < self.policy.window or not self._all.exceeds(self.policy.ratio):
            return ""
        failing = {tenant for tenant, one in self._tenants.items() if one.exceeds(self.policy.ratio)}
        if not (self._from_every_tenant(failing) or self._from_many(failing)):
            return ""
        return (
            f"the circuit breaker: {self._all.refused} of the last {self._all.messages} messages are refused, more "
            f"than {self.policy.ratio:.0%}; they are of {_tenants(len(failing))}"
        )

    def add_known_tenants(self, tenants: Iterable[str], now: int) -> None:
        """These tenants are known to use the partition."""
        for tenant in tenants:
            self._served[tenant] = now
            self._served.move_to_end(tenant)
        while self._served and (len(self._served) > REMEMBERED or now - next(iter(self._served.values())) > DAY_MS):
            self._served.popitem(last=False)

    def _from_every_tenant(self, failing: set[str]) -> bool:
        return failing >= self._tenants.keys() and failing >= self._served.keys()

    def _from_many(self, failing: set[str]) -> bool:
        worst = max(self._tenants.values(), key=lambda one: one.refused)
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
    """The breaker of one assignment. `counted` is the first offset of the newest range: one that is judged again, since
    the store did not answer, counts once."""

    assignment_epoch: int
    breaker: PartitionBreaker
    counted: int = -1
    asked: bool = False


class CircuitBreaker:
    """The breakers of all partitions. A new assignment begins with nothing counted. Usable from several threads, one a
    partition.

    `served` says which tenants have rows among a partition's newest messages. It is asked before the first stop of an
    assignment, so that a tenant is not taken for the only one because it was heard of first. What it raises is raised.
    """

    def __init__(self, policy: BreakerPolicy, *, served: Callable[[Range], Iterable[str]] = lambda _: ()) -> None:
        self._policy = policy
        self._served = served
        self._by_partition: dict[Partition, _Assigned] = {}
        self._lock = Lock()

    def record(self, range_: Range, traffic: ByTenant, now: int) -> str:
        """As `PartitionBreaker.record`, for the range's partition."""
        one = self._of(range_)
        if one.counted != range_.first:
            one.counted = range_.first
            one.breaker.count(traffic, now)
        if one.breaker.reason_to_open() and not one.asked:
            one.breaker.add_known_tenants(self._served(range_), now)
            one.asked = True
        return one.breaker.reason_to_open()

    def _of(self, range_: Range) -> _Assigned:
        with self._lock:
            found = self._by_partition.get(range_.partition)
            if found is None or found.assignment_epoch != range_.assignment_epoch:
                found = self._by_partition[range_.partition] = _Assigned(
                    range_.assignment_epoch, PartitionBreaker(self._policy)
                )
            return found
