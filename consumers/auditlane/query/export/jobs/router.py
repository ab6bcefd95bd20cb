"""The routes of export jobs: ask for one, follow it, download its file by ranges, cancel it."""

from __future__ import annotations

from collections.abc import Callable
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
from auditlane.query.export.jobs.folder import JobStore
from auditlane.query.export.jobs.ranges import RangedFile
from auditlane.query.export.jobs.record import Failure, JobRecord, JobStatus, State
from auditlane.query.export.links import Links
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


def build(
    jobs: JobStore,
    exporter: Exporter,
    authorize: Authorize,
    links: Links,
    structure_of: StructureOf,
    *,
    most: int,
    job_file: Callable[[Request, TenantScope, str], Response],
    demand_room: Callable[[TenantScope], None],
    keep: timedelta,
    wake: Callable[[], None],
) -> APIRouter:
    """The routes under `/v1/exports`. A tenant has at most `most` jobs; `wake` is called when there is a new one.

    `job_file` answers with the file of a job; `demand_room` raises when there is no room for one more.
    """
    router = APIRouter(prefix=_PATH, tags=["export"])
    exports = Depends(authorize(Permission.export))

    def link_to(request: Request, scope: TenantScope, id_: str) -> str | None:
        try:
            return links.of_job(scope, auditor_of(request), id_, base=links.base(request))
        except InvalidInput:  # the request came by an address that is not known to be ours
            return None

    def told(request: Request, scope: TenantScope, seen: JobStatus) -> Job:
        record, run = seen.record, seen.run
        done = seen.state == "done"
        return Job(
            id=record.id,
            state=seen.state,
            format=record.format,
            columns=[column.name for column in record.columns],
            rows=run.rows if run else 0,
            total=record.rows,
            bytes=run.size if run else 0,
            created_at=record.created_at,
            created_by=record.actor,
            ended_at=seen.ended_at,
            expires_at=seen.ended_at + keep if seen.ended_at else None,
            error=run.failure if run else None,
            url=link_to(request, scope, record.id) if done else None,
        )

    @router.post("", summary="Ask for a large export", status_code=202)
    def create(request: Request, response: Response, body: ExportRequest, scope: TenantScope = exports) -> Job:
        """Takes down what matches now, and makes the file in the background. `Location` tells how far it is."""
        pairs = body.pairs()
        spec = export_spec(pairs, scope, structure_of)
        present = [one for one in jobs.of_tenant(scope) if not one.expired(datetime.now(UTC), keep)]
        if len(present) >= most:
            raise TooManyExports(
                f"There are {len(present)} exports, and no more than {most} can be kept.",
                fix=f"Remove one that is not needed: DELETE {_PATH}/{present[-1].record.id}.",
            )
        demand_room(scope)
        counted = exporter.count(scope, spec.filter, spec.form.format)
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
            folder = jobs.create(record)
        except OSError as error:
            raise ConfigError(
                f"Export jobs cannot be written: {error}.", fix="Set AUDITLANE_EXPORT_DIR to a folder that can be."
            ) from error
        wake()
        auditor.record(
            "export.requested", resource="export", resource_id=record.id, rows=counted.rows, format=record.format
        )
        response.headers["Location"] = f"{_PATH}/{record.id}"
        return told(request, scope, folder.seen())

    @router.get("", summary="List export jobs")
    def list_jobs(request: Request, scope: TenantScope = exports) -> JobList:
        """The tenant's jobs that have not expired, newest first."""
        auditor_of(request).recorded = True  # to look how far a job is takes nothing away
        now = datetime.now(UTC)
        return JobList(data=[told(request, scope, one) for one in jobs.of_tenant(scope) if not one.expired(now, keep)])

    @router.get("/{export_id}", summary="Get an export job")
    def get_job(request: Request, export_id: str, scope: TenantScope = exports) -> Job:
        """How far it is; when it is done, with a link to the file."""
        auditor_of(request).recorded = True
        _, seen = jobs.find(scope, export_id)
        return told(request, scope, seen)

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
        return job_file(request, scope, export_id)

    @router.delete("/{export_id}", summary="Cancel or remove an export job", status_code=204)
    def cancel(request: Request, export_id: str, scope: TenantScope = exports) -> None:
        """One that goes on is cancelled; one that has ended is removed with its file."""
        folder, seen = jobs.find(scope, export_id)
        if seen.ended_at is None:
            folder.cancel()
        else:
            folder.remove()
        auditor_of(request).record("export.removed", resource="export", resource_id=export_id, state=seen.state)

    return router


def file_of(
    jobs: JobStore,
    structure_of: StructureOf,
    require_standing: Callable[[TenantScope], None],
    request: Request,
    scope: TenantScope,
    id_: str,
) -> Response:
    """A finished job's file, cut off once whoever downloads it may not have it any more.

    Raises NotFound; Conflict while it is not done, and once a column of it may not be downloaded any more.
    """
    folder, seen = jobs.find(scope, id_)
    record, run = seen.record, seen.run
    if seen.state != "done" or run is None:
        raise Conflict(f"The export is {seen.state}, not done.", fix=f"Ask {_PATH}/{id_} until it is.")
    if withdrawn := withdrawn_of(record.columns, structure_of(scope.tenant)):
        raise Conflict(
            f"The file holds {withdrawn[0].name!r}, which may not be downloaded any more.",
            fix="Ask for a new export, without it.",
        )
    name = file_name(record.tenant, record.format, record.created_at)
    try:
        file = RangedFile(
            folder.output(run.epoch),
            method=request.method,
            request_headers=request.headers,
            media_type=record.format.media_type,
            headers=headers_of(name, run.rows) | {"ETag": f'"{record.id}-{run.epoch}"'},
            check=partial(require_standing, scope),
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
        rows=run.rows,
        columns=",".join(column.name for column in record.columns),
        job=id_,
        range=file.range,
    )
    return file
