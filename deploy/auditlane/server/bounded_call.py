"""Runs blocking calls for an event loop, with a timeout, a bounded number of threads and, optionally, a cache."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Generic, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread

from auditlane.runtime.errors import Unavailable

T = TypeVar("T")


class BoundedCall:
    """Runs jobs in at most `threads` threads, and waits for each for at most `timeout_s` seconds.

    A job that times out continues in its thread, which stays occupied until then.
    """

    def __init__(
        self, what: str, *, timeout_s: float, threads: int = 1, error: type[Unavailable] = Unavailable
    ) -> None:
        """Set the limits. A timeout raises `error`, with a message about `what`."""
        self._what = what
        self._timeout_s = timeout_s
        self._error = error
        self._slots = anyio.CapacityLimiter(threads)
        self._threads = anyio.CapacityLimiter(math.inf)  # separate from the shared threads, which may all be busy

    async def run(self, job: Callable[[], T], *, timeout_s: float | None = None) -> T:
        """Return the job's result. Propagates the job's errors, and raises the configured error on timeout.

        `timeout_s` replaces the usual timeout.
        """
        try:
            with anyio.fail_after(self._timeout_s if timeout_s is None else timeout_s):
                return await self._run(job)
        except TimeoutError as error:
            raise self._error(f"{self._what} did not respond in time.", fix="Try again in a moment.") from error

    async def _run(self, job: Callable[[], T]) -> T:
        # The thread releases its slot itself, because `run_sync` releases its limiter as soon as the caller stops
        # waiting.
        started: Future[None] = Future()

        def end() -> None:
            self._slots.release_on_behalf_of(started)

        def work() -> T:
            if not started.set_running_or_notify_cancel():
                raise TimeoutError  # the caller has stopped waiting
            try:
                return job()
            finally:
                with contextlib.suppress(RuntimeError):  # the event loop has closed
                    anyio.from_thread.run_sync(end)

        await self._slots.acquire_on_behalf_of(started)
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._threads, abandon_on_cancel=True)
        finally:
            if started.cancel():
                end()


class CachedCall(Generic[T]):
    """Runs one call, and caches its result for `fresh_s`."""

    def __init__(
        self, what: str, call: Callable[[], T], *, timeout_s: float, fresh_s: float, beside: BoundedCall | None = None
    ) -> None:
        """Set the call. If `beside` is given, this call shares its threads and timeout, so that the two never run
        concurrently.
        """
        self._bounded = beside or BoundedCall(what, timeout_s=timeout_s)
        self._call = call
        self._fresh_s = fresh_s
        self._cached: tuple[float, T] | None = None

    async def get(self, fresh_s: float | None = None) -> T:
        """Return the result, at most `fresh_s` old if given. Raises the errors of `BoundedCall.run`."""
        return await self._bounded.run(partial(self._fresh, self._fresh_s if fresh_s is None else fresh_s))

    def _fresh(self, fresh_s: float) -> T:
        """Return the cached result if it is fresh, or else a new one. Runs in the thread, so that waiting callers share
        the new result.
        """
        if self._cached is None or time.monotonic() - self._cached[0] >= fresh_s:
            self._cached = time.monotonic(), self._call()
        return self._cached[1]
