"""Assembles the HTTP app from each role's routers, the middleware around them, and the services created from
settings.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import version

from fastapi import FastAPI

from auditlane.access.links import Claims
from auditlane.gateway import router as ingest
from auditlane.runtime import tracing, validators
from auditlane.runtime.client_address import NO_PROXIES, TrustedProxies
from auditlane.runtime.settings import Settings
from auditlane.server import problems
from auditlane.server.auth.authentication import RouteChecks
from auditlane.server.middleware import cors
from auditlane.server.middleware.client_addresses import ProxyMiddleware
from auditlane.server.middleware.direct import DirectHandlers
from auditlane.server.middleware.disconnects import DisconnectMiddleware
from auditlane.server.middleware.frontegg_paths import PathNormalizer
from auditlane.server.middleware.limits import ConcurrencyLimit
from auditlane.server.middleware.request import RequestMiddleware
from auditlane.server.middleware.tracing import TracingMiddleware
from auditlane.server.openapi import document
from auditlane.server.protocol import Connections
from auditlane.server.routers import direct_handlers, routers
from auditlane.server.services import ROLES, Services


def create_app(settings: Settings, roles: Iterable[str] = ROLES, *, claims: Claims | None = None) -> FastAPI:
    """Return the app for these roles: `ingest` accepts events, and `query` reads them. No connections are opened yet.

    `claims` records used links, by default in ClickHouse. Raises ConfigError like `Services.from_settings`.
    """
    services = Services.from_settings(settings, roles, claims=claims)
    app = FastAPI(
        title="auditlane",
        version=version("auditlane"),
        lifespan=services.running,
        docs_url=None,  # FastAPI's pages load third-party scripts, which our content policy forbids
        redoc_url=None,
        redirect_slashes=False,  # clients would repeat a redirected POST as a GET
    )
    app.state.services = services
    app.state.connections = Connections(
        settings.serve_connections,
        settings.serve_connections_per_address,
        settings.serve_head_timeout_s,
        TrustedProxies.parse(settings.trusted_proxies),
    )
    app.state.before_drain = services.streams.stop  # open streams would delay shutdown
    for router in routers(services):
        app.include_router(router)
    problems.install(app)
    document.install(app)
    _surround(app, services)
    return app


def _surround(app: FastAPI, services: Services) -> None:
    settings = services.settings
    app.add_middleware(DisconnectMiddleware)
    app.add_middleware(DirectHandlers, handlers=direct_handlers(services))
    app.add_middleware(
        ConcurrencyLimit,
        route_checks=RouteChecks(app),
        settings=settings,
        streamed={ingest.PATH: settings.ingest_body_bytes},
        authenticator=services.authenticator,
        links=services.exports.links if "query" in services.roles else None,
        metrics=services.metrics,
    )
    app.add_middleware(PathNormalizer)  # outside the limit, which matches exempt routes by normalized path
    app.add_middleware(
        RequestMiddleware,
        metrics=services.metrics,
        sink=services.audit_sink,
        framed_by=validators.listed(settings.frame_ancestors),
    )
    if tracing.tracer() is not None:
        app.add_middleware(TracingMiddleware)  # outside, so that access-log lines have the trace id
    if settings.cors_origins:
        cors.install(app, validators.listed(settings.cors_origins))  # outside, so that pages can read errors too
    proxies = TrustedProxies.parse(settings.trusted_proxies)
    if proxies != NO_PROXIES:
        app.add_middleware(ProxyMiddleware, trusted=proxies)  # outermost, so that everything sees the client's address
