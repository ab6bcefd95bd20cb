"""Leases on jobs, which are kept alive by heartbeats. A lease is lost when another process takes the job or the job is
cancelled.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from auditlane.query.export.jobs.record import JobAttempt, JobStatus
from auditlane.query.export.jobs.storage import StoredJob


class LeaseLost(Exception):
    """The job was taken by another process, or was cancelled."""


class Lease:
    """The lease on one epoch of a job. Thread-safe, since one thread saves progress while another sends heartbeats."""

    def __init__(self, job: StoredJob, attempt: JobAttempt) -> None:
        self.job = job
        self.attempt = attempt
        self._lock = threading.Lock()

    @classmethod
    def take(cls, job: StoredJob, status: JobStatus, owner: str) -> Lease | None:
        """Take the next epoch of the job. Returns None if another process was first."""
        now = datetime.now(UTC)
        attempt = (
            status.attempt.next(owner, now) if status.attempt else JobAttempt(epoch=1, owner=owner, changed_at=now)
        )
        return cls(job, attempt) if job.begin(attempt) else None

    def save(self, **changes: Any) -> None:
        """Save the changes. This also counts as a heartbeat.

        Raises LeaseLost, and the errors of the storage.
        """
        with self._lock:
            if not self.job.holds(self.attempt.epoch):
                raise LeaseLost
            heartbeat = {"beat": self.attempt.beat + 1, "changed_at": datetime.now(UTC)}
            self.attempt = self.attempt.model_copy(update=heartbeat | changes)
            self.job.save(self.attempt)


class LeaseMonitor:
    """Detects lapsed leases. A lease lapses after `lease_s` seconds without a heartbeat, by this process's clock.

    Clocks of different machines are never compared.
    """

    def __init__(self, lease_s: float, clock: Callable[[], float]) -> None:
        self._lease_s = lease_s
        self._clock = clock
        self._seen: dict[str, tuple[tuple[int, int], float]] = {}

    def lapsed(self, id_: str, attempt: JobAttempt) -> bool:
        """Return whether the attempt has no live owner. Call this in every scan."""
        if not attempt.owner:
            return True
        sign, now = (attempt.epoch, attempt.beat), self._clock()
        last = self._seen.get(id_)
        if last is None or last[0] != sign:
            self._seen[id_] = (sign, now)
            return False
        return now - last[1] >= self._lease_s

    def forget(self, id_: str) -> None:
        """Discard the state of a job that has ended."""
        self._seen.pop(id_, None)
