"""Finds jobs without an owner and runs some of them. One thread scans for jobs, and each job runs in a thread of its
own.
"""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from auditlane.query.export.jobs.lease import Lease, LeaseLost, LeaseMonitor
from auditlane.query.export.jobs.record import State
from auditlane.query.export.jobs.storage import JobStorage, StoredJob
from auditlane.query.export.jobs.worker import Worker
from auditlane.runtime.errors import AuditlaneError, NotFound, Unavailable
from auditlane.runtime.log import get

_SWEEP_S: Final = 60.0
_STOP_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class JobFigures:
    """The number of jobs in one state, and the creation time of the oldest."""

    jobs: int
    oldest: datetime


def figures(jobs: Iterable[tuple[State, datetime]]) -> dict[State, JobFigures]:
    """Summarize jobs, given as (state, creation time). States without jobs are omitted. Pure."""
    found: dict[State, JobFigures] = {}
    for state, created_at in jobs:
        before = found.get(state, JobFigures(0, created_at))
        found[state] = JobFigures(before.jobs + 1, min(before.oldest, created_at))
    return found


class Runner:
    """Runs jobs.

    Call `start` and `close` once each, and `wake` after creating a job. Several processes may share the jobs.
    """

    def __init__(
        self,
        jobs: JobStorage,
        worker: Worker,
        *,
        concurrency: int,
        lease_s: float,
        keep: timedelta,
        per_tenant: int = 1,
    ) -> None:
        self._jobs = jobs
        self._worker = worker
        self._concurrency = concurrency
        self._per_tenant = per_tenant
        self._served: dict[str, int] = {}  # tenant -> turn in which its latest job started
        self._turn = 0
        self._lease_s = lease_s
        self._keep = keep
        self._owner = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._monitor = LeaseMonitor(lease_s, time.monotonic)
        self._working: dict[str, tuple[Lease, threading.Thread, str]] = {}  # job id -> lease, thread, tenant
        self._ended: set[str] = set()  # jobs that have ended and need no further scan
        self._known: dict[str, tuple[State, datetime]] = {}  # job id -> state and creation time, as of the last scan
        self.figures: Mapping[State, JobFigures] = {}  # as of the last scan
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start scanning for jobs."""
        self._thread = threading.Thread(target=self._run, name="export-jobs", daemon=True)
        self._thread.start()

    def wake(self) -> None:
        """Scan now."""
        self._wake.set()

    def close(self) -> None:
        """Release every job and stop. This takes a few seconds at most."""
        self._stopping = True
        self._worker.stop()
        self._wake.set()
        if self._thread:
            self._thread.join(_STOP_S)
        for _, thread, _ in list(self._working.values()):
            thread.join(_STOP_S)

    def _run(self) -> None:
        beat_at = swept_at = time.monotonic()
        prepared = False
        while not self._stopping:
            self._wake.wait(min(self._jobs.poll_s, self._lease_s / 4))
            self._wake.clear()
            now = time.monotonic()
            try:
                self._working = {id_: work for id_, work in self._working.items() if work[1].is_alive()}
                if now - beat_at >= self._lease_s / 4:
                    beat_at = now
                    self._beat()
                if not prepared:
                    self._jobs.prepare()
                    prepared = True
                self._scan()
                if now - swept_at >= _SWEEP_S:
                    swept_at = now
                    self._jobs.sweep(datetime.now(UTC), self._keep)
            except (OSError, AuditlaneError) as error:
                get("export").warning("export.folder", problem=str(error))
            except Exception:
                get("export").exception("export.unforeseen")

    def _beat(self) -> None:
        for lease, _, _ in self._working.values():
            if lease.attempt.state == "running":
                try:
                    lease.save()
                except LeaseLost:
                    self._worker.abandon(lease.job.id)
                except Unavailable as error:  # the other leases still need their heartbeats
                    get("export").warning("export.folder", problem=str(error))

    def _scan(self) -> None:
        """Take free jobs up to the limits. Tenants that have waited longest are served first."""
        jobs = list(self._jobs.all())
        for job in sorted(jobs, key=lambda job: self._served.get(job.tenant, 0)):
            if self._stopping or job.id in self._working or job.id in self._ended:
                continue
            try:
                self._take_if_free(job)
            except NotFound:
                continue  # being created or removed
        ids = {job.id for job in jobs}
        self._ended &= ids
        self._known = {id_: known for id_, known in self._known.items() if id_ in ids}
        self.figures = figures(self._known.values())
        tenants = {job.tenant for job in jobs}
        self._served = {tenant: turn for tenant, turn in self._served.items() if tenant in tenants}

    def _take_if_free(self, job: StoredJob) -> None:
        status = job.status()
        self._known[job.id] = (status.state, status.record.created_at)
        if status.ended_at is not None:
            self._ended.add(job.id)
            self._monitor.forget(job.id)
            return
        free = status.attempt is None or self._monitor.lapsed(job.id, status.attempt)
        tenant = status.record.tenant
        of_tenant = sum(owner == tenant for _, _, owner in self._working.values())
        if not free or len(self._working) >= self._concurrency or of_tenant >= self._per_tenant:
            return
        lease = Lease.take(job, status, self._owner)
        if lease is None:
            return
        self._turn += 1
        self._served[tenant] = self._turn
        get("export").info("export.taken", job=job.id, tenant=tenant, epoch=lease.attempt.epoch)
        thread = threading.Thread(
            target=self._worker.work, args=(lease, status.record), name=f"export-{job.id}", daemon=True
        )
        self._working[job.id] = (lease, thread, tenant)
        self._known[job.id] = ("running", status.record.created_at)
        thread.start()
