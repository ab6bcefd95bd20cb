"""Jobs in a bucket of S3-compatible object storage. A job's objects are under `<tenant>/<job>/`, and only one process
can hold its lease.

The names are the same as in a folder. An output is a sequence of segments, `output.<epoch>.<number>`, since nothing can
be appended to an object. Each checkpoint ends a segment, so that a successor continues with the next one, and an
attempt holds one segment in memory. Multipart uploads are never left incomplete, since these would take up space that
no listing shows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store
from pydantic import ValidationError

from auditlane.access.scope import TenantScope
from auditlane.contract.tenants import check_tenant
from auditlane.query.export.jobs.ranges import Download
from auditlane.query.export.jobs.record import JobAttempt, JobRecord, JobStatus
from auditlane.query.export.jobs.segments import RangedSegments
from auditlane.query.export.jobs.storage import JOB_ID, UNFINISHED, is_visible, not_found
from auditlane.runtime.errors import ConfigError, NotFound, Unavailable
from auditlane.runtime.settings import Settings, variable

SEGMENT_BYTES: Final = 16 << 20
_ATTEMPT: Final = re.compile(r"run\.([0-9]{1,9})\.json")
_OUTPUT: Final = re.compile(r"output\.([0-9]{1,9})\.([0-9]{1,9})")
_RECORD, _CANCELLED = "job.json", "cancelled"
_REGION: Final = "us-east-1"
_TIMEOUT: Final = timedelta(seconds=30)
_CLOCK_SKEW: Final = timedelta(minutes=5)  # maximum difference between the bucket's clock and this machine's


@contextmanager
def bucket_errors() -> Iterator[None]:
    """Turn the client's errors into ConfigError (access is refused) or Unavailable (a retry may succeed).

    AlreadyExistsError and FileNotFoundError are expected results, and are passed on unchanged, unless the bucket itself
    does not exist.
    """
    try:
        yield
    except AlreadyExistsError:
        raise
    except FileNotFoundError as error:
        if "NoSuchBucket" not in str(error):
            raise
        raise ConfigError(
            f"The bucket of {variable('export_url')} does not exist.", fix="Create it, or correct the setting."
        ) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise ConfigError(
            f"The bucket of {variable('export_url')} refuses access: {_reason(error)}.",
            fix="Allow this account s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and s3:DeleteObject on "
            "its objects.",
        ) from error
    except BaseError as error:
        raise Unavailable(
            f"The bucket of {variable('export_url')} does not respond: {_reason(error)}.",
            fix=f"Check {variable('export_url')} and {variable('export_s3_endpoint')}.",
        ) from error


def _reason(error: BaseException) -> str:
    """Return the first line of the client's error message, without internal details."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")


def open_bucket(settings: Settings) -> S3Store:
    """Return the bucket named in the settings. Raises ConfigError.

    Anything that they do not set is read from the AWS environment variables and the account of the instance, as in AWS'
    own clients.
    """
    url = urlsplit(settings.export_url)
    config: Any = {"region": settings.export_s3_region} if settings.export_s3_region else {}
    if settings.export_s3_endpoint:
        config |= {"endpoint": settings.export_s3_endpoint}
        config.setdefault("region", _REGION)  # most servers other than AWS accept any region
    if settings.export_s3_access_key:
        config |= {
            "access_key_id": settings.export_s3_access_key,
            "secret_access_key": settings.export_s3_secret_key.get_secret_value(),
        }
    allow_http = settings.export_s3_endpoint.startswith("http://")
    try:
        return S3Store(
            url.netloc,
            prefix=url.path.strip("/") or None,
            config=config,
            client_options={"allow_http": allow_http, "timeout": _TIMEOUT},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=60)},
        )
    except (BaseError, ValueError) as error:
        raise ConfigError(f"{variable('export_url')} cannot be used: {_reason(error)}.") from error


