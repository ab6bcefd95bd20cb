"""Our own audit trail: what people do with auditlane becomes events on the same path as everybody's.

`record` only counts and queues; a thread emits. What cannot be kept is dropped, counted and logged: an audit log that
answers nobody while Kafka is away would be worth less than one with a gap that it tells.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from auditlane.access.trail import Deed, NoTrail, Trail
from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import AuditlaneError, BufferFull, ConfigError, InvalidEvent, RegistryUnavailable
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.server.own_client import Connect, Emitter, connect, event_of
from auditlane.server.tally import Dated, Tally

MOST_QUEUED: Final = 10_000  # events; what comes on top is dropped
CLOSE_S: Final = 3.0
_RETRY_S: Final = 1.0
_COMPLAIN_EVERY: Final = timedelta(minutes=1)

Count = Callable[[str], None]
"""Called with `emitted`, `dropped` (no room, or the process ended), `refused` or `undelivered`, once an event."""


def of(settings: Settings, count: Count) -> OwnTrail:
    """The service's trail. Without Kafka and a registry in the settings it keeps nothing, and says so once."""
    missing = [variable(name) for name in ("kafka_bootstrap", "registry_url") if not getattr(settings, name)]
    if missing:
        get("trail").warning("trail.off", missing=", ".join(missing), means="what people do here is not recorded")
        return OwnNothing(f"Not set: {', '.join(missing)}.")
    return KafkaTrail(connect(settings), window=timedelta(seconds=settings.trail_window_s), count=count)


class OwnTrail(Trail, Protocol):
    """A trail that lasts as long as the service. `problem` is what went wrong within the last minute, or empty."""

    @property
    def waiting(self) -> int | None:
        """Events that Kafka has not taken yet; None for a trail that keeps nothing."""
        ...

    @property
    def problem(self) -> str: ...

    def kept(self) -> AbstractContextManager[object]:
        """Within it events are emitted; at its end what is left goes out, for some seconds at most."""
        ...


class OwnNothing(NoTrail):
    """A trail that keeps nothing."""

    waiting = None

    def __init__(self, problem: str) -> None:
        self.problem = problem

    def kept(self) -> AbstractContextManager[object]:
        return contextlib.nullcontext()


class KafkaTrail:
    """Thread-safe."""

    def __init__(self, connect: Connect, *, window: timedelta, count: Count) -> None:
        self._connect = connect
        self._count = count
        self._tally = Tally(window)
        self._queue: deque[Dated] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._client: Emitter | None = None
        self._thread = threading.Thread(target=self._run, name="auditlane-trail", daemon=True)
        self._complained: datetime | None = None
        self._trouble: tuple[datetime, str] | None = None
        self._log = get("trail")

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.close()

    @property
    def waiting(self) -> int:
        return len(self._queue) + (self._client.stats.pending if self._client else 0)

    @property
    def problem(self) -> str:
        trouble = self._trouble
        return trouble[1] if trouble and datetime.now(UTC) - trouble[0] < _COMPLAIN_EVERY else ""

    def record(self, deed: Deed) -> None:
        """Count or queue one deed. Never blocks on anything but other threads that do the same."""
        with self._changed:
            idle = self._tally.wakes_at() is None
            ready = self._tally.add(deed, datetime.now(UTC))
            self._take(ready)
            if ready or idle:  # else the thread knows already when to look
                self._changed.notify_all()

    def close(self) -> None:
        """End every group, emit what is queued, wait for Kafka a little, and count the rest as dropped."""
        with self._changed:
            self._take(self._tally.flush())
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(2 * CLOSE_S)
        for _ in range(len(self._queue)):
            self._drop("the service ended")
        self._queue.clear()
        if self._client is not None:
            self._client.close(CLOSE_S)

    def _take(self, ready: list[Dated]) -> None:
        """With the lock held."""
        for one in ready:
            if len(self._queue) >= MOST_QUEUED:
                self._drop(f"{MOST_QUEUED} events wait already")
            else:
                self._queue.append(one)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._take(self._tally.due(datetime.now(UTC)))
                one = self._queue[0] if self._queue else None
                if one is None:
                    if self._stopping:
                        return
                    self._changed.wait(self._patience())
                    continue
            if self._emitted(one):
                with self._changed:
                    self._queue.popleft()
            elif self._stopping:
                return
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, _RETRY_S)

    def _patience(self) -> float | None:
        wakes_at = self._tally.wakes_at()
        return None if wakes_at is None else max(0.0, (wakes_at - datetime.now(UTC)).total_seconds())

    def _emitted(self, one: Dated) -> bool:
        """Whether it is done with: handed over, or not worth another try."""
        try:
            if self._client is None:
                self._client = self._connect(self._undelivered)
            self._hand_over(self._client, event_of(one))
        except (RegistryUnavailable, BufferFull) as error:
            self._complain("trail.waits", error)
            return False
        except AuditlaneError as error:
            self._count("refused")
            self._complain("trail.refused", error, action=str(one.deed.action))
        except Exception as error:  # whatever it is, it must not end the thread
            self._count("refused")
            self._complain("trail.refused", error, action=str(one.deed.action))
        else:
            self._count("emitted")
        return True

    def _hand_over(self, client: Emitter, values: dict[str, Any]) -> None:
        try:
            client.emit(**values)
        except InvalidEvent as error:
            if values["tenant_id"] == OURS:
                raise
            # The tenant's contract demands fields that our events do not have: then it is ours to keep.
            told = {"tenant": values["tenant_id"], "kept_here_because": str(error)[:300]}
            client.emit(**values | {"tenant_id": OURS, "metadata": values["metadata"] | told})

    def _undelivered(self, error: AuditlaneError, event_id: str | None) -> None:
        """From the client's thread."""
        if event_id is not None:
            self._count("undelivered")
        self._complain("trail.undelivered" if event_id else "trail.waits", error)

    def _drop(self, why: str) -> None:
        self._count("dropped")
        self._complain("trail.dropped", ConfigError(f"An event of our own was dropped: {why}."))

    def _complain(self, event: str, error: Exception, **facts: str) -> None:
        """Log it, at most once a minute; the metric has every one."""
        now = datetime.now(UTC)
        self._trouble = now, str(error)
        if self._complained is None or now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            with contextlib.suppress(Exception):
                self._log.warning(event, problem=str(error), **facts)
