"""What became of every event that was handed to Kafka; it outlives the producers that report to it.

Events are counted by epoch, which a flush ends: so a flush waits for what was emitted before it, and for nothing that
other threads emit meanwhile.

The lock keeps threads apart. A signal handler that emits runs between two instructions of a thread that may hold the
lock already, so each change is one statement that calls nothing: Python runs handlers at calls and loops only.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from auditlane.runtime.errors import AuditlaneError, ClientClosed
from auditlane.sdk.results import Failure, FlushResult

KEPT_FAILURES: Final = 100


class Epoch:
    """Events between two flushes: how many have no report yet, and how many of them their emitter still has in hand."""

    __slots__ = ("in_hand", "open")

    def __init__(self) -> None:
        self.open = 0
        self.in_hand = 0  # of the main thread alone, which is where signal handlers run


class DeliveryTracker:
    """Thread-safe, and safe in signal handlers.

    `problem` is why nothing moves: set by whoever knows, cleared as soon as something arrives.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._epoch = Epoch()
        self._earlier: list[Epoch] = []  # those that a flush has ended and that have events without a report
        self._delivered = 0  # these three: since the last flush
        self._failed_count = 0
        self._failed: list[Failure] = []
        self._sealed = False
        self.emitted = 0
        self.delivered = 0
        self.failed = 0
        self.problem: AuditlaneError | None = None

    @property
    def pending(self) -> int:
        """How many events have no report yet."""
        with self._changed:
            return sum(one.open for one in [*self._earlier, self._epoch])

    def open(self) -> Epoch:
        """Count one event that is about to be handed over; returns its epoch. Raises ClientClosed after `seal`."""
        mine = threading.current_thread() is threading.main_thread()
        with self._changed:
            if self._sealed:
                raise ClientClosed("The audit client is closed.", fix="Make a new AuditClient.")
            epoch = self._epoch
            epoch.open += 1
            epoch.in_hand += mine
            self.emitted += 1
            return epoch

    def handed_over(self, epoch: Epoch) -> None:
        """The emitter has done its part."""
        if threading.current_thread() is threading.main_thread():
            epoch.in_hand -= 1

    def withdraw(self, epoch: Epoch) -> None:
        """The event was not taken after all; `handed_over` is told as well."""
        with self._changed:
            self.emitted -= 1
            epoch.open -= 1
            self._changed.notify_all()

    def settle(self, epoch: Epoch, failure: Failure | None) -> None:
        """Kafka acknowledged the event, or it failed."""
        with self._changed:
            if failure is None:
                self._delivered += 1
                self.delivered += 1
                self.problem = None
            else:
                self._failed_count += 1
                self.failed += 1
                if len(self._failed) < KEPT_FAILURES:
                    self._failed.append(failure)
            epoch.open -= 1
            self._changed.notify_all()

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait until any event is settled, at most `timeout_s`."""
        with self._changed:
            self._changed.wait(timeout_s)

    def flush(self, timeout_s: float, *, seal: bool = False) -> FlushResult:
        """Wait until every event counted so far is settled, at most `timeout_s`. `seal` lets no event follow.

        In a signal handler it does not wait for the event whose emitter the signal interrupted.
        """
        deadline = time.monotonic() + timeout_s
        mine = threading.current_thread() is threading.main_thread()
        with self._changed:
            self._sealed = self._sealed or seal
            ended, self._epoch = self._epoch, Epoch()
            self._earlier.append(ended)
            until = list(self._earlier)

            def open_() -> int:
                return sum(one.open - (one.in_hand if mine else 0) for one in until)

            while open_() > 0 and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            pending = sum(one.open for one in until)
            self._earlier = [one for one in self._earlier if one.open]
            delivered, self._delivered = self._delivered, 0
            failed_count, self._failed_count = self._failed_count, 0
            failed, self._failed = self._failed, []
        return FlushResult(delivered, failed_count, tuple(failed), pending, self.problem if pending else None)
