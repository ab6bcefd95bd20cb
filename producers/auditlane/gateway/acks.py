"""Waits on an event loop for what a thread reports: what became of each event of a slice."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from auditlane.runtime.errors import AuditlaneError

ACKNOWLEDGED: Final = "acknowledged"
Fate = AuditlaneError | str | None  # ACKNOWLEDGED, an error, or None while nothing is known


class Acks:
    """`fates` has one entry an event, in their order. Made and awaited on a loop; settled from any thread."""

    def __init__(self, events: int) -> None:
        self.fates: list[Fate] = [None] * events
        self._left = events
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._all: asyncio.Future[bool] = self._loop.create_future()

    def settle(self, place: int, error: AuditlaneError | None) -> None:
        """What became of one event: None when Kafka has it. Once for each."""
        with self._lock:
            self.fates[place] = error or ACKNOWLEDGED
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    async def wait(self, timeout_s: float) -> list[Fate]:
        """The fates once all are known, or after `timeout_s` with None for those that are not."""
        if self._left:
            timer = self._loop.call_later(timeout_s, self._resolve, False)
            try:
                await self._all
            finally:
                timer.cancel()
        return list(self.fates)

    def _resolve(self, complete: bool) -> None:
        if not self._all.done():
            self._all.set_result(complete)
