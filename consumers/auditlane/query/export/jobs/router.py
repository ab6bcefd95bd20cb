"""Routes for export jobs: create a job, follow its progress, download its file in ranges, and cancel it."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.base_filter import marked
from auditlane.query.export.columns import withdrawn_of
from auditlane.query.export.download import file_name, headers_of
from auditlane.query.export.formats import Format
from auditlane.query.export.jobs.ranges import Download
from auditlane.query.export.jobs.record import Failure, JobRecord, JobStatus, State
from auditlane.query.export.jobs.storage import is_visible
from auditlane.query.export.request import ExportRequest, export_spec
from auditlane.query.export.service import Exports, ExportService
from auditlane.query.export.since import places_of
from auditlane.query.router import Authenticator, Scope, granted
from auditlane.runtime.errors import ConfigError, Conflict, InvalidInput, NotFound, TooManyExports
from auditlane.runtime.ids import uuid7

_PATH: Final = "/v1/exports"
FILE: Final = {
    "description": "The file, or the part of it that `Range` selects (206).",
    "headers": {
        "Auditlane-Rows": {"description": "The number of events in the file.", "schema": {"type": "integer"}},
        "ETag": {
            "description": "For `If-Range`; the file never changes.",
            "schema": {"type": "string"},
        },
        "Accept-Ranges": {"description": "bytes", "schema": {"type": "string"}},
    },
    "content": {format_.media_type.partition(";")[0]: {"schema": {"type": "string"}} for format_ in Format},
}


class Job(BaseModel):
    """An export job."""

    id: str
    state: State
    format: Format
    columns: list[str]
    include_access: bool = Field(description="Whether the file includes events about access to the log.")
    rows: int = Field(description="Events in the file so far.")
    total: int = Field(description="Events that matched when the job was created.")
    bytes: int = Field(description="Size of the file so far.")
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    expires_at: datetime | None = Field(description="When the file is removed; null until the job has ended.")
    error: Failure | None = Field(description="Why it failed.")
    url: str | None = Field(
        description="A link to the file, valid for 15 minutes without a header; null until the job is done, "
        "or if the service does not know its own address (AUDITLANE_SERVE_URL)."
    )


class JobList(BaseModel):
    """The tenant's jobs, newest first."""

    data: list[Job]


def create(request: Request, response: Response, body: ExportRequest, scope: Scope, exports: Exports) -> Job:
    """Create a background job that exports the events that match now. The `Location` header contains the job's URL."""
    job = create_job(exports, request, scope, body)
    response.headers["Location"] = f"{_PATH}/{job.id}"
    return job


def list_jobs(request: Request, scope: Scope, exports: Exports) -> JobList:
    """List the tenant's jobs that have not expired, newest first."""
    auditor_of(request).recorded = True  # reading a job's progress exports nothing, so it is not recorded
    return JobList(data=[job_of(exports, request, scope, status) for status in _visible(exports, scope)])


def get_job(request: Request, export_id: str, scope: Scope, exports: Exports) -> Job:
    """Return the progress of a job, and a link to its file once it is done."""
    auditor_of(request).recorded = True
    _, status = exports.jobs.find(scope, export_id)
    return job_of(exports, request, scope, status)


def get_file(request: Request, export_id: str, scope: Scope, exports: Exports) -> Response:
    """Download the whole file or a part of it. `Range` and `If-Range` resume an interrupted download.

    HEAD returns only the headers.
    """
    return job_file(exports, request, scope, export_id)


def cancel(request: Request, export_id: str, scope: Scope, exports: Exports) -> None:
    """Cancel a job that has not ended. A job that has ended is removed, together with its file."""
    stored, status = exports.jobs.find(scope, export_id)
    if status.ended_at is None:
        stored.cancel()
    else:
        stored.remove()
    auditor_of(request).record("export.removed", resource="export", resource_id=export_id, state=status.state)


def build(authenticator: Authenticator) -> APIRouter:
    """Build the routes under `/v1/exports`."""
    exports = granted(authenticator.authorize(Permission.export))
    router = APIRouter(prefix=_PATH, tags=["export"], dependencies=[exports])
    router.post("", summary="Request a large export", status_code=202)(create)
    router.get("", summary="List export jobs")(list_jobs)
    router.get("/{export_id}", summary="Get an export job")(get_job)
    router.get(
        "/{export_id}/file",
        summary="Download an export job's file",
        response_class=Response,
        responses={200: FILE, 206: FILE},
    )(get_file)
    router.head("/{export_id}/file", include_in_schema=False)(get_file)
    router.delete("/{export_id}", summary="Cancel or remove an export job", status_code=204)(cancel)
    return router


