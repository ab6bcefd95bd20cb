"""Jobs in a folder that all replicas share. A job's files are in `<tenant>/<job>/`, and only one process can hold its
lease.

A process takes a job by creating `run.<epoch>.json` as a hard link, which only one process can do.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from auditlane.access.scope import TenantScope
from auditlane.contract.tenants import check_tenant
from auditlane.query.export.jobs.ranges import Download, RangedFile
from auditlane.query.export.jobs.record import JobAttempt, JobRecord, JobStatus
from auditlane.query.export.jobs.storage import JOB_ID, UNFINISHED, is_visible, not_found
from auditlane.runtime.errors import NotFound
from auditlane.runtime.files import write_text

_ATTEMPT: Final = re.compile(r"run\.([0-9]{1,9})\.json")
_COPY: Final = 1 << 20


class _OutputFile:
    """The output file of one attempt."""

    checkpoint_s = 2.0

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.write = file.tell, file.write

    def sync(self) -> Mapping[str, Any]:
        _fsync(self._file)
        return {}


class JobFolder:
    """The files of one job. Reading a job that is being removed raises NotFound."""

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
            raise not_found(self.id) from error

    def make(self, record: JobRecord) -> None:
        """Write the record. From then on, the folder is a job."""
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

    @contextmanager
    def writing(
        self, attempt: JobAttempt, save: Callable[..., None], check: Callable[[], None]
    ) -> Iterator[_OutputFile]:
        """Continue the output of the attempt. The output of an earlier epoch is copied first, but only once."""
        path = self.output(attempt.epoch)
        with path.open("r+b" if path.exists() else "w+b") as file:
            os.fchmod(file.fileno(), 0o600)
            size = attempt.size
            if attempt.file != attempt.epoch:
                size = self._take_over(attempt, file, check)
                lost: dict[str, object] = {} if size == attempt.size else {"size": 0, "rows": 0, "position": None}
                save(file=attempt.epoch, **lost)
            file.truncate(size)
            file.seek(size)
            yield _OutputFile(file)

    def _take_over(self, attempt: JobAttempt, file: BinaryIO, check: Callable[[], None]) -> int:
        """Copy the output of an earlier epoch. Returns its size, or 0 if the recorded bytes never reached the disk."""
        left = attempt.size
        file.truncate(0)
        with contextlib.suppress(FileNotFoundError), self.output(attempt.file).open("rb") as earlier:
            while piece := earlier.read(min(left, _COPY)):
                file.write(piece)
                left -= len(piece)
                check()
        if left:
            return 0
        _fsync(file)
        return attempt.size

    def discard(self, attempt: JobAttempt) -> None:
        """Remove the output of this attempt. Its successor has a copy."""
        self.output(attempt.epoch).unlink(missing_ok=True)

    def drop_outputs(self, keep: JobAttempt | None = None) -> None:
        """Remove every output. With `keep`, only those of earlier epochs are removed."""
        for path in self.path.glob("output.*"):
            if keep is None or int(path.name.partition(".")[2]) < keep.epoch:
                path.unlink(missing_ok=True)

    def file(self, attempt: JobAttempt, download: Download) -> RangedFile:
        """Return a response with the finished file. Raises FileNotFoundError."""
        return RangedFile(self.output(attempt.epoch), download)

    def remove(self) -> None:
        """Remove the job. Its record is removed first, so that a partially removed folder is not mistaken for a job."""
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


class FolderStorage:
    """All jobs of an installation, in a folder."""

    poll_s = 1.0

    def __init__(self, root: Path) -> None:
        self._root = root

    def prepare(self) -> None:
        """Do nothing, since a hard link can be created only once."""

    def create(self, record: JobRecord) -> JobFolder:
        """Create a job in the queue. Raises OSError if the folder is not writable."""
        folder = JobFolder(self._of(record.tenant) / record.id)
        folder.make(record)
        return folder

    def find(self, scope: TenantScope, id_: str) -> tuple[JobFolder, JobStatus]:
        """Return a job that the scope may see. Raises NotFound if there is no such job, or if it belongs to another
        tenant.
        """
        if not JOB_ID.fullmatch(id_):
            raise not_found(id_)
        folder = JobFolder(self._of(scope.tenant) / id_)
        status = folder.status()
        if not is_visible(scope, status.record):
            raise not_found(id_)
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
        """Return the folder of a tenant, after checking that the tenant's id is a safe file name."""
        return self._root / check_tenant(tenant, ours=True)

    def all(self) -> Iterator[JobFolder]:
        """Yield the jobs of every tenant. The oldest job of a tenant comes first."""
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
                    expired = made + UNFINISHED < now
            if expired:
                folder.remove()


def _folders(tenant: Path) -> Iterator[JobFolder]:
    try:
        yield from (JobFolder(path) for path in sorted(tenant.iterdir()) if JOB_ID.fullmatch(path.name))
    except (FileNotFoundError, NotADirectoryError):
        return


def _fsync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
