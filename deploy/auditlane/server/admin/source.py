"""Ask something slow from an event loop: one question at a time, an answer or an error in bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

from auditlane.runtime.errors import Unavailable

T = TypeVar("T")


class Bounded:
    """Runs jobs in threads, never two at once, and waits for one no longer than `timeout_s`.

    A job that takes too long goes on in its thread; whoever comes meanwhile waits for its end, as long as they may.
    """

    def __init__(self, what: str, *, timeout_s: float) -> None:
        self._what = what
        self._timeout_s = timeout_s
        self._one = anyio.CapacityLimiter(1)

    async def run(self, job: Callable[[], T]) -> T:
        """What the job returns. Raises Unavailable when it takes too long, and what the job raises."""
        try:
            with anyio.fail_after(self._timeout_s):
                return await anyio.to_thread.run_sync(job, limiter=self._one, abandon_on_cancel=True)
        except TimeoutError as error:
            raise Unavailable(f"{self._what} did not answer in time.", fix="Try again in a moment.") from error


class Source(Generic[T]):
    """One such job, whose answer is given again while it is younger than `fresh_s`."""

    def __init__(self, what: str, ask: Callable[[], T], *, timeout_s: float, fresh_s: float) -> None:
        self._bounded = Bounded(what, timeout_s=timeout_s)
        self._ask = ask
        self._fresh_s = fresh_s
        self._answer: tuple[float, T] | None = None

    async def get(self) -> T:
        """The answer. Raises as `Bounded.run`."""
        return await self._bounded.run(self._fresh)

    def _fresh(self) -> T:
        """In the thread: whoever waited for the one before takes its answer."""
        if self._answer is None or time.monotonic() - self._answer[0] >= self._fresh_s:
            self._answer = time.monotonic(), self._ask()
        return self._answer[1]
