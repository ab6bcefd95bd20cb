"""Opens links with a bounded number of threads, so that repeated requests for one link cannot delay other links."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

import anyio
import anyio.to_thread

from auditlane.access.links import LinkExchange, Opened, Page, used_before
from auditlane.access.short_links import ShortLinks
from auditlane.runtime.errors import Busy, Unauthenticated
from auditlane.runtime.fair_share import FairQueue
from auditlane.runtime.lru_cache import LruCache

OPENERS: Final = 8  # number of threads that check in ClickHouse whether a link was used; queries have their own
MAX_WAITING: Final = 32  # maximum number of requests that wait for one of these threads
OF_TENANT: Final = 4  # maximum number of threads that one tenant's links may occupy
KNOWN: Final = 20_000  # maximum number of used links remembered, so that ClickHouse is not queried about them again


class LinkOpener:
    """Exchanges links' codes without blocking the event loop. Each process has one, which belongs to its event loop."""

    def __init__(self, exchange: LinkExchange, short: ShortLinks | None = None) -> None:
        """Set the exchange, and the short links that this process knows."""
        self._exchange = exchange
        self._short = short
        self._links = FairQueue(1)
        self._tenants = FairQueue(OF_TENANT)
        self._threads = anyio.CapacityLimiter(OPENERS)
        self._used: LruCache[str, bool] = LruCache(KNOWN)

    def page_of(self, code: str, *, now: datetime) -> Page:
        """Return the page that a link opens, without using the link. Raises the errors of `LinkExchange.page_of`."""
        return self._exchange.page_of(self._code_of(code), now=now)

    async def open(self, code: str, *, now: datetime) -> Opened:
        """Use a link. Raises the errors of `LinkExchange.redeem`, or Busy if too many requests wait for a thread."""
        code = self._code_of(code)
        link = self._exchange.read(code, now=now)
        async with self._links.of(link.jti), self._tenants.of(link.tenant or ""):
            if self._used.get(link.jti):
                raise used_before()
            if self._threads.statistics().tasks_waiting >= MAX_WAITING:
                raise Busy("Too many links are being opened.", fix="Try again in a moment; the link was not used.")
            redeem = partial(self._exchange.redeem, code, now=now)
            try:
                opened = await anyio.to_thread.run_sync(redeem, limiter=self._threads)
            except Unauthenticated:
                self._used.put(link.jti, True)
                raise
            self._used.put(link.jti, True)
            return opened

    def _code_of(self, given: str) -> str:
        return self._short.code_of(given) if self._short else given
