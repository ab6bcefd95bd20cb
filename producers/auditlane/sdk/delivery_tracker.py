"""Tracks the delivery of every event handed to Kafka. A tracker outlives the producers that report to it.

Events are counted by epoch, and a flush starts a new epoch. It therefore waits for the events emitted before it, but
not for those that other threads emit in the meantime.

The lock protects against other threads only. A signal handler that emits may interrupt a thread that already holds the
lock, so each update is one statement without a call: Python runs handlers only at calls and loops.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Final

from auditlane.runtime.errors import AuditlaneError, ClientClosed
from auditlane.sdk.results import Failure, FlushResult

KEPT_FAILURES: Final = 100


class Epoch:
    """Counts the events between two flushes.

    `open` counts events without a delivery report, and `in_hand` the main thread's events that have not been handed to
    Kafka yet.
    """

    __slots__ = ("in_hand", "open")

    def __init__(self) -> None:
        self.open = 0
        self.in_hand = 0  # only for the main thread, where signal handlers run


class DeliveryTracker:
    """Tracks the delivery of a client's events. Thread-safe, and safe in signal handlers.

    `problem` is the reason why deliveries stall, until the next acknowledgement.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0  # number of threads that wait for `_changed`
        self._main = threading.main_thread().ident
        self._epoch = Epoch()
        self._earlier: list[Epoch] = []  # epochs ended by a flush that have events without a report
        self._delivered = 0  # this and the next two count since the last flush
        self._failed_count = 0
        self._failed: list[Failure] = []
        self._sealed = False
        self.emitted = 0
        self.delivered = 0
        self.failed = 0
        self.failures: defaultdict[str, int] = defaultdict(int)  # number of failed events by error code
        self.emitted_bytes = 0
        self.pending_bytes = 0
        self.flushes = 0
        self.flush_seconds = 0.0
        self.problem: AuditlaneError | None = None

    @property
    def pending(self) -> int:
        """The number of events without a delivery report."""
        with self._changed:
            return sum(epoch.open for epoch in [*self._earlier, self._epoch])

    def open(self, size: int = 0) -> Epoch:
        """Count one event of `size` bytes before it is handed to Kafka, and return its epoch.

        Raises ClientClosed after `seal`.
        """
        mine = threading.get_ident() == self._main
        with self._lock:
            if self._sealed:
                raise ClientClosed("The audit client is closed.", fix="Create a new AuditClient.")
            epoch = self._epoch
            epoch.open += 1
            epoch.in_hand += mine
            self.emitted += 1
            self.emitted_bytes += size
            self.pending_bytes += size
            return epoch

    def open_all(self, count: int, size: int) -> Epoch:
        """Count `count` events of `size` bytes altogether, like `open`. Each is handed over or withdrawn by itself."""
        mine = threading.get_ident() == self._main
        with self._lock:
            if self._sealed:
                raise ClientClosed("The audit client is closed.", fix="Create a new AuditClient.")
            epoch = self._epoch
            epoch.open += count
            epoch.in_hand += count * mine
            self.emitted += count
            self.emitted_bytes += size
            self.pending_bytes += size
            return epoch

    def handed_over(self, epoch: Epoch) -> None:
        """Record that `produce` has returned or raised, for an event counted by `open`."""
        if threading.get_ident() == self._main:
            epoch.in_hand -= 1

    def withdraw(self, epoch: Epoch, size: int = 0) -> None:
        """Stop counting an event that librdkafka did not accept. Call `handed_over` as well."""
        with self._lock:
            self.emitted -= 1
            self.emitted_bytes -= size
            self.pending_bytes -= size
            epoch.open -= 1
            if self._waiting:
                self._changed.notify_all()

    def settle(self, epoch: Epoch, failure: Failure | None, size: int = 0) -> None:
        """Record that Kafka acknowledged an event, or that it failed."""
        with self._lock:
            if failure is None:
                self._delivered += 1
                self.delivered += 1
                self.problem = None
            else:
                self._failed_count += 1
                self.failed += 1
                self.failures[failure.error.code] += 1
                if len(self._failed) < KEPT_FAILURES:
                    self._failed.append(failure)
            epoch.open -= 1
            self.pending_bytes -= size
            if self._waiting:
                self._changed.notify_all()

    def settle_all(self, epoch: Epoch, count: int, size: int) -> None:
        """Record that Kafka acknowledged `count` events of an epoch, of `size` bytes altogether."""
        with self._lock:
            self._delivered += count
            self.delivered += count
            self.problem = None
            epoch.open -= count
            self.pending_bytes -= size
            if self._waiting:
                self._changed.notify_all()

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait until some event is settled, for at most `timeout_s`."""
        with self._changed:
            self._wait(timeout_s)

    def wait_until(self, met: Callable[[], bool], timeout_s: float) -> bool:
        """Wait until a condition is met, and return whether that happened in time. The condition is checked after each
        `wake`.

        A signal handler may call this, even if it interrupted a thread that holds the lock.
        """
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not met():
                if (left := deadline - time.monotonic()) <= 0:
                    return False
                self._wait(left)
        return True

    def wake(self) -> None:
        """Make waiting threads check their conditions again."""
        with self._changed:
            self._changed.notify_all()

    def flush(self, timeout_s: float, *, seal: bool = False) -> FlushResult:
        """Wait until every event counted so far is settled, for at most `timeout_s`. `seal` rejects later events.

        In a signal handler, it does not wait for the event whose `emit` the signal interrupted.
        """
        began = time.monotonic()
        deadline = began + timeout_s
        mine = threading.get_ident() == self._main
        with self._changed:
            self._sealed = self._sealed or seal
            ended, self._epoch = self._epoch, Epoch()
            self._earlier.append(ended)
            awaited = list(self._earlier)

            def unsettled() -> int:
                return sum(epoch.open - (epoch.in_hand if mine else 0) for epoch in awaited)

            while unsettled() > 0 and (left := deadline - time.monotonic()) > 0:
                self._wait(left)
            pending = sum(epoch.open for epoch in awaited)
            self._earlier = [epoch for epoch in self._earlier if epoch.open]
            delivered, self._delivered = self._delivered, 0
            failed_count, self._failed_count = self._failed_count, 0
            failed, self._failed = self._failed, []
            took = time.monotonic() - began
            self.flushes += 1
            self.flush_seconds += took
        return FlushResult(delivered, failed_count, tuple(failed), pending, self.problem if pending else None)

    def _wait(self, timeout_s: float) -> None:
        """Wait until an event is settled. Call with the lock held."""
        self._waiting += 1
        try:
            self._changed.wait(timeout_s)
        finally:
            self._waiting -= 1
