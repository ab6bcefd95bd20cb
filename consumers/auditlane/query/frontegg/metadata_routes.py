"""`GET` and `POST /metadata`: the columns in their words, kept as the environment's data structure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from clickhouse_connect.driver.client import Client
from fastapi import APIRouter, Body, Depends, Request

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.contract.frontegg import TENANT_HEADER, storable
from auditlane.query.frontegg import metadata
from auditlane.query.structure.audit import changes_text
from auditlane.query.structure.service import ANY, StructureService
from auditlane.runtime.errors import InvalidInput
from auditlane.store.documents import load_document, save_document

DOCUMENT: Final = "frontegg-metadata"
Document = dict[str, Any]


def build(
    service: StructureService,
    connect: Callable[[], Client],
    database: str,
    client: Callable[..., Any],
    configures: Callable[..., Any],
    *,
    named: Callable[[Request], str | None],
) -> APIRouter:
    """The routes. `client` is a dependency that gives a Principal, `configures` one that gives who may change the
    environment; `named` reads the header that names a tenant."""
    router = APIRouter(include_in_schema=False)
    asks, changes = Depends(client), Depends(configures)

    def document_of(stored: Document, tenant: str | None, vendor: str) -> Document:
        shown = service.state(tenant)
        saved = [one.changed_at for one in (shown.environment, shown.own) if one.changed_at]
        return metadata.shown(stored, shown.fields.values(), vendor=vendor, changed_at=max(saved, default=None))

    @router.get("/metadata")
    def read(request: Request, entityName: str = metadata.ENTITY, who: Principal = asks) -> Document:  # noqa: N803 - their name for it
        tenant = named(request)
        if who.tenant or tenant:
            tenant = who.scope(Permission.read, tenant, header=TENANT_HEADER).tenant
        who.require(Permission.read)
        if entityName != metadata.ENTITY:
            return {"rows": []}
        return {"rows": [document_of(load_document(connect(), database, DOCUMENT), tenant, who.client_id)]}

    @router.post("/metadata")
    def save(request: Request, given: Annotated[Document, Body()], who: Principal = changes) -> Document:
        if given.get("entityName", metadata.ENTITY) != metadata.ENTITY:
            raise InvalidInput("There is only the entity 'audits'.", field="entityName", fix="Leave it out.")
        _check(given)
        fields = metadata.stated(given, service.state(None).fields.values())
        done = service.replace(None, fields=fields, switch=None, etags=[ANY], who=who.subject)
        kept = metadata.kept(given, load_document(connect(), database, DOCUMENT))
        save_document(connect(), database, DOCUMENT, kept, changed_by=who.subject, now=datetime.now(UTC))
        auditor_of(request).record(
            Action.structure_changed,
            resource="structure",
            resource_id=done.after.own.scope,
            revision=done.after.own.revision,
            changes=changes_text(done.changes),
        )
        return document_of(kept, None, who.client_id)

    return router


def _check(document: Document) -> None:
    try:
        if storable(document) == document:
            return
        problem = "half a surrogate pair, or a number beyond 64 bits, is in it"
    except ValueError as error:
        problem = str(error)
    raise InvalidInput(f"The document cannot be kept: {problem}.", field="body")