def create_job(exports: ExportService, request: Request, scope: TenantScope, body: ExportRequest) -> Job:
    """Count the events that match now, and queue a job to export them.

    Raises InvalidFilter, TooManyExports if the tenant has reached its limit of jobs or bytes, and ConfigError if the
    folder is not writable.
    """
    pairs = body.pairs()
    spec = export_spec(pairs, scope, exports.structure_of)
    present = _present(exports, scope.tenant)
    if len(present) >= exports.max_jobs:
        visible = _visible(exports, scope)
        raise TooManyExports(
            f"This tenant already has {len(present)} exports; the limit is {exports.max_jobs}.",
            fix=f"Remove one that is no longer needed: DELETE {_PATH}/{visible[-1].record.id}."
            if visible
            else "Try again after one of them has expired.",
        )
    exports.quota.require_space(scope)
    filter_, extent = exports.covered(scope, spec) if spec.since else (spec.filter, None)
    counted = exports.exporter.count(scope, filter_, spec.form.format)
    auditor = auditor_of(request)
    record = JobRecord(
        id=uuid7(),
        tenant=scope.tenant,
        actor=scope.actor,
        actor_type=auditor.actor_type,
        client_id=scope.client_id,
        pairs=tuple(marked(scope, pairs)),
        format=spec.form.format,
        columns=spec.form.columns,
        raw_formulas=spec.form.raw_formulas,
        ocsf_version=spec.form.ocsf_version,
        dialect=spec.form.dialect,
        separator=spec.form.separator,
        zone=spec.form.zone,
        include_access=spec.filter.include_access,
        sentences=spec.form.sentences,
        extent=extent,
        offsets=places_of(filter_),
        rows=counted.rows,
        bound_ms=counted.bound_ms,
        created_at=datetime.now(UTC),
    )
    try:
        stored = exports.jobs.create(record)
    except OSError as error:
        raise ConfigError(
            f"Cannot write export jobs: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a writable folder."
        ) from error
    exports.wake()
    auditor.record(
        "export.requested",
        resource="export",
        resource_id=record.id,
        rows=counted.rows,
        format=record.format,
        include_access=record.include_access,
    )
    return job_of(exports, request, scope, stored.status())


def job_of(exports: ExportService, request: Request, scope: TenantScope, status: JobStatus) -> Job:
    """Describe a job, with a link to its file if it is done and the service knows its own address."""
    record, attempt = status.record, status.attempt
    url = None
    if status.state == "done":
        links = exports.links
        with suppress(InvalidInput):  # the request's Host header does not name this service
            url = links.of_job(scope, auditor_of(request), record.id, base=links.base(request))
    return Job(
        id=record.id,
        state=status.state,
        format=record.format,
        columns=[column.name for column in record.columns],
        include_access=record.include_access,
        rows=attempt.rows if attempt else 0,
        total=record.rows,
        bytes=attempt.size if attempt else 0,
        created_at=record.created_at,
        created_by=record.actor,
        ended_at=status.ended_at,
        expires_at=status.ended_at + exports.keep if status.ended_at else None,
        error=attempt.failure if attempt else None,
        url=url,
    )


def job_file(exports: ExportService, request: Request, scope: TenantScope, id_: str) -> Response:
    """Return the file of a finished job. The download is cut off if the caller loses access to it.

    Raises NotFound if there is no such job, and Conflict if it is not done or if its file has a column that may no
    longer be downloaded.
    """
    stored, status = exports.jobs.find(scope, id_)
    record, attempt = status.record, status.attempt
    if status.state != "done" or attempt is None:
        raise Conflict(f"The export is {status.state}, not done.", fix=f"Poll {_PATH}/{id_} until it is.")
    if withdrawn := withdrawn_of(record.columns, exports.structure_of(scope.tenant)):
        raise Conflict(
            f"The file contains the column {withdrawn[0].name!r}, which may no longer be downloaded.",
            fix="Request a new export without it.",
        )
    name = file_name(record.tenant, record.format, record.created_at)
    try:
        download = Download(
            method=request.method,
            request_headers=request.headers,
            media_type=record.format.media_type,
            headers=headers_of(name, attempt.rows) | {"ETag": f'"{record.id}-{attempt.epoch}"'},
            check=partial(exports.require_standing, scope),
        )
        file = stored.file(attempt, download)
    except FileNotFoundError as error:
        raise NotFound("The export's file no longer exists.", fix="Request the export again.") from error
    auditor = auditor_of(request)
    if request.method == "HEAD":  # exports nothing
        auditor.recorded = True
        return file
    auditor.record(
        Action.exported,
        resource="audit_log",
        format=record.format,
        rows=attempt.rows,
        columns=",".join(column.name for column in record.columns),
        include_access=record.include_access,
        job=id_,
        range=file.range,
    )
    return file


def _present(exports: ExportService, tenant: str) -> list[JobStatus]:
    """Return the tenant's jobs that have not expired, newest first."""
    now = datetime.now(UTC)
    return [status for status in exports.jobs.of_tenant(tenant) if not status.expired(now, exports.keep)]


def _visible(exports: ExportService, scope: TenantScope) -> list[JobStatus]:
    return [status for status in _present(exports, scope.tenant) if is_visible(scope, status.record)]