class _Segments:
    """The output of one attempt. At most one segment is in memory."""

    checkpoint_s = 10.0

    def __init__(self, job: JobPrefix, attempt: JobAttempt) -> None:
        self._job = job
        self._epoch = attempt.epoch
        self._segments = list(attempt.segments)
        self._size = attempt.size
        self._buffer = bytearray()

    def tell(self) -> int:
        return self._size + len(self._buffer)

    def write(self, piece: bytes, /) -> None:
        self._buffer += piece
        if len(self._buffer) >= SEGMENT_BYTES:
            self._store()

    def sync(self) -> Mapping[str, Any]:
        if self._buffer:
            self._store()
        return {"segments": tuple(self._segments)}

    def _store(self) -> None:
        self._job.put_segment(self._epoch, len(self._segments), bytes(self._buffer))
        self._segments.append((self._epoch, len(self._buffer)))
        self._size += len(self._buffer)
        self._buffer.clear()


class JobPrefix:
    """The objects of one job."""

    def __init__(self, store: S3Store, tenant: str, id_: str) -> None:
        self._store = store
        self.tenant = tenant
        self.id = id_

    def status(self) -> JobStatus:
        return self.status_of(self._objects())

    def status_of(self, found: Mapping[str, Any]) -> JobStatus:
        """Return the status of the job whose objects were listed by name. Raises NotFound like `status`."""
        try:
            record = JobRecord.model_validate_json(self._read(_RECORD))
            epoch = _newest(found)
            attempt = JobAttempt.model_validate_json(self._read(f"run.{epoch}.json")) if epoch else None
        except (FileNotFoundError, ValidationError) as error:
            raise not_found(self.id) from error
        return JobStatus(record=record, attempt=attempt, cancelled_at=found.get(_CANCELLED, {}).get("last_modified"))

    def make(self, record: JobRecord) -> None:
        """Write the record. From then on, the prefix is a job."""
        self._write(_RECORD, record.model_dump_json())

    def begin(self, attempt: JobAttempt) -> bool:
        try:
            self._write(f"run.{attempt.epoch}.json", attempt.model_dump_json(), create=True)
        except AlreadyExistsError:
            return False
        return True

    def holds(self, epoch: int) -> bool:
        found = self._objects()
        return _CANCELLED not in found and _newest(found) == epoch

    def save(self, attempt: JobAttempt) -> None:
        self._write(f"run.{attempt.epoch}.json", attempt.model_dump_json())

    def cancel(self) -> None:
        self._write(_CANCELLED, "")
        self.drop_outputs()

    @contextmanager
    def writing(self, attempt: JobAttempt, save: Callable[..., None], check: Callable[[], None]) -> Iterator[_Segments]:
        yield _Segments(self, attempt)

    def put_segment(self, epoch: int, number: int, content: bytes) -> None:
        """Store a segment of this epoch's output."""
        self._write(_segment(epoch, number), content)

    def discard(self, attempt: JobAttempt) -> None:
        found = self._objects()
        if _CANCELLED in found or _RECORD not in found:  # otherwise, the successor continues behind these segments
            self._delete(name for name in found if name.startswith(f"output.{attempt.epoch}."))

    def drop_outputs(self, keep: JobAttempt | None = None) -> None:
        needed = {_segment(epoch, number) for number, (epoch, _) in enumerate(keep.segments)} if keep else set()
        self._delete(
            name
            for name in self._objects()
            if (output := _OUTPUT.fullmatch(name)) and name not in needed and (not keep or int(output[1]) <= keep.epoch)
        )

    def file(self, attempt: JobAttempt, download: Download) -> RangedSegments:
        segments = [(self._key(_segment(epoch, number)), size) for number, (epoch, size) in enumerate(attempt.segments)]
        return RangedSegments(self._store, segments, download)

    def remove(self) -> None:
        found = self._objects()
        self._delete([_RECORD])
        self._delete(found)

    def _key(self, name: str) -> str:
        return f"{self.tenant}/{self.id}/{name}"

    def _objects(self) -> dict[str, Any]:
        """Return the objects of the job by name."""
        prefix = self._key("")
        with bucket_errors():
            return {
                str(one["path"]).removeprefix(prefix): one for page in self._store.list(prefix=prefix) for one in page
            }

    def _read(self, name: str) -> bytes:
        with bucket_errors():
            return bytes(self._store.get(self._key(name)).bytes())

    def _write(self, name: str, content: str | bytes, *, create: bool = False) -> None:
        data = content.encode() if isinstance(content, str) else content
        with bucket_errors():
            self._store.put(self._key(name), data, mode="create" if create else "overwrite", use_multipart=False)

    def _delete(self, names: Iterable[str]) -> None:
        with bucket_errors():
            for name in names:
                with suppress(FileNotFoundError):
                    self._store.delete(self._key(name))


