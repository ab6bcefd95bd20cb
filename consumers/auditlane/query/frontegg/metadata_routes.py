"""Frontegg's metadata routes.

`GET` and `POST /metadata` read and save the columns in the form of Frontegg's clients. They are stored as the
environment's data structure. `GET /metadata/ip/{ip}` returns an address's location.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Body, Depends, Request

from auditlane.access.audit import Action, auditor_of
from auditlane.access.permissions import Permission
from auditlane.access.scope import Principal
from auditlane.contract.frontegg import TENANT_HEADER, storable
from auditlane.query.fields import parse_address
from auditlane.query.frontegg import metadata
from auditlane.query.frontegg.ip_location import IpLocation, location
from auditlane.query.geoip import GeoIp
from auditlane.query.router import caller_of, granted, services_of
from auditlane.query.structure.audit import changes_text
from auditlane.query.structure.service import ANY, StructureService
from auditlane.runtime.errors import InvalidInput
from auditlane.runtime.settings import Settings
from auditlane.store.client import LazyClient
from auditlane.store.documents import load_document, save_document

DOCUMENT: Final = "frontegg-metadata"
Document = dict[str, Any]


class MetadataServices(Protocol):
    """The services that these routes use."""

    @property
    def settings(self) -> Settings: ...
    @property
    def structure(self) -> StructureService: ...
    @property
    def store(self) -> LazyClient: ...
    @property
    def geoip(self) -> GeoIp: ...


@dataclass(frozen=True, slots=True)
class MetadataReader:
    """A client that may read a tenant's metadata, or the environment's if `tenant` is None."""

    client_id: str
    tenant: str | None


Services = Annotated[MetadataServices, Depends(services_of)]
Reader = Annotated[MetadataReader, Depends(caller_of)]
Editor = Annotated[Principal, Depends(caller_of)]


def read(reader: Reader, services: Services, entityName: str = metadata.ENTITY) -> Document:  # noqa: N803 - Frontegg's name
    """Return the document of the tenant's columns, or of the environment's."""
    if entityName != metadata.ENTITY:
        return {"rows": []}
    stored = load_document(services.store.client(), services.settings.clickhouse_database, DOCUMENT)
    return {"rows": [_document(services.structure, stored, reader.tenant, reader.client_id)]}


def save(request: Request, given: Annotated[Document, Body()], editor: Editor, services: Services) -> Document:
    """Save the document, and change how the environment's fields are shown accordingly."""
    if given.get("entityName", metadata.ENTITY) != metadata.ENTITY:
        raise InvalidInput("'entityName' must be 'audits', the only entity.", field="entityName", fix="Omit it.")
    _check(given)
    structure, client, database = services.structure, services.store.client, services.settings.clickhouse_database
    fields = metadata.stated(given, structure.state(None).fields.values())
    change = structure.replace(None, fields=fields, switch=None, etags=[ANY], who=editor.subject)
    kept = metadata.kept(given, load_document(client(), database, DOCUMENT))
    save_document(client(), database, DOCUMENT, kept, changed_by=editor.subject, now=datetime.now(UTC))
    auditor_of(request).record(
        Action.structure_changed,
        resource="structure",
        resource_id=change.after.own.scope,
        revision=change.after.own.revision,
        changes=changes_text(change.changes),
    )
    return _document(structure, kept, None, editor.client_id)


def place(ip: str, services: Services) -> IpLocation:
    """Return the location of an address."""
    address = str(parse_address("ip", ip))
    return location(address, services.geoip.entries([address]).get(address))


def build(
    client: Callable[..., Any], configures: Callable[..., Any], *, named: Callable[[Request], str | None]
) -> APIRouter:
    """Build the routes.

    `client` and `configures` are dependencies that return a Principal. The principal of `configures` may change the
    environment. `named` reads the header that names a tenant.
    """
    router = APIRouter(include_in_schema=False)
    reads = [granted(_may_read(client, named))]
    router.get("/metadata", dependencies=reads)(read)
    router.post("/metadata", dependencies=[granted(configures)])(save)
    router.get("/metadata/ip/{ip}", dependencies=reads)(place)
    return router


def _may_read(client: Callable[..., Any], named: Callable[[Request], str | None]) -> Callable[..., Any]:
    """Make a dependency that requires `audits:read`, for the named tenant if one is named."""
    authenticated = Depends(client)

    async def check(request: Request, principal: Principal = authenticated) -> MetadataReader:
        tenant = named(request)
        if principal.tenant or tenant:
            tenant = principal.scope(Permission.read, tenant, header=TENANT_HEADER).tenant
        principal.require(Permission.read)
        return MetadataReader(principal.client_id, tenant)

    return check


def _document(structure: StructureService, stored: Document, tenant: str | None, vendor: str) -> Document:
    state = structure.state(tenant)
    saved = [revision.changed_at for revision in (state.environment, state.own) if revision.changed_at]
    return metadata.shown(stored, state.fields.values(), vendor=vendor, changed_at=max(saved, default=None))


def _check(document: Document) -> None:
    try:
        if storable(document) == document:
            return
        problem = "it has an unpaired surrogate, or a number beyond 64 bits"
    except ValueError as error:
        problem = str(error)
    raise InvalidInput(f"The document cannot be stored: {problem}.", field="body")
