"""Slow readings for `/metrics`: the consumer group, the dead letters and the store's version.

A scrape starts them in the background and waits briefly, so that it shows the last values if a component does not
respond.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from prometheus_client import Gauge

from auditlane.operations.group_metrics import GroupMetrics
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import get
from auditlane.server.admin.operations import Operations

WAIT_S: Final = 2.0


class Readings:
    """One process's readings. Use it on the event loop. `metrics` exposes the consumer group's readings."""

    def __init__(self, operations: Operations, store_version: Gauge, *, topic: str, kafka: bool, store: bool) -> None:
        """Select the sources that this process reads: `kafka`, `store`, both or neither."""
        self.metrics = GroupMetrics(topic)
        self._operations = operations
        self._store_version = store_version
        reads: dict[str, Callable[[], Awaitable[None]]] = {}
        if kafka:
            reads |= {"lag": self._lag, "dead_letters": self._letters}
        if store:
            reads["store_version"] = self._version
        self._reads: Mapping[str, Callable[[], Awaitable[None]]] = reads
        self._running: dict[str, asyncio.Task[None]] = {}
        self._failed: set[str] = set()

    async def refresh(self) -> None:
        """Start the readings that are due. Waits at most WAIT_S seconds for them, but not for readings that failed last
        time.
        """
        for name, read in self._reads.items():
            if name not in self._running:
                task = self._running[name] = asyncio.create_task(self._run(name, read), name=name)
                task.add_done_callback(lambda done: self._running.pop(done.get_name(), None))
        awaited = [task for name, task in self._running.items() if name not in self._failed]
        if awaited:
            await asyncio.wait(awaited, timeout=WAIT_S)

    def close(self) -> None:
        """Abandon the readings in progress."""
        for task in list(self._running.values()):
            task.cancel()

    async def _run(self, name: str, read: Callable[[], Awaitable[None]]) -> None:
        try:
            await read()
            self._failed.discard(name)
        except AuditlaneError:
            self._failed.add(name)
        except Exception:
            self._failed.add(name)
            get("serve").exception("reading.failed", reading=name)

    async def _lag(self) -> None:
        try:
            self.metrics.read_lag(await self._operations.group_lag())
        except Exception:
            self.metrics.failed("lag")
            raise

    async def _letters(self) -> None:
        try:
            self.metrics.read_letters(await self._operations.open_letters())
        except Exception:
            self.metrics.failed("dead_letters")
            raise

    async def _version(self) -> None:
        self._store_version.set(await self._operations.store_version())