def _segment(epoch: int, number: int) -> str:
    return f"output.{epoch}.{number}"


def _newest(names: Iterable[str]) -> int:
    return max((int(found[1]) for name in names if (found := _ATTEMPT.fullmatch(name))), default=0)


class BucketStorage:
    """All jobs of an installation, in a bucket."""

    poll_s = 5.0  # a scan lists the bucket, which costs a request

    def __init__(self, store: S3Store) -> None:
        self._store = store

    def prepare(self) -> None:
        """Check that the bucket creates an object only once, and that this account may use it."""
        probe = f".probe-{uuid.uuid4().hex}"
        with bucket_errors():
            create = partial(self._store.put, probe, b"", mode="create", use_multipart=False)
            create()
            try:
                create()
            except AlreadyExistsError:
                return
            finally:
                self._store.delete(probe)
        raise ConfigError(
            f"The bucket of {variable('export_url')} ignores If-None-Match: two processes could write one export.",
            fix="Use storage with conditional writes, or AUDITLANE_EXPORT_DIR.",
        )

    def create(self, record: JobRecord) -> JobPrefix:
        job = JobPrefix(self._store, check_tenant(record.tenant, ours=True), record.id)
        job.make(record)
        return job

    def find(self, scope: TenantScope, id_: str) -> tuple[JobPrefix, JobStatus]:
        tenant = check_tenant(scope.tenant, ours=True)
        if not JOB_ID.fullmatch(id_):
            raise not_found(id_)
        job = JobPrefix(self._store, tenant, id_)
        status = job.status()
        if not is_visible(scope, status.record):
            raise not_found(id_)
        return job, status

    def of_tenant(self, tenant: str) -> list[JobStatus]:
        found = []
        for job, objects in self._listed(f"{check_tenant(tenant, ours=True)}/"):
            with suppress(NotFound):
                found.append(job.status_of(objects))
        return sorted(found, key=lambda status: status.record.id, reverse=True)

    def bytes_of(self, tenant: str) -> int:
        return sum(
            one["size"]
            for _, objects in self._listed(f"{check_tenant(tenant, ours=True)}/")
            for name, one in objects.items()
            if _OUTPUT.fullmatch(name)
        )

    def free(self) -> None:
        return None

    def all(self) -> Iterator[JobPrefix]:
        for job, _ in self._listed(""):
            yield job

    def sweep(self, now: datetime, keep: timedelta) -> None:
        for job, objects in list(self._listed("")):
            quiet = now - max(one["last_modified"] for one in objects.values())
            if _RECORD in objects and quiet + _CLOCK_SKEW < keep:
                continue  # it ended too recently, if at all, so its records need not be read
            try:
                expired = job.status_of(objects).expired(now, keep)
            except NotFound:
                expired = quiet > UNFINISHED
            if expired:
                job.remove()

    def _listed(self, prefix: str) -> Iterator[tuple[JobPrefix, dict[str, Any]]]:
        """Yield the jobs under a prefix with their objects by name, sorted by tenant and id."""
        with bucket_errors():
            found = [one for page in self._store.list(prefix=prefix or None) for one in page]
        paths = sorted((tuple(str(one["path"]).split("/")), one) for one in found if str(one["path"]).count("/") == 2)
        for (tenant, id_), objects in groupby(paths, key=lambda pair: pair[0][:2]):
            if JOB_ID.fullmatch(id_):
                yield JobPrefix(self._store, tenant, id_), {path[2]: one for path, one in objects}
