"""The storage interface for jobs. The storage is a folder (`folder`) or a bucket (`bucket`).

A job's attempts are numbered by epoch. A process takes a job by creating the record of the next epoch, which only one
process can do. An owner writes only to the objects of its own epoch. An owner that was presumed dead and resumes
therefore cannot change anything that its successor reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from auditlane.access.scope import TenantScope
from auditlane.query.export.jobs.ranges import Download, RangedResponse
from auditlane.query.export.jobs.record import JobAttempt, JobRecord, JobStatus
from auditlane.runtime.errors import NotFound

JOB_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
UNFINISHED: Final = timedelta(hours=1)  # a job without a record is being created, or its creator died


class Output(Protocol):
    """The file that an attempt writes. Bytes written before `sync` survive a crash."""

    checkpoint_s: float  # seconds between two checkpoints

    def tell(self) -> int:
        """Return the number of bytes written, including those of earlier attempts."""

    def write(self, piece: bytes, /) -> object: ...

    def sync(self) -> Mapping[str, Any]:
        """Make the bytes durable. Returns the changes to the attempt's record, other than its size."""


class StoredJob(Protocol):
    """One job. Methods raise OSError, or Unavailable or ConfigError, if the storage fails."""

    @property
    def id(self) -> str: ...

    @property
    def tenant(self) -> str: ...

    def status(self) -> JobStatus:
        """Return the job's current status. Raises NotFound if it is being created or removed."""

    def begin(self, attempt: JobAttempt) -> bool:
        """Take the job for a new epoch. Returns False if another process was first."""

    def holds(self, epoch: int) -> bool:
        """Return whether this epoch is still the newest and the job has not been cancelled."""

    def save(self, attempt: JobAttempt) -> None:
        """Replace the record of this epoch's attempt."""

    def cancel(self) -> None:
        """Mark the job as cancelled. Its worker notices this at the next heartbeat."""

    def writing(
        self, attempt: JobAttempt, save: Callable[..., None], check: Callable[[], None]
    ) -> AbstractContextManager[Output]:
        """Continue the output of the attempt at the end given in its record.

        `save(**changes)` changes the attempt. `check` is called between the steps of a long copy, and may raise.
        """

    def discard(self, attempt: JobAttempt) -> None:
        """Remove the output of an attempt whose lease is lost, unless its successor needs it."""

    def drop_outputs(self, keep: JobAttempt | None = None) -> None:
        """Remove every output. With `keep`, only outputs of earlier epochs that this attempt's file does not need are
        removed.
        """

    def file(self, attempt: JobAttempt, download: Download) -> RangedResponse:
        """Return the response with the finished file. Raises FileNotFoundError."""

    def remove(self) -> None:
        """Remove the job. Its record is removed first, so that a partially removed job does not count as a job."""


class JobStorage(Protocol):
    """All jobs of an installation."""

    poll_s: float  # seconds between two scans for jobs

    def prepare(self) -> None:
        """Check, before the first scan, that only one process can take a job. Raises Unavailable or ConfigError."""

    def create(self, record: JobRecord) -> StoredJob:
        """Create a job in the queue."""

    def find(self, scope: TenantScope, id_: str) -> tuple[StoredJob, JobStatus]:
        """Return a job that the scope may see. Raises NotFound if there is no such job, or if it belongs to another
        tenant.
        """

    def of_tenant(self, tenant: str) -> list[JobStatus]:
        """Return the tenant's jobs, newest first."""

    def bytes_of(self, tenant: str) -> int:
        """Return the size of the tenant's files in bytes."""

    def free(self) -> int | None:
        """Return the number of free bytes, or None if there is no limit."""

    def all(self) -> Iterator[StoredJob]:
        """Yield the jobs of every tenant. The oldest job of a tenant comes first."""

    def sweep(self, now: datetime, keep: timedelta) -> None:
        """Remove expired jobs, and jobs whose creation was never completed."""


def is_visible(scope: TenantScope, record: JobRecord) -> bool:
    """Return whether a job belongs to the tenant of the scope and, if the scope has a base filter, was created with the
    same one.
    """
    return record.tenant == scope.tenant and scope.base_filter in ((), record.base_filter)


def not_found(id_: str) -> NotFound:
    """Return the error for a job that does not exist."""
    return NotFound(f"There is no export {id_[:60]!r}.", fix="If it has expired, create it again.")
