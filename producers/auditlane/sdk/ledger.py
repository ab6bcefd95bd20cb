"""What became of every event that was handed to Kafka; it outlives the producers that report to it.

Events are counted by epoch, which a flush ends: so a flush waits for what was emitted before it, and for nothing that
other threads emit meanwhile.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from auditlane.runtime.errors import AuditlaneError, ClientClosed
from auditlane.sdk.results import Failure, FlushResult

KEPT_FAILURES: Final = 100


class Ledger:
    """Thread-safe. `problem` is why nothing moves: set by whoever knows, cleared as soon as something arrives."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._epoch = 0
        self._open: dict[int, int] = {}  # epoch -> events without a report
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
        with self._changed:
            return sum(self._open.values())

    def open(self) -> int:
        """Count one event that is about to be handed over; returns its epoch. Raises ClientClosed after `seal`."""
        with self._changed:
            if self._sealed:
                raise ClientClosed("The audit client is closed.", fix="Make a new AuditClient.")
            self._open[self._epoch] = self._open.get(self._epoch, 0) + 1
            self.emitted += 1
            return self._epoch

    def withdraw(self, epoch: int) -> None:
        """The event was not taken after all."""
        with self._changed:
            self.emitted -= 1
            self._settle(epoch)

    def settle(self, epoch: int, failure: Failure | None) -> None:
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
            self._settle(epoch)

    def wait_for_room(self, timeout_s: float) -> None:
        """Wait until any event is settled, at most `timeout_s`."""
        with self._changed:
            self._changed.wait(timeout_s)

    def flush(self, timeout_s: float, *, seal: bool = False) -> FlushResult:
        """Wait until every event counted so far is settled, at most `timeout_s`. `seal` lets no event follow."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            self._sealed = self._sealed or seal
            mine = self._epoch
            self._epoch += 1
            while self._until(mine) and (left := deadline - time.monotonic()) > 0:
                self._changed.wait(left)
            pending = self._until(mine)
            result = FlushResult(
                self._delivered, self._failed_count, tuple(self._failed), pending, self.problem if pending else None
            )
            self._delivered, self._failed_count, self._failed = 0, 0, []
        return result

    def _until(self, epoch: int) -> int:
        return sum(count for one, count in self._open.items() if one <= epoch)

    def _settle(self, epoch: int) -> None:
        left = self._open[epoch] - 1
        if left:
            self._open[epoch] = left
        else:
            del self._open[epoch]
        self._changed.notify_all()
