"""Run something slow for an event loop: an answer or an error in bounded time, by a bounded number of threads."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

from auditlane.runtime.errors import Unavailable

T = TypeVar("T")


class BoundedCall:
    """Runs jobs in threads, at most `threads` at once, and waits for each no longer than `timeout_s`.

    A job that takes too long goes on in its thread, and keeps others out of it until it ends.
    """

    def __init__(
        self, what: str, *, timeout_s: float, threads: int = 1, error: type[Unavailable] = Unavailable
    ) -> None:
        """Name `what` is asked, as the error's text begins, and the error to raise when it takes too long."""
        self._what = what
        self._timeout_s = timeout_s
        self._error = error
        self._turns = anyio.CapacityLimiter(threads)
        self._threads = anyio.CapacityLimiter(math.inf)  # not those that other requests share: they may all be busy

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns. Raises the error when it takes too long, and what the job raises."""
        try:
            with anyio.fail_after(self._timeout_s):
                return await self._run(job)
        except TimeoutError as error:
            raise self._error(f"{self._what} did not answer in time.", fix="Try again in a moment.") from error

    async def _run(self, job: Callable[[], T]) -> T:
        # The thread itself ends its turn: the limiter of `run_sync` would be free as soon as nobody waits any more.
        started: Future[None] = Future()

        def end() -> None:
            self._turns.release_on_behalf_of(started)

        def work() -> T:
            if not started.set_running_or_notify_cancel():
                raise TimeoutError  # nobody waits for it
            try:
                return job()
            finally:
                with contextlib.suppress(RuntimeError):  # the event loop has ended meanwhile
                    anyio.from_thread.run_sync(end)

        await self._turns.acquire_on_behalf_of(started)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)
        finally:
            if started.cancel():
                end()
