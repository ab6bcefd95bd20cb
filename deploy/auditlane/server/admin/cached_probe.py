"""Runs a slow check for an event loop, and caches its result for a short time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

from auditlane.server.bounded_call import BoundedCall

T = TypeVar("T")


class CachedProbe(Generic[T]):
    """Runs one check, and returns its result again while it is younger than `fresh_s`."""

    def __init__(self, what: str, ask: Callable[[], T], *, timeout_s: float, fresh_s: float) -> None:
        self._bounded = BoundedCall(what, timeout_s=timeout_s)
        self._ask = ask
        self._fresh_s = fresh_s
        self._answer: tuple[float, T] | None = None

    async def get(self) -> T:
        """Return the result. Raises as `BoundedCall.run`."""
        return await self._bounded.run(self._fresh)

    def _fresh(self) -> T:
        """Return the cached result if it is fresh. Runs in the thread, so that waiting callers use the new result."""
        if self._answer is None or time.monotonic() - self._answer[0] >= self._fresh_s:
            self._answer = time.monotonic(), self._ask()
        return self._answer[1]
