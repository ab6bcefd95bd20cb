"""The routes of export jobs: ask for one, follow it, download its file by ranges, cancel it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.export.columns import withdrawn_of
from auditlane.query.export.download import file_name, headers_of
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.formats import Format
from auditlane.query.export.jobs.disk_quota import DiskQuota
from auditlane.query.export.jobs.folder import JobStore
from auditlane.query.export.jobs.ranges import RangedFile
from auditlane.query.export.jobs.record import Failure, JobRecord, JobStatus, State
from auditlane.query.export.links import DownloadLinks
from auditlane.query.export.request import ExportRequest, StructureOf, export_spec
from auditlane.query.router import Authorize
from auditlane.runtime.errors import (
    ConfigError,
    Conflict,
    InvalidInput,
    NotFound,
    TooManyExports,
)
from auditlane.runtime.ids import uuid7

_PATH: Final = "/v1/exports"
FILE: Final = {
    "description": "The file, or the part of it that `Range` names (206).",
    "headers": {
        "Auditlane-Rows": {"description": "How many events the file holds.", "schema": {"type": "integer"}},
        "ETag": {"description": "For `If-Range`: the file never changes under it.", "schema": {"type": "string"}},
        "Accept-Ranges": {"description": "bytes", "schema": {"type": "string"}},
    },
    "content": {one.media_type.partition(";")[0]: {"schema": {"type": "string"}} for one in Format},
}


class Job(BaseModel):
    """An export job."""

    id: str
    state: State
    format: Format
    columns: list[str]
    rows: int = Field(description="Events in the file so far.")
    total: int = Field(description="Events that matched when it was asked for.")
    bytes: int = Field(description="Size of the file so far.")
    created_at: datetime
    created_by: str
    ended_at: datetime | None
    expires_at: datetime | None = Field(description="When the file is removed; null until the job has ended.")
    error: Failure | None = Field(description="Why it failed.")
    url: str | None = Field(
        description="A link to the file that needs no header, for a quarter of an hour; when done. Null where the "
        "service does not know its own address (AUDITLANE_SERVE_URL)."
    )


class JobList(BaseModel):
    """The tenant's jobs, newest first."""

    data: list[Job]


@dataclass(frozen=True, slots=True)
class JobDependencies:
    """What the routes of export jobs work with.

    A tenant has at most `max_jobs`, and each is kept for `keep` after it ended. `wake` is called when there is a new
    job. `require_standing` raises when a scope may not have its export any more.
    """

    jobs: JobStore
    exporter: Exporter
    links: DownloadLinks
    structure_of: StructureOf
    quota: DiskQuota
    max_jobs: int
    keep: timedelta
    wake: Callable[[], None]
    require_standing: Callable[[TenantScope], None]


def build(dependencies: JobDependencies, authorize: Authorize) -> APIRouter:
    """The routes under `/v1/exports`."""
    router = APIRouter(prefix=_PATH, tags=["export"])
    exports = Depends(authorize(Permission.export))

    @router.post("", summary="Ask for a large export", status_code=202)
    def create(request: Request, response: Response, body: ExportRequest, scope: TenantScope = exports) -> Job:
        """Takes down what matches now, and makes the file in the background. `Location` tells how far it is."""
        job = create_job(dependencies, request, scope, body)
        response.headers["Location"] = f"{_PATH}/{job.id}"
        return job

    @router.get("", summary="List export jobs")
    def list_jobs(request: Request, scope: TenantScope = exports) -> JobList:
        """The tenant's jobs that have not expired, newest first."""
        auditor_of(request).recorded = True  # to look how far a job is takes nothing away
        return JobList(data=[job_of(dependencies, request, scope, one) for one in _present(dependencies, scope)])

    @router.get("/{export_id}", summary="Get an export job")
    def get_job(request: Request, export_id: str, scope: TenantScope = exports) -> Job:
        """How far it is; when it is done, with a link to the file."""
        auditor_of(request).recorded = True
        _, status = dependencies.jobs.find(scope, export_id)
        return job_of(dependencies, request, scope, status)

    @router.head("/{export_id}/file", include_in_schema=False)
    @router.get(
        "/{export_id}/file",
        summary="Download an export job's file",
        response_class=Response,
        responses={200: FILE, 206: FILE},
    )
    def get_file(request: Request, export_id: str, scope: TenantScope = exports) -> Response:
        """The whole file, or a part: a download that broke off goes on with `Range` and `If-Range`.

        HEAD gives the headers alone.
        """
        return job_file(dependencies, request, scope, export_id)

    @router.delete("/{export_id}", summary="Cancel or remove an export job", status_code=204)
    def cancel(request: Request, export_id: str, scope: TenantScope = exports) -> None:
        """One that goes on is cancelled; one that has ended is removed with its file."""
        folder, status = dependencies.jobs.find(scope, export_id)
        if status.ended_at is None:
            folder.cancel()
        else:
            folder.remove()
        auditor_of(request).record("export.removed", resource="export", resource_id=export_id, state=status.state)

    return router


