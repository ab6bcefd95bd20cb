"""How much of a process's work each tenant causes, so that one that causes most of it waits while others ask.

A bound on requests or bytes does not bound what they cost: CPU time does, on the event loop that every answer passes
through and in the threads that share its interpreter, and in ClickHouse, which queries keep busy. Each tenant's work
drains at a fixed rate, as in a leaky bucket; a request of a tenant whose bucket is full waits for its turn, and is
refused only when that would take too long.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

WINDOW_S: Final = 2.0  # the work of so many seconds may be caused at once
ALONE_S: Final = 5.0  # a tenant waits for nobody when no other has asked for so long
LONGEST_S: Final = 10.0  # that one request waits
_OWED_S: Final = 15.0  # of waiting; what a tenant causes beyond that is forgotten
KEPT: Final = 10_000  # tenants; with one more, all begin anew
FIRST_S: Final = 0.05  # of work that a tenant's first requests are taken to cost, until it is known
_WEIGHT: Final = 0.2  # of the newest request in the mean of what a request costs
T = TypeVar("T")


@dataclass(slots=True)
class _Used:
    """`paid_at` is when the work that was caused so far has drained; `mean` is what a request costs, in seconds."""

    paid_at: float
    at: float
    mean: float = FIRST_S


@dataclass(slots=True)
class Shares:
    """`most` is how many seconds of work a second a tenant may cause without waiting for anybody. Times are seconds on
    one clock that is passed in. May be used from several threads."""

    most: float
    _tenants: dict[str, _Used] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def charge(self, tenant: str, seconds: float, now: float) -> None:
        """Add work that was done for the tenant."""
        with self._lock:
            self._add(self._of(tenant, now), seconds, now)

    def wait_s(self, tenant: str, now: float) -> float:
        """How long the tenant waits until what it caused has drained: 0 below `most`, or without others."""
        with self._lock:
            return self._wait_s(tenant, now)

    def reserve(self, tenant: str, now: float) -> tuple[float, float]:
        """A turn for a request: how long it waits, and the seconds of work that are charged for it in advance, at most
        the mean of the tenant's requests. `settle` takes these back. More than `LONGEST_S` to wait: nothing is charged,
        as it has no turn."""
        with self._lock:
            wait_s = self._wait_s(tenant, now)
            used = self._of(tenant, now)
            if wait_s > LONGEST_S:
                return wait_s, 0.0
            return wait_s, self._add(used, used.mean, now)

    def settle(self, tenant: str, expected: float, cost: float | None, now: float) -> None:
        """Take back what was charged in advance. `cost` is what the request was charged for instead; None: it had no
        turn, and so tells nothing of what others will cost."""
        with self._lock:
            used = self._of(tenant, now)
            if cost is not None:
                used.mean += _WEIGHT * (cost - used.mean)
            self._add(used, -expected, now)

    def _of(self, tenant: str, now: float) -> _Used:
        used = self._tenants.get(tenant)
        if used is None:
            if len(self._tenants) >= KEPT:
                self._tenants.clear()
            used = self._tenants[tenant] = _Used(now, now)
        return used

    def _add(self, used: _Used, seconds: float, now: float) -> float:
        """Returns how much of it was added: what a tenant owes is bounded."""
        before = max(used.paid_at, now)
        used.paid_at = min(before + seconds / self.most, max(before, now + WINDOW_S + _OWED_S))
        used.at = now
        return (used.paid_at - before) * self.most

    def _wait_s(self, tenant: str, now: float) -> float:
        used = self._tenants.get(tenant)
        if used is None or used.paid_at <= now + WINDOW_S:
            return 0.0
        alone = all(one is used or now - one.at >= ALONE_S for one in self._tenants.values())
        return 0.0 if alone else used.paid_at - now - WINDOW_S


@dataclass(slots=True)
class Share:
    """What one request takes of its tenant's share. Without a tenant, which is learnt later or never, it costs nobody
    anything and waits for nobody."""

    shares: Shares
    tenant: str = ""
    _cost: float = 0.0
    _expected: float | None = None  # None: nothing is reserved

    def reserve(self, tenant: str) -> float:
        """Take a turn for this request, which is about the tenant; returns how many seconds it waits for it."""
        self.tenant = tenant
        if not tenant:
            return 0.0
        wait_s, self._expected = self.shares.reserve(tenant, time.monotonic())
        return wait_s

    def settle(self, *, worked: bool = True) -> None:
        """The request is answered, or its answer has begun: it has cost what it was charged for, not what was reserved.
        Without `worked` it is given up before its turn."""
        if self._expected is not None:
            self.shares.settle(self.tenant, self._expected, self._cost if worked else None, time.monotonic())
            self._expected = None

    def charge(self, seconds: float) -> None:
        """Add work on the event loop or in a thread, in CPU seconds."""
        self._cost += seconds
        if self.tenant:
            self.shares.charge(self.tenant, seconds, time.monotonic())

    async def pause(self) -> None:
        """Let others have their turn, for as long as the tenant has to wait. For work in pieces."""
        await asyncio.sleep(self.shares.wait_s(self.tenant, time.monotonic()) if self.tenant else 0)

    def charged(self, work: Callable[[], T]) -> Callable[[], T]:
        """`work` as something that runs in a thread and is charged for."""

        def run() -> T:
            began = time.thread_time()
            try:
                return work()
            finally:
                self.charge(time.thread_time() - began)

        return run


CURRENT: Final[ContextVar[Share | None]] = ContextVar("share", default=None)  # of the request that is answered
READS: Final[ContextVar[Share | None]] = ContextVar("reads", default=None)  # … of what it has ClickHouse do


def current() -> Share:
    """The share of the request that is answered; outside of requests one that costs nobody anything."""
    return CURRENT.get() or Share(Shares(1.0))


def reads() -> Share:
    """The same for the work that the request causes in ClickHouse."""
    return READS.get() or Share(Shares(1.0))


class Timed(Generic[T]):
    """Awaits `work`; after each of its steps on the event loop `charge` is told the CPU seconds that the step took.

    The steps of another task that `work` begins are not its own: wrap that task's work as well."""

    def __init__(self, work: Coroutine[Any, Any, T], charge: Callable[[float], None]) -> None:
        self._work = work
        self._charge = charge

    def __await__(self) -> Generator[Any, Any, T]:
        steps, thrown, sent = self._work, None, None
        while True:
            began = time.thread_time()
            try:
                waits_for = steps.throw(thrown) if thrown else steps.send(sent)
            except StopIteration as ended:
                result: T = ended.value
                return result
            finally:
                self._charge(time.thread_time() - began)
            thrown, sent = None, None
            try:
                sent = yield waits_for
            except BaseException as error:  # a cancellation, above all, is the work's to handle
                thrown = error
