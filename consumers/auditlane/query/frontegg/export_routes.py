"""Their exports: a CSV or a PDF whose columns are named in the body."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import ACTORS, NAMES
from auditlane.query.export.columns import Column
from auditlane.query.export.download import CountRows, Download, file_name
from auditlane.query.export.exporter import Export, Exporter
from auditlane.query.export.formats import Form, Format
from auditlane.query.export.request import StructureOf
from auditlane.query.frontegg import sql
from auditlane.query.frontegg.query_params import AuditQuery, newer_parameters
from auditlane.query.frontegg.routes import NEWER, audit_query
from auditlane.query.router import Authorize
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.structure_cache import Structure

MAX_COLUMNS: Final = 200  # columns
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,99}")
_ALWAYS: Final = ("event_id", "tenant_id", "ingested_at")
_THEIRS: Final = {ours: theirs for theirs, ours in NAMES.items()}


class Property(BaseModel):
    """One column; other members are ignored."""

    name: str = Field(min_length=1, max_length=200)
    display_name: str = Field("", alias="displayName", max_length=200)


class Properties(BaseModel):
    """The body; other members are ignored."""

    model_config = ConfigDict(extra="ignore")

    properties: list[Property] = Field(default_factory=list, max_length=MAX_COLUMNS)


def build(
    exporter: Exporter, database: str, authorize: Authorize, structure_of: StructureOf, *, count_rows: CountRows
) -> APIRouter:
    """The routes. `authorize(permission)` is a dependency that finds the tenant in their header."""
    router = APIRouter(include_in_schema=False)
    exports = Depends(authorize(Permission.export))

    downloads = exporter.downloads

    def begun(scope: TenantScope, query: AuditQuery, form: Form) -> Export:
        counted = exporter.counted(sql.compile_count(database, scope, query), scope, form.format)
        statement = sql.compile_export(database, scope, query, form, bound_ms=counted.bound_ms)
        return exporter.started(statement, scope, form, counted)

    async def send(
        request: Request, scope: TenantScope, query: AuditQuery, given: Properties | None, format_: Format
    ) -> Response:
        structure = await downloads.run(lambda: structure_of(scope.tenant))
        form = Form(format_, columns_of(given.properties if given else [], structure))
        with await downloads.begin(scope.tenant, format_) as place:
            export = await downloads.run(lambda: begun(scope, query, form))
            columns = ",".join(column.name for column in form.columns)
            auditor_of(request).record(
                Action.exported, resource="audit_log", format=format_, rows=export.rows, columns=columns
            )
            held, name = place.pop_all(), _name(request, scope, format_)
        return Download(export, format_=format_, name=name, count_rows=count_rows, downloads=downloads, place=held)

    async def csv(request: Request, given: Properties | None = None, scope: TenantScope = exports) -> Response:
        return await send(request, scope, audit_query(request, scope), given, Format.csv)

    async def pdf(request: Request, given: Properties | None = None, scope: TenantScope = exports) -> Response:
        return await send(request, scope, audit_query(request, scope), given, Format.pdf)

    async def newer(request: Request, given: Properties | None = None, scope: TenantScope = exports) -> Response:
        return await send(request, scope, audit_query(request, scope, newer_parameters), given, Format.csv)

    for path, route in (
        ("/audits/export/csv", csv),
        ("/audits/export/csv/v2", csv),
        ("/audits/export/pdf", pdf),
        (f"{NEWER}/export/csv", newer),
    ):
        router.add_api_route(path, route, methods=["POST"], response_class=Response)
    return router


def columns_of(properties: list[Property], structure: Structure) -> tuple[Column, ...]:
    """The columns that are asked for, else those of the table. Raises InvalidFilter for one that may not be taken."""
    given = structure.downloadable()
    if not properties:
        table = [one for one in given if one.show_in_table] or [one for one in given if one.name != "metadata"]
        if not table:
            raise InvalidFilter("No column of this log may be downloaded.", fix="Its structure has to allow one.")
        return tuple(Column(_THEIRS.get(one.name, one.name), one.display_name) for one in table)
    taken = {*_ALWAYS, *(one.name for one in given)}
    for one in properties:
        if _field(one.name, structure) not in taken:
            raise InvalidFilter(
                f"{one.name[:100]!r} may not be downloaded.", field="properties", fix="Leave the property out."
            )
    return tuple(Column(one.name, one.display_name or one.name) for one in properties)


def _field(name: str, structure: Structure) -> str:
    """The field that a column belongs to; one that is no field is a key of the metadata."""
    field = "actor_name" if name in ACTORS else NAMES.get(name, name)
    return field if name in NAMES or structure.field(field) else "metadata"


def _name(request: Request, scope: TenantScope, format_: Format) -> str:
    """The file's name: what was asked for, where a header can carry it."""
    wanted = request.query_params.get("outputFileName", "").removesuffix(f".{format_}")
    return (
        f"{wanted}.{format_}" if _FILE_NAME.fullmatch(wanted) else file_name(scope.tenant, format_, datetime.now(UTC))
    )
