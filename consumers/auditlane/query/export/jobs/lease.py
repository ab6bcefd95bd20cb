"""The right to work on a job: kept by signs of life, lost when somebody else has taken it or nobody wants it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from auditlane.query.export.jobs.folder import JobFolder
from auditlane.query.export.jobs.record import JobAttempt, JobStatus


class LeaseLost(Exception):
    """The job is another's now, or was cancelled."""


class Lease:
    """One epoch of one job. Thread-safe: a worker saves progress while another thread shows that it lives."""

    def __init__(self, folder: JobFolder, attempt: JobAttempt) -> None:
        self.folder = folder
        self.attempt = attempt
        self._lock = threading.Lock()

    @classmethod
    def take(cls, folder: JobFolder, status: JobStatus, owner: str) -> Lease | None:
        """The epoch after the present one, or None when somebody else was first."""
        now = datetime.now(UTC)
        attempt = (
            status.attempt.next(owner, now) if status.attempt else JobAttempt(epoch=1, owner=owner, changed_at=now)
        )
        return cls(folder, attempt) if folder.begin(attempt) else None

    def save(self, **changes: Any) -> None:
        """Write down what has changed. Raises Lost, and OSError where nothing can be written."""
        with self._lock:
            if not self.folder.holds(self.attempt.epoch):
                raise LeaseLost
            news = {"beat": self.attempt.beat + 1, "changed_at": datetime.now(UTC)}
            self.attempt = self.attempt.model_copy(update=news | changes)
            self.folder.save(self.attempt)


class LeaseMonitor:
    """Tells which leases have lapsed: those that showed no sign of life for so long, by this process' own clock.

    Clocks of different machines are never compared.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def lapsed(self, id_: str, attempt: JobAttempt) -> bool:
        """Whether nobody works on it any more; ask at every turn."""
        if not attempt.owner:
            return True
        sign, now = (attempt.epoch, attempt.beat), self._clock()
        last = self._seen.get(id_)
        if last is None or last[0] != sign:
            self._seen[id_] = (sign, now)
            return False
        return now - last[1] >= self._lease_s

    def forget(self, id_: str) -> None:
        """It is over."""
        self._seen.pop(id_, None)