def create_job(dependencies: JobDependencies, request: Request, scope: TenantScope, body: ExportRequest) -> Job:
    """Count what matches now and queue a job for it.

    Raises InvalidFilter, TooManyExports when the tenant has as many jobs or bytes as it may have, ConfigError where
    nothing can be written.
    """
    pairs = body.pairs()
    spec = export_spec(pairs, scope, dependencies.structure_of)
    present = _present(dependencies, scope)
    if len(present) >= dependencies.max_jobs:
        raise TooManyExports(
            f"There are {len(present)} exports, and no more than {dependencies.max_jobs} can be kept.",
            fix=f"Remove one that is not needed: DELETE {_PATH}/{present[-1].record.id}.",
        )
    dependencies.quota.require_space(scope)
    counted = dependencies.exporter.count(scope, spec.filter, spec.form.format)
    auditor = auditor_of(request)
    record = JobRecord(
        id=uuid7(),
        tenant=scope.tenant,
        actor=scope.actor,
        actor_type=auditor.actor_type,
        client_id=scope.client_id,
        pairs=tuple(pairs),
        format=spec.form.format,
        columns=spec.form.columns,
        raw_formulas=spec.form.raw_formulas,
        rows=counted.rows,
        bound_ms=counted.bound_ms,
        created_at=datetime.now(UTC),
    )
    try:
        folder = dependencies.jobs.create(record)
    except OSError as error:
        raise ConfigError(
            f"Export jobs cannot be written: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a folder that can be."
        ) from error
    dependencies.wake()
    auditor.record(
        "export.requested", resource="export", resource_id=record.id, rows=counted.rows, format=record.format
    )
    return job_of(dependencies, request, scope, folder.status())


def job_of(dependencies: JobDependencies, request: Request, scope: TenantScope, status: JobStatus) -> Job:
    """A job as the API describes it; with a link to the file when it is done and the service knows its address."""
    record, attempt = status.record, status.attempt
    url = None
    if status.state == "done":
        links = dependencies.links
        with suppress(InvalidInput):  # the request came by an address that is not known to be ours
            url = links.of_job(scope, auditor_of(request), record.id, base=links.base(request))
    return Job(
        id=record.id,
        state=status.state,
        format=record.format,
        columns=[column.name for column in record.columns],
        rows=attempt.rows if attempt else 0,
        total=record.rows,
        bytes=attempt.size if attempt else 0,
        created_at=record.created_at,
        created_by=record.actor,
        ended_at=status.ended_at,
        expires_at=status.ended_at + dependencies.keep if status.ended_at else None,
        error=attempt.failure if attempt else None,
        url=url,
    )


def job_file(dependencies: JobDependencies, request: Request, scope: TenantScope, id_: str) -> Response:
    """A finished job's file, cut off once whoever downloads it may not have it any more.

    Raises NotFound; Conflict while it is not done, and once a column of it may not be downloaded any more.
    """
    folder, status = dependencies.jobs.find(scope, id_)
    record, attempt = status.record, status.attempt
    if status.state != "done" or attempt is None:
        raise Conflict(f"The export is {status.state}, not done.", fix=f"Ask {_PATH}/{id_} until it is.")
    if withdrawn := withdrawn_of(record.columns, dependencies.structure_of(scope.tenant)):
        raise Conflict(
            f"The file holds {withdrawn[0].name!r}, which may not be downloaded any more.",
            fix="Ask for a new export, without it.",
        )
    name = file_name(record.tenant, record.format, record.created_at)
    try:
        file = RangedFile(
            folder.output(attempt.epoch),
            method=request.method,
            request_headers=request.headers,
            media_type=record.format.media_type,
            headers=headers_of(name, attempt.rows) | {"ETag": f'"{record.id}-{attempt.epoch}"'},
            check=partial(dependencies.require_standing, scope),
        )
    except FileNotFoundError as error:
        raise NotFound("The export's file is gone.", fix="Ask for the export again.") from error
    auditor = auditor_of(request)
    if request.method == "HEAD":  # takes nothing away
        auditor.recorded = True
        return file
    auditor.record(
        Action.exported,
        resource="audit_log",
        format=record.format,
        rows=attempt.rows,
        columns=",".join(column.name for column in record.columns),
        job=id_,
        range=file.range,
    )
    return file


def _present(dependencies: JobDependencies, scope: TenantScope) -> list[JobStatus]:
    """The tenant's jobs that have not expired, newest first."""
    now = datetime.now(UTC)
    return [one for one in dependencies.jobs.of_tenant(scope) if not one.expired(now, dependencies.keep)]
