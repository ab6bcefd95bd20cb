"""Each role's routers, in the order in which their routes are matched."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastapi import APIRouter, Depends

from auditlane.access.permissions import Permission
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.gateway import router as ingest
from auditlane.gateway.frontegg import routes as frontegg_ingest
from auditlane.query import router as query
from auditlane.query.export import router as export
from auditlane.query.export.jobs import router as export_jobs
from auditlane.query.frontegg import export_routes as frontegg_exports
from auditlane.query.frontegg import metadata_routes as frontegg_metadata
from auditlane.query.frontegg import routes as frontegg_query
from auditlane.query.live import router as live
from auditlane.query.saved_views import router as saved_views
from auditlane.query.structure import router as structure
from auditlane.query.summary import router as summary
from auditlane.server import frontegg, health, problems
from auditlane.server.admin import router as admin
from auditlane.server.auth import link_login, session, tokens
from auditlane.server.auth.authentication import named_tenant, tenant_in_path
from auditlane.server.middleware.change_rates import limit
from auditlane.server.middleware.direct import Handler
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.pages import plain_page
from auditlane.server.pages.console import access as console_access
from auditlane.server.pages.console import dead_letters, directory
from auditlane.server.pages.console import page as console
from auditlane.server.pages.viewer import assets, shell
from auditlane.server.services import Services


def routers(services: Services) -> Iterator[APIRouter]:
    """Yield the routers for this process's roles, in the order in which their routes are matched."""
    yield tokens.build(services)
    yield frontegg.build()
    if services.ingest_service:
        authenticator = services.authenticator
        yield ingest.build(
            services.ingest_service, services.settings, authenticator, named=named_tenant, refuse=problems.of_error
        )
        yield frontegg_ingest.build(
            services.ingest_service, authenticator.client(Permission.write), named=frontegg.frontegg_tenant
        )
    if "query" in services.roles:
        yield from _sign_in(services)
        yield from _log(services)
        yield from _frontegg_log(services)
        yield from _pages(services)
        yield admin.build(services)
        yield from _console(services)
    yield health.build(services.settings)


def direct_handlers(services: Services) -> dict[tuple[str, str], Handler]:
    """Return the handlers that are called without FastAPI, by method and path."""
    if services.ingest_service is None:
        return {}
    accept = ingest.handler(
        services.ingest_service,
        services.settings,
        services.authenticator,
        named=named_tenant,
        refuse=problems.of_error,
    )
    return {("POST", ingest.PATH): accept}


def _sign_in(services: Services) -> Iterator[APIRouter]:
    yield link_login.build()
    yield session.build(services)


def _log(services: Services) -> Iterator[APIRouter]:
    """Yield the API for a tenant's log, which the viewer also uses."""
    authenticator = services.authenticator
    yield live.build(services)
    yield query.build(services)
    yield export.build(authenticator)
    yield export_jobs.build(authenticator)
    # Both are allowed while logs are disabled: the former enables them, and views contain no events.
    in_path = partial(authenticator.authorize, named_in=tenant_in_path, even_off=True)
    settings = services.settings
    changes = APIRouter(dependencies=[Depends(limit(settings.structure_changes_per_minute, "The data structure was"))])
    changes.include_router(structure.build(in_path, authenticator.environment, only=reject_unknown_parameters))
    yield changes
    of_views = APIRouter(dependencies=[Depends(limit(settings.saved_view_changes_per_minute, "Saved views were"))])
    of_views.include_router(
        saved_views.build(partial(authenticator.authorize, even_off=True), only=reject_unknown_parameters)
    )
    yield of_views
    yield summary.build(services)


def _frontegg_log(services: Services) -> Iterator[APIRouter]:
    """Yield the same log on the paths of Frontegg's clients, which name the tenant in a different header."""
    authenticator, named = services.authenticator, frontegg.frontegg_tenant
    authorize = partial(authenticator.authorize, named_in=named, header=TENANT_HEADER)
    yield frontegg_query.build(authorize)
    yield frontegg_metadata.build(authenticator.client(), authenticator.environment(Permission.configure), named=named)
    yield frontegg_exports.build(authorize)


def _pages(services: Services) -> Iterator[APIRouter]:
    yield plain_page.build(alone=services.bundle is None)
    yield assets.build()
    if services.bundle:
        yield shell.build()


def _console(services: Services) -> Iterator[APIRouter]:
    """Yield the console's routers, and those of the API that it calls with an operator's cookie."""
    operators = console_access.Operators(services.authenticator)
    yield console.build(services)
    yield directory.build()
    yield dead_letters.build(services)
    yield structure.build(
        operators.authorize,
        operators.environment,
        only=reject_unknown_parameters,
        prefix=console_access.API,
        documented=False,
    )
