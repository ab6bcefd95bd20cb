"""Export routes for Frontegg's clients: CSV or PDF, with the columns named in the body."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import ACTORS, NAMES
from auditlane.query.export.columns import Column
from auditlane.query.export.download import Download, file_name
from auditlane.query.export.exporter import Export, Exporter
from auditlane.query.export.formats import Form, Format
from auditlane.query.export.service import Exports, ExportService
from auditlane.query.frontegg import sql
from auditlane.query.frontegg.query_params import AuditQuery, newer_parameters
from auditlane.query.frontegg.routes import NEWER, audit_query
from auditlane.query.router import Authorize, Scope, granted
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.structure_cache import Structure

MAX_COLUMNS: Final = 200
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
_ALWAYS: Final = ("event_id", "tenant_id", "ingested_at")
_THEIRS: Final = {ours: theirs for theirs, ours in NAMES.items()}


class Property(BaseModel):
    """A column to export. Other members are ignored."""

    name: str = Field(min_length=1, max_length=200)
    display_name: str = Field("", alias="displayName", max_length=200)


class Properties(BaseModel):
    """The body of the request. Other members are ignored."""

    model_config = ConfigDict(extra="ignore")

    properties: list[Property] = Field(default_factory=list, max_length=MAX_COLUMNS)


async def csv(request: Request, scope: Scope, exports: Exports, given: Properties | None = None) -> Response:
    """Download audits as CSV."""
    return await _send(request, exports, scope, audit_query(request, scope), given, Format.csv)


async def pdf(request: Request, scope: Scope, exports: Exports, given: Properties | None = None) -> Response:
    """Download audits as PDF."""
    return await _send(request, exports, scope, audit_query(request, scope), given, Format.pdf)


async def newer(request: Request, scope: Scope, exports: Exports, given: Properties | None = None) -> Response:
    """Download audits as CSV, with the parameters of the second version."""
    return await _send(request, exports, scope, audit_query(request, scope, newer_parameters), given, Format.csv)


def build(authorize: Authorize) -> APIRouter:
    """Build the routes. `authorize(permission)` returns a dependency that reads the tenant from Frontegg's header."""
    router = APIRouter(include_in_schema=False, dependencies=[granted(authorize(Permission.export))])
    for path, handler in (
        ("/audits/export/csv", csv),
        ("/audits/export/csv/v2", csv),
        ("/audits/export/pdf", pdf),
        (f"{NEWER}/export/csv", newer),
    ):
        router.add_api_route(path, handler, methods=["POST"], response_class=Response)
    return router


async def _send(
    request: Request,
    exports: ExportService,
    scope: TenantScope,
    query: AuditQuery,
    given: Properties | None,
    format_: Format,
) -> Response:
    exporter, downloads = exports.exporter, exports.exporter.downloads
    structure = await downloads.run(lambda: exports.structure_of(scope.tenant))
    form = Form(format_, columns_of(given.properties if given else [], structure))
    with await downloads.begin(scope.tenant, format_) as place:
        export = await downloads.run(lambda: _started(exporter, scope, query, form))
        columns = ",".join(column.name for column in form.columns)
        auditor_of(request).record(
            Action.exported,
            resource="audit_log",
            format=format_,
            rows=export.rows,
            columns=columns,
            include_access=query.include_access,
        )
        held, name = place.pop_all(), _name(request, scope, format_)
    return Download(export, format_=format_, name=name, count_rows=exports.count_rows, downloads=downloads, place=held)


def _started(exporter: Exporter, scope: TenantScope, query: AuditQuery, form: Form) -> Export:
    counted = exporter.counted(sql.compile_count(exporter.database, scope, query), scope, form.format)
    statement = sql.compile_export(exporter.database, scope, query, form, bound_ms=counted.bound_ms)
    return exporter.started(statement, scope, form, counted, include_access=query.include_access)


def columns_of(properties: list[Property], structure: Structure) -> tuple[Column, ...]:
    """Return the requested columns, or those of the table if none are requested. Raises InvalidFilter for a column that
    is not downloadable.
    """
    given = structure.downloadable()
    if not properties:
        table = [view for view in given if view.show_in_table] or [view for view in given if view.name != "metadata"]
        if not table:
            raise InvalidFilter(
                "No field of this log may be downloaded.", fix="Allow one in the tenant's data structure."
            )
        return tuple(Column(_THEIRS.get(view.name, view.name), view.display_name) for view in table)
    taken = {*_ALWAYS, *(view.name for view in given)}
    for column in properties:
        if _field(column.name, structure) not in taken:
            raise InvalidFilter(
                f"{column.name[:100]!r} may not be downloaded.", field="properties", fix="Omit the property."
            )
    return tuple(Column(column.name, column.display_name or column.name) for column in properties)


def _field(name: str, structure: Structure) -> str:
    """Return the field of a column. A name that is not a field is a metadata key, so its field is `metadata`."""
    field = "actor_name" if name in ACTORS else NAMES.get(name, name)
    return field if name in NAMES or structure.field(field) else "metadata"


def _name(request: Request, scope: TenantScope, format_: Format) -> str:
    """Return the requested file name if it is valid in a header, and the default name otherwise."""
    wanted = request.query_params.get("outputFileName", "").removesuffix(f".{format_}")
    return (
        f"{wanted}.{format_}" if _FILE_NAME.fullmatch(wanted) else file_name(scope.tenant, format_, datetime.now(UTC))
    )
