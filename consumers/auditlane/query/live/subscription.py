"""What waits for one client of a live stream: bounded, so that a slow one costs a reconnection and not our memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from auditlane.query.live.follow import Arrived, Stretch
from auditlane.query.live.resume import Resume

BUFFER: Final = 2_000  # events


class Subscription:
    """One stream. `wake` is called, from any thread, when there is something to `drain` or the stream has ended."""

    def __init__(self, wake: Callable[[], None], buffer: int = BUFFER) -> None:
        self._wake = wake
        self._buffer = buffer
        self._waiting: list[Arrived] = []
        self._lock = threading.Lock()
        self.position: Resume | None = None  # where the stream is when nothing waits
        self.ended = ""  # why nothing more will come: `slow` or `stopping`

    def drain(self) -> list[Arrived]:
        """What arrived since the last time, in order."""
        with self._lock:
            taken, self._waiting = self._waiting, []
            return taken

    def push(self, stretch: Stretch) -> None:
        """Add what arrived. Where that is too much the stream ends: what waits is still given, and its ids resume."""
        with self._lock:
            if self.ended:
                return
            if len(self._waiting) + len(stretch.events) > self._buffer:
                self.ended = "slow"
            else:
                self._waiting += stretch.events
                self.position = stretch.resume
        if stretch.events:
            self._wake()

    def end(self, why: str) -> None:
        """No more."""
        with self._lock:
            self.ended = self.ended or why
        self._wake()
