"""The route that gives a tenant's log as a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, cast

from fastapi import APIRouter, Depends, Request, Response

from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query.export.download import CountRows, Download, file_name
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.sql import Format
from auditlane.query.language.fields import OwnOf, none_known
from auditlane.query.parameters import described, one_of, split
from auditlane.query.router import Authorize

FORMATS: Final = ("csv", "jsonl")
FORMULAS: Final = ("neutralised", "raw")

_EXPORT = described(
    format={"type": "string", "enum": list(FORMATS), "required": True, "description": "The file's format."},
    formulas={
        "type": "string",
        "enum": list(FORMULAS),
        "default": FORMULAS[0],
        "description": "CSV: whether a cell that a spreadsheet would run as a formula gets an apostrophe before it.",
    },
)
_FILE = {
    "description": "The file. A body that breaks off is not whole: the connection closes before the chunked end.",
    "headers": {
        "Auditlane-Rows": {"description": "How many events it holds.", "schema": {"type": "integer"}},
        "Content-Disposition": {"description": "The file's name.", "schema": {"type": "string"}},
    },
    "content": {"text/csv": {"schema": {"type": "string"}}, "application/jsonl": {"schema": {"type": "string"}}},
}


def build(
    exporter: Exporter,
    authorize: Authorize,
    *,
    own_of: OwnOf = none_known,
    count_rows: CountRows = lambda format_, rows: None,
) -> APIRouter:
    """The routes under `/v1`. `count_rows(format, rows)` is told of every export when it has ended."""
    router = APIRouter(prefix="/v1", tags=["export"])
    exports = Depends(authorize(Permission.export))

    @router.get(
        "/export",
        summary="Export events as a file",
        response_class=Response,
        responses={200: _FILE},
        openapi_extra=_EXPORT,
    )
    def export_events(request: Request, scope: TenantScope = exports) -> Response:
        """Every event that matches now, newest first, however many."""
        own, filter_ = split(request.query_params.multi_items(), ("format", "formulas"), own_of(scope.tenant))
        format_ = cast(Format, one_of("format", own.get("format"), FORMATS))
        formulas = one_of("formulas", own.get("formulas"), FORMULAS, FORMULAS[0])
        export = exporter.export(scope, filter_, format_=format_, neutralise=formulas == FORMULAS[0])
        name = file_name(scope.tenant, format_, datetime.now(UTC))
        return Download(export, format_=format_, name=name, count_rows=count_rows)

    return router
