"""How much of a process's work each tenant causes, so that one that causes most of it waits while others ask.

No bound of requests or bytes says what they cost: time does, on the event loop that everybody's answers pass through,
and in ClickHouse, which queries keep busy. Nobody is refused. A client that asks again when it is answered then asks
less often.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Coroutine, Generator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

WINDOW_S: Final = 2.0  # what is older hardly counts
ALONE_S: Final = 5.0  # a tenant waits for nobody when no other has asked for so long
LONGEST_S: Final = 1.0  # that one request waits
KEPT: Final = 10_000  # tenants; with one more, all begin anew


@dataclass(slots=True)
class _Used:
    """Seconds of work in the window, which fade; and when they were last looked at."""

    seconds: float
    at: float

    def now(self, now: float) -> float:
        self.seconds *= math.exp((self.at - now) / WINDOW_S)
        self.at = now
        return self.seconds


@dataclass(slots=True)
class Shares:
    """`most` is how many seconds of work a second a tenant may cause without waiting for anybody. Times are seconds on
    one clock that is passed in."""

    most: float
    _tenants: dict[str, _Used] = field(default_factory=dict)

    def charge(self, tenant: str, seconds: float, now: float) -> None:
        """Add work that was done for the tenant."""
        used = self._tenants.get(tenant)
        if used is None:
            if len(self._tenants) >= KEPT:
                self._tenants.clear()
            self._tenants[tenant] = _Used(seconds, now)
            return
        used.now(now)
        used.seconds += seconds

    def wait_s(self, tenant: str, now: float) -> float:
        """How long the tenant's next request waits: 0 below `most` or without others, then the longer the more."""
        used = self._tenants.get(tenant)
        if used is None:
            return 0.0
        over = used.now(now) / WINDOW_S - self.most
        if over <= 0 or not any(one is not used and now - one.at < ALONE_S for one in self._tenants.values()):
            return 0.0
        return LONGEST_S * min(1.0, over / self.most)


@dataclass(slots=True)
class Share:
    """What one request takes of its tenant's share. Without a tenant, which is learnt later or never, it costs nobody
    anything and waits for nobody."""

    shares: Shares
    tenant: str = ""

    def charge(self, seconds: float) -> None:
        """Add work on the event loop, in CPU seconds."""
        if self.tenant:
            self.shares.charge(self.tenant, seconds, time.monotonic())

    async def pause(self) -> None:
        """Let others have their turn, for as long as the tenant has to wait. For work in pieces."""
        await asyncio.sleep(self.shares.wait_s(self.tenant, time.monotonic()) if self.tenant else 0)


CURRENT: Final[ContextVar[Share | None]] = ContextVar("share", default=None)  # of the request that is answered


def current() -> Share:
    """The share of the request that is answered; outside of requests one that costs nobody anything."""
    return CURRENT.get() or Share(Shares(1.0))


class Timed:
    """Awaits `work`; after each of its steps on the event loop `charge` is told the CPU seconds that the step took."""

    def __init__(self, work: Coroutine[Any, Any, None], charge: Callable[[float], None]) -> None:
        self._work = work
        self._charge = charge

    def __await__(self) -> Generator[Any, Any, None]:
        steps, thrown, sent = self._work, None, None
        while True:
            began = time.thread_time()
            try:
                waits_for = steps.throw(thrown) if thrown else steps.send(sent)
            except StopIteration:
                return
            finally:
                self._charge(time.thread_time() - began)
            thrown, sent = None, None
            try:
                sent = yield waits_for
            except BaseException as error:  # a cancellation, above all, is the work's to handle
                thrown = error
