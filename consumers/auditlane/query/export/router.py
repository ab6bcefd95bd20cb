"""The routes that give a tenant's log as a file at once, and links for browsers to it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Depends, Request, Response, Security
from fastapi.responses import StreamingResponse
from fastapi.security import APIKeyQuery
from pydantic import BaseModel, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.export.download import CountRows, Download, file_name, headers_of
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.formats import Format
from auditlane.query.export.links import QUERY_TTL, DownloadLinks, LinkTarget
from auditlane.query.export.request import PARAMETERS, ExportRequest, Pair, StructureOf, export_spec
from auditlane.query.router import Authorize
from auditlane.runtime.errors import LogsDisabled

CODE: Final = Security(
    APIKeyQuery(name="code", scheme_name="link", auto_error=False, description="The code of a download link.")
)
FILE: Final = {
    "description": "The file. A body that breaks off is not whole: the connection closes before the chunked end.",
    "headers": {
        "Auditlane-Rows": {"description": "How many events it holds.", "schema": {"type": "integer"}},
        "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
    },
    "content": {one.media_type.partition(";")[0]: {"schema": {"type": "string"}} for one in Format},
}


class LinkAnswer(BaseModel):
    """A link to a file, for whoever has it."""

    url: str
    expires_in: int = Field(description="Seconds in which a download may begin.")


def build(
    exporter: Exporter,
    authorize: Authorize,
    links: DownloadLinks,
    structure_of: StructureOf,
    *,
    count_rows: CountRows = lambda format_, rows: None,
    job_file: Callable[[Request, TenantScope, str], Response],
) -> APIRouter:
    """The routes under `/v1`. `count_rows(format, rows)` is told of every export when it has ended.

    `job_file` answers with the file of a job.
    """
    router = APIRouter(prefix="/v1", tags=["export"])
    exports = Depends(authorize(Permission.export))

    downloads = exporter.downloads

    async def send(request: Request, scope: TenantScope, pairs: list[Pair]) -> Response:
        spec = await downloads.run(lambda: export_spec(pairs, scope, structure_of))
        format_ = spec.form.format
        name = file_name(scope.tenant, format_, datetime.now(UTC))
        if request.method == "HEAD":  # takes nothing away
            auditor_of(request).recorded = True
            with await downloads.begin(scope.tenant, Format.csv):  # a count draws no PDF
                counted = await downloads.run(lambda: exporter.count(scope, spec.filter, format_))
            return StreamingResponse(iter(()), headers=headers_of(name, counted.rows), media_type=format_.media_type)
        with await downloads.begin(scope.tenant, format_) as place:
            export = await downloads.run(lambda: exporter.export(scope, spec.filter, spec.form))
            columns = ",".join(column.name for column in spec.form.columns)
            auditor_of(request).record(
                Action.exported, resource="audit_log", format=format_, rows=export.rows, columns=columns
            )
            held = place.pop_all()
        return Download(export, format_=format_, name=name, count_rows=count_rows, downloads=downloads, place=held)

    def file(request: Request, opened: LinkTarget) -> Response | None:
        """The file of a job; None when the link leads to an export that is made now."""
        if not structure_of(opened.scope.tenant).enabled:
            raise LogsDisabled("Audit logs were switched off for this tenant.", fix="Ask whoever may configure them.")
        return job_file(request, opened.scope, opened.job) if opened.job else None

    @router.get(
        "/export",
        summary="Export events as a file",
        response_class=Response,
        responses={200: FILE},
        openapi_extra=PARAMETERS,
    )
    async def export_events(request: Request, scope: TenantScope = exports) -> Response:
        """Every event that matches now, newest first, however many."""
        return await send(request, scope, request.query_params.multi_items())

    @router.post("/export-links", summary="Get a link that downloads an export")
    def export_link(request: Request, body: ExportRequest, scope: TenantScope = exports) -> LinkAnswer:
        """A link that a browser can follow: it works for a minute, without a header, for this tenant and query only."""
        pairs = body.pairs()
        spec = export_spec(pairs, scope, structure_of)
        auditor = auditor_of(request)
        url = links.of_export(scope, auditor, pairs, base=links.base(request))
        auditor.record(Action.link_issued, resource="audit_log", format=spec.form.format)
        return LinkAnswer(url=url, expires_in=int(QUERY_TTL.total_seconds()))

    @router.head("/download", include_in_schema=False)
    @router.get("/download", summary="Follow a download link", response_class=Response, responses={200: FILE})
    async def download(request: Request, code: str | None = CODE) -> Response:
        """What the link's code stands for: an export made now, or a job's file. HEAD gives the headers alone."""
        opened = links.open(code or "")
        request.state.permission = Permission.export
        opened.identify(auditor_of(request))
        found = await downloads.run(lambda: file(request, opened))
        return found or await send(request, opened.scope, list(opened.pairs))

    return router
