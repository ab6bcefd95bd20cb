"""Routes that send a tenant's log as a file immediately, or create a link to such a file for browsers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Final

from fastapi import APIRouter, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyQuery
from pydantic import BaseModel, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.export.download import Download, file_name, headers_of
from auditlane.query.export.formats import Format
from auditlane.query.export.jobs.router import job_file
from auditlane.query.export.links import QUERY_TTL, LinkTarget
from auditlane.query.export.request import PARAMETERS, ExportRequest, Pair, export_spec
from auditlane.query.export.service import Exports, ExportService
from auditlane.query.export.since import Extent
from auditlane.query.filters import Filter, openapi_parameters
from auditlane.query.router import Authenticator, Scope, granted
from auditlane.runtime.errors import LogsDisabled

CODE: Final = Security(
    APIKeyQuery(name="code", scheme_name="link", auto_error=False, description="The download link's code.")
)
FILE: Final = {
    "description": "The file. If it is incomplete, the connection closes before the chunked body ends.",
    "headers": {
        "Auditlane-Rows": {"description": "The number of events in the file.", "schema": {"type": "integer"}},
        "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
    },
    "content": {format_.media_type.partition(";")[0]: {"schema": {"type": "string"}} for format_ in Format},
}


class LastDownload(BaseModel):
    """The caller's last complete download of a search. `events` is the number of matching events stored since then."""

    at: datetime | None = Field(description="When that download began. Null before the first one.")
    events: int


class LinkAnswer(BaseModel):
    """A link to a file. It requires no other credential."""

    url: str
    expires_in: int = Field(description="Seconds within which a download must begin.")


async def export_events(request: Request, scope: Scope, exports: Exports) -> Response:
    """Download all events that match now, newest first. There is no limit on their number."""
    return await _send(request, exports, scope, request.query_params.multi_items())


def last_download(request: Request, scope: Scope, exports: Exports) -> LastDownload:
    """Return when the caller last downloaded this search with `since`, and the number of events stored since then."""
    auditor_of(request).recorded = True
    pairs = [("format", "csv"), ("since", "last"), *request.query_params.multi_items()]
    spec = export_spec(pairs, scope, exports.structure_of)
    earlier = exports.extents.last(scope, spec.filter)
    filter_, _ = exports.covered(scope, spec)
    counted = exports.exporter.count(scope, filter_, spec.form.format)
    return LastDownload(at=earlier.at if earlier else None, events=counted.rows)


def export_link(request: Request, body: ExportRequest, scope: Scope, exports: Exports) -> LinkAnswer:
    """Create a link that a browser can follow without a header. It is valid for one minute, for this tenant and this
    query.
    """
    pairs = body.pairs()
    spec = export_spec(pairs, scope, exports.structure_of)
    auditor = auditor_of(request)
    url = exports.links.of_export(scope, auditor, pairs, base=exports.links.base(request))
    access = spec.filter.include_access
    auditor.record(Action.link_issued, resource="audit_log", format=spec.form.format, include_access=access)
    return LinkAnswer(url=url, expires_in=int(QUERY_TTL.total_seconds()))


async def download(request: Request, exports: Exports, code: str | None = CODE) -> Response:
    """Download the file for a link's code: a new export, or a job's file.

    HEAD returns only the headers.
    """
    opened = exports.links.open(code or "")
    request.state.permission = Permission.export
    opened.identify(auditor_of(request))
    file = await exports.exporter.downloads.run(lambda: _file(exports, request, opened))
    return file or await _send(request, exports, opened.scope, opened.pairs)


def build(authenticator: Authenticator) -> APIRouter:
    """Build the routes under `/v1`."""
    router = APIRouter(prefix="/v1", tags=["export"])
    grant = [granted(authenticator.authorize(Permission.export))]
    router.get(
        "/export",
        summary="Export events as a file",
        response_class=Response,
        responses={200: FILE},
        openapi_extra=PARAMETERS,
        dependencies=grant,
    )(export_events)
    router.get(
        "/last-download",
        summary="Get when this search was last downloaded",
        openapi_extra=openapi_parameters(),
        dependencies=grant,
    )(last_download)
    router.post("/export-links", summary="Get a link that downloads an export", dependencies=grant)(export_link)
    router.get("/download", summary="Follow a download link", response_class=Response, responses={200: FILE})(download)
    router.head("/download", include_in_schema=False)(download)
    return router


async def _send(request: Request, exports: ExportService, scope: TenantScope, pairs: Sequence[Pair]) -> Response:
    exporter, downloads = exports.exporter, exports.exporter.downloads
    spec = await downloads.run(lambda: export_spec(pairs, scope, exports.structure_of))
    format_ = spec.form.format

    def covered() -> tuple[Filter, Extent | None]:
        return exports.covered(scope, spec) if spec.since else (spec.filter, None)

    name = file_name(scope.tenant, format_, datetime.now(UTC))
    if request.method == "HEAD":  # exports nothing
        auditor_of(request).recorded = True
        with await downloads.begin(scope.tenant, Format.csv):  # counting needs no PDF process
            filter_, _ = await downloads.run(covered)
            counted = await downloads.run(lambda: exporter.count(scope, filter_, format_))
        return StreamingResponse(iter(()), headers=headers_of(name, counted.rows), media_type=format_.media_type)
    with await downloads.begin(scope.tenant, format_) as place:
        filter_, extent = await downloads.run(covered)
        export = await downloads.run(lambda: exporter.export(scope, filter_, spec.form))
        columns = ",".join(column.name for column in spec.form.columns)
        auditor_of(request).record(
            Action.exported,
            resource="audit_log",
            format=format_,
            rows=export.rows,
            columns=columns,
            include_access=spec.filter.include_access,
            since=spec.since or None,
        )
        held = place.pop_all()
    return Download(
        export,
        format_=format_,
        name=name,
        count_rows=exports.count_rows,
        downloads=downloads,
        place=held,
        on_complete=partial(exports.note_download, scope, spec.filter, extent) if extent else None,
    )


def _file(exports: ExportService, request: Request, opened: LinkTarget) -> Response | None:
    """Return a job's file, or None if the link leads to a new export."""
    if not exports.structure_of(opened.scope.tenant).enabled:
        raise LogsDisabled(
            "Audit logs are switched off for this tenant.", fix="Ask an administrator to switch them on."
        )
    return job_file(exports, request, opened.scope, opened.job) if opened.job else None
