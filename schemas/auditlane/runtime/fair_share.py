"""Fair shares of a process's time. A tenant that causes most of the work waits while other tenants have requests.

Limiting the number or size of requests does not limit their cost. Limiting CPU time does: on the event loop that serves
every response, in the threads that share its interpreter, and in ClickHouse. Each tenant's work drains at a fixed rate,
as in a leaky bucket. A request from a tenant whose bucket is full waits for its turn, and is rejected only if the wait
would be too long.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

WINDOW_S: Final = 2.0  # burst that a tenant may cause without waiting, in seconds of work
ALONE_S: Final = 5.0  # a tenant does not wait if no other tenant has sent a request for this long
LONGEST_S: Final = 10.0  # maximum wait of a request
_OWED_S: Final = 15.0  # maximum waiting time, in seconds, that a tenant can owe; work beyond it is not counted
KEPT: Final = 10_000  # maximum number of tenants tracked; at the next one, all accounts are cleared
FIRST_S: Final = 0.05  # assumed cost of a tenant's first requests, in seconds of work
_WEIGHT: Final = 0.2  # weight of the newest request in the moving mean of the cost
T = TypeVar("T")


@dataclass(slots=True)
class _Used:
    """The work of one tenant. `paid_at` is the time at which the work so far will have drained. `mean` is the average
    cost of a request in seconds.
    """

    paid_at: float
    at: float
    mean: float = FIRST_S


@dataclass(slots=True)
class Shares:
    """The shares of all tenants. Thread-safe.

    `most` is the work that a tenant may cause without waiting, in seconds per second. All times are in seconds, from
    one clock, and are passed in by the caller.
    """

    most: float
    _tenants: dict[str, _Used] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def charge(self, tenant: str, seconds: float, now: float) -> None:
        """Add work done for the tenant."""
        with self._lock:
            self._add(self._of(tenant, now), seconds, now)

    def wait_s(self, tenant: str, now: float) -> float:
        """Return the seconds until the tenant's work has drained. Returns 0 below `most`, or if no other tenant is
        active.
        """
        with self._lock:
            return self._wait_s(tenant, now)

    def reserve(self, tenant: str, now: float) -> tuple[float, float]:
        """Return a request's wait, and the seconds of work charged for it in advance.

        The advance charge is at most the mean of the tenant's requests, and `settle` refunds it. If the wait exceeds
        `LONGEST_S`, nothing is charged, since the request is then rejected.
        """
        with self._lock:
            wait_s = self._wait_s(tenant, now)
            used = self._of(tenant, now)
            if wait_s > LONGEST_S:
                return wait_s, 0.0
            return wait_s, self._add(used, used.mean, now)

    def settle(self, tenant: str, expected: float, cost: float | None, now: float) -> None:
        """Refund the advance charge, and charge the actual cost.

        `cost` is None if the request had no turn. Such a request does not count towards the mean.
        """
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
        """Add work, and return how much of it was added. It may be less, because a tenant's debt is limited."""
        before = max(used.paid_at, now)
        used.paid_at = min(before + seconds / self.most, max(before, now + WINDOW_S + _OWED_S))
        used.at = now
        return (used.paid_at - before) * self.most

    def _wait_s(self, tenant: str, now: float) -> float:
        used = self._tenants.get(tenant)
        if used is None or used.paid_at <= now + WINDOW_S:
            return 0.0
        alone = all(other is used or now - other.at >= ALONE_S for other in self._tenants.values())
        return 0.0 if alone else used.paid_at - now - WINDOW_S


@dataclass(slots=True)
class Share:
    """The part of a tenant's share that one request uses. Until the tenant is known, the request is not charged and
    does not wait.
    """

    shares: Shares
    tenant: str = ""
    _cost: float = 0.0
    _expected: float | None = None  # None while nothing is reserved

    def reserve(self, tenant: str) -> float:
        """Reserve a turn for this request of the tenant. Returns how many seconds the request has to wait."""
        self.tenant = tenant
        if not tenant:
            return 0.0
        wait_s, self._expected = self.shares.reserve(tenant, time.monotonic())
        return wait_s

    def settle(self, *, worked: bool = True) -> None:
        """Replace the reservation with the actual charge once the response has started.

        `worked` is false if the request was abandoned before its turn.
        """
        if self._expected is not None:
            self.shares.settle(self.tenant, self._expected, self._cost if worked else None, time.monotonic())
            self._expected = None

    def charge(self, seconds: float) -> None:
        """Add work on the event loop or in a thread, in CPU seconds."""
        self._cost += seconds
        if self.tenant:
            self.shares.charge(self.tenant, seconds, time.monotonic())

    async def pause(self) -> None:
        """Pause between chunks of a longer task for as long as this tenant has to yield to others."""
        await asyncio.sleep(self.shares.wait_s(self.tenant, time.monotonic()) if self.tenant else 0)

    def charged(self, work: Callable[[], T]) -> Callable[[], T]:
        """Wrap `work`, which runs in a thread, so that its CPU time is charged."""

        def run() -> T:
            began = time.thread_time()
            try:
                return work()
            finally:
                self.charge(time.thread_time() - began)

        return run


CURRENT: Final[ContextVar[Share | None]] = ContextVar("share", default=None)  # the current request's share
# the current request's share for work in ClickHouse
READS: Final[ContextVar[Share | None]] = ContextVar("reads", default=None)


def current() -> Share:
    """Return the current request's share. Outside a request, it charges no tenant."""
    return CURRENT.get() or Share(Shares(1.0))


def reads() -> Share:
    """Return the share charged for the current request's work in ClickHouse."""
    return READS.get() or Share(Shares(1.0))


class Timed(Generic[T]):
    """Awaits `work`, and calls `charge` with the CPU seconds of each of its steps on the event loop.

    If `work` starts other tasks, their steps are not included. Wrap these tasks as well.
    """

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
            except BaseException as error:  # mainly a cancellation, which the work has to handle
                thrown = error


class FairQueue:
    """Admits at most `at_once` requests per tenant. The tenant's other requests wait in its queue.

    For use in one event loop.
    """

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._lines: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """Hold one of the tenant's slots. Requests without a tenant do not queue."""
        if not tenant:
            yield
            return
        places, here = self._lines.setdefault(tenant, (asyncio.Semaphore(self._at_once), []))
        here.append(None)
        try:
            async with places:
                yield
        finally:
            here.pop()
            if not here:
                del self._lines[tenant]
