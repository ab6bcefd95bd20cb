"""Waits on an event loop for the acknowledgement or the error of each event of a slice, which a thread reports."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from auditlane.runtime.errors import AuditlaneError

ACKNOWLEDGED: Final = "acknowledged"
Ack = AuditlaneError | str | None  # ACKNOWLEDGED, an error, or None while nothing is known


class AckWaiter:
    """`acks` has one entry per event, in their order. Made and awaited on a loop; settled from any thread."""

    def __init__(self, events: int) -> None:
        self.acks: list[Ack] = [None] * events
        self._left = events
        self._lock = threading.Lock()
        self._loop = asyncio.get_running_loop()
        self._all: asyncio.Future[bool] = self._loop.create_future()

    def settle(self, place: int, error: AuditlaneError | None) -> None:
        """Report one event, once: None when Kafka has it."""
        with self._lock:
            self.acks[place] = error or ACKNOWLEDGED
            self._left -= 1
            last = not self._left
        if last:
            self._loop.call_soon_threadsafe(self._resolve, True)

    async def wait(self, timeout_s: float) -> list[Ack]:
        """Return the acks once all are known, or after `timeout_s` with None for those that are not."""
        if self._left:
            timer = self._loop.call_later(timeout_s, self._resolve, False)
            try:
                await self._all
            finally:
                timer.cancel()
        return list(self.acks)

    def _resolve(self, complete: bool) -> None:
        if not self._all.done():
            self._all.set_result(complete)
