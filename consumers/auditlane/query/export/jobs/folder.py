"""Jobs in a folder that all replicas share. A job is in `<tenant>/<job>/`, and only one process can hold its lease.

A job's attempts are numbered by epoch. A process takes a job by creating `run.<epoch>.json` as a hard link, which only
one process can do. An owner writes only to the files of its own epoch, so an owner that was presumed dead and resumes
cannot change anything that its successor reads.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from auditlane.access.scope import TenantScope
from auditlane.contract.tenants import check_tenant
from auditlane.query.export.jobs.record import JobAttempt, JobRecord, JobStatus
from auditlane.runtime.errors import NotFound
from auditlane.runtime.files import write_text

_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ATTEMPT: Final = re.compile(r"run\.([0-9]{1,9})\.json")
_UNFINISHED: Final = timedelta(hours=1)  # a folder without a record is still being created, or its creator died


class JobFolder:
    """One job's files. Reading a job that is being removed raises NotFound."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def tenant(self) -> str:
        return self.path.parent.name

    def output(self, epoch: int) -> Path:
        """Return the output file for this epoch's owner."""
        return self.path / f"output.{epoch}"

    def status(self) -> JobStatus:
        """Return the job's current status."""
        try:
            record = JobRecord.model_validate_json((self.path / "job.json").read_bytes())
            epoch = self._epoch()
            attempt = JobAttempt.model_validate_json(self._attempt(epoch).read_bytes()) if epoch else None
            return JobStatus(record=record, attempt=attempt, cancelled_at=self._cancelled_at())
        except (OSError, ValidationError) as error:
            raise _not_found(self.id) from error

    def make(self, record: JobRecord) -> None:
        """Write the record, which makes the folder a job."""
        self.path.mkdir(parents=True)
        write_text(self.path / "job.json", record.model_dump_json())

    def begin(self, attempt: JobAttempt) -> bool:
        """Take the job for a new epoch. Returns False if another process was first."""
        new = self.path / f".{uuid.uuid4().hex}"
        try:
            write_text(new, attempt.model_dump_json())
            os.link(new, self._attempt(attempt.epoch))
        except FileExistsError:
            return False
        finally:
            new.unlink(missing_ok=True)
        return True

    def holds(self, epoch: int) -> bool:
        """Return whether this epoch is still the newest and the job has not been cancelled."""
        return not (self._attempt(epoch + 1).exists() or self._marker.exists()) and self._attempt(epoch).exists()

    def save(self, attempt: JobAttempt) -> None:
        """Replace this epoch's record of its attempt."""
        write_text(self._attempt(attempt.epoch), attempt.model_dump_json())

    def cancel(self) -> None:
        """Mark the job as cancelled. Its worker notices at the next heartbeat."""
        self._marker.touch()
        self.drop_outputs()

    def drop_outputs(self, keep: int = 0) -> None:
        """Remove every output except that of epoch `keep`."""
        for path in self.path.glob("output.*"):
            if path != self.output(keep):
                path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the job. Its record is removed first, so that a partly removed folder is not taken for a job."""
        (self.path / "job.json").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _marker(self) -> Path:
        return self.path / "cancelled"

    def _cancelled_at(self) -> datetime | None:
        try:
            return datetime.fromtimestamp(self._marker.stat().st_mtime, UTC)
        except FileNotFoundError:
            return None

    def _attempt(self, epoch: int) -> Path:
        return self.path / f"run.{epoch}.json"

    def _epoch(self) -> int:
        return max(
            (int(found[1]) for path in self.path.iterdir() if (found := _ATTEMPT.fullmatch(path.name))), default=0
        )


class JobStore:
    """All jobs of an installation."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, record: JobRecord) -> JobFolder:
        """Create a job in the queue. Raises OSError if the folder is not writable."""
        folder = JobFolder(self._of(record.tenant) / record.id)
        folder.make(record)
        return folder

    def find(self, scope: TenantScope, id_: str) -> tuple[JobFolder, JobStatus]:
        """Return a job that the scope may see. Raises NotFound if there is no such job or it belongs to another
        tenant.
        """
        if not _ID.fullmatch(id_):
            raise _not_found(id_)
        folder = JobFolder(self._of(scope.tenant) / id_)
        status = folder.status()
        if not is_visible(scope, status.record):
            raise _not_found(id_)
        return folder, status

    def of_tenant(self, tenant: str) -> list[JobStatus]:
        """Return the tenant's jobs, newest first."""
        found = []
        for folder in _folders(self._of(tenant)):
            with contextlib.suppress(NotFound):
                status = folder.status()
                if status.record.tenant == tenant:  # some file systems equate `Acme` and `acme`
                    found.append(status)
        return sorted(found, key=lambda status: status.record.id, reverse=True)

    def bytes_of(self, tenant: str) -> int:
        """Return the total size of the tenant's files in bytes."""
        total = 0
        for folder in _folders(self._of(tenant)):
            for path in folder.path.glob("output.*"):
                with contextlib.suppress(FileNotFoundError):
                    total += path.stat().st_size
        return total

    def free(self) -> int:
        """Return the number of free bytes on the disk. Raises OSError."""
        self._root.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self._root).free

    def _of(self, tenant: str) -> Path:
        """Return a tenant's folder, after checking that the tenant's id is a safe file name."""
        return self._root / check_tenant(tenant, ours=True)

    def all(self) -> Iterator[JobFolder]:
        """Yield every tenant's jobs, each tenant's oldest job first."""
        with contextlib.suppress(FileNotFoundError):
            for tenant in sorted(self._root.iterdir()):
                yield from _folders(tenant)

    def sweep(self, now: datetime, keep: timedelta) -> None:
        """Remove expired jobs, and folders whose creation was never completed."""
        for folder in self.all():
            try:
                expired = folder.status().expired(now, keep)
            except NotFound:
                with contextlib.suppress(FileNotFoundError):
                    made = datetime.fromtimestamp(folder.path.stat().st_mtime, UTC)
                    expired = made + _UNFINISHED < now
            if expired:
                folder.remove()


def _folders(tenant: Path) -> Iterator[JobFolder]:
    try:
        yield from (JobFolder(path) for path in sorted(tenant.iterdir()) if _ID.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return


def is_visible(scope: TenantScope, record: JobRecord) -> bool:
    """Return whether a job belongs to the scope's tenant and was created under the scope's base filter, if it has
    one.
    """
    return record.tenant == scope.tenant and scope.base_filter in ((), record.base_filter)


def _not_found(id_: str) -> NotFound:
    return NotFound(f"There is no export {id_[:60]!r}.", fix="If it has expired, create it again.")
