"""The one HTTP app, put together from the settings: routers by role, and what surrounds them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio.to_thread
from fastapi import Depends, FastAPI

from auditlane.access.keys import KeysFile
from auditlane.access.links import Claims, LinkExchange
from auditlane.access.permissions import Permission
from auditlane.access.provenance_keys import NAME, ProvenanceKeys, path_of
from auditlane.access.signing import SigningKeys
from auditlane.contract.frontegg import TENANT_HEADER
from auditlane.gateway import router as ingest
from auditlane.gateway.frontegg import routes as frontegg_ingest
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.metrics import Meters
from auditlane.query import router
from auditlane.query.clickhouse.concurrency import TenantConcurrency
from auditlane.query.clickhouse.lazy_client import LazyClient
from auditlane.query.export.service import ExportService
from auditlane.query.frontegg import export_routes as frontegg_exports
from auditlane.query.frontegg import geoip as frontegg_geoip
from auditlane.query.frontegg import metadata_routes as frontegg_metadata
from auditlane.query.frontegg import routes as frontegg_routes
from auditlane.query.frontegg.reader import FronteggReader
from auditlane.query.language.fields import from_structure
from auditlane.query.live import router as live_router
from auditlane.query.live.hub import StreamHub
from auditlane.query.reader import Reader
from auditlane.query.structure import router as structure_router
from auditlane.query.structure.contracts import contracts_of
from auditlane.query.structure.service import StructureService
from auditlane.query.summary import router as summary_router
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime import validators
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.server import frontegg, health, problems
from auditlane.server.admin import router as admin_router
from auditlane.server.admin.operations import Operations
from auditlane.server.audit import sink
from auditlane.server.auth import link_login, oidc, session, tokens
from auditlane.server.auth.authentication import Authenticator, named_tenant, tenant_in_path
from auditlane.server.auth.cookies import Cookies
from auditlane.server.auth.enablement import TenantEnablement
from auditlane.server.auth.route_credentials import RouteChecks
from auditlane.server.auth.sign_in_limits import SignInLimits
from auditlane.server.metrics import HttpMetrics
from auditlane.server.middleware import cors
from auditlane.server.middleware.client_networks import networks
from auditlane.server.middleware.disconnects import DisconnectMiddleware
from auditlane.server.middleware.frontegg_paths import PathNormalizer
from auditlane.server.middleware.limits import ConcurrencyLimit
from auditlane.server.middleware.parameters import reject_unknown_parameters
from auditlane.server.middleware.request import RequestMiddleware
from auditlane.server.middleware.request_tenant import finder
from auditlane.server.middleware.structure_changes import limit
from auditlane.server.openapi import document
from auditlane.server.pages import plain_page
from auditlane.server.pages.console import access as console_access
from auditlane.server.pages.console import page as console
from auditlane.server.pages.viewer import assets, shell
from auditlane.server.pages.viewer import bundle as bundles
from auditlane.server.probes import PROBE_TIMEOUT_S, KafkaProbe, Probe, StoreProbe
from auditlane.server.protocol import Connections
from auditlane.store.client import CONNECT_TIMEOUT_S, connect
from auditlane.store.link_claims import LinkClaims
from auditlane.store.structure_cache import StructureCache

ROLES: Final = ("ingest", "query")
THREADS: Final = 40  # for queries
_NEEDED: Final = {
    "keys_file": "a file for the clients' keys; `auditlane keys create` makes it",
    "signing_keys_file": "a file for the keys that sign tokens; it is made when it is missing, and replicas share it",
}
_NEEDED_BY: Final = {
    "ingest": {"kafka_bootstrap": "Kafka's brokers, host:port,host:port", "registry_url": "the schema registry"},
    "query": {"clickhouse_url": "where ClickHouse answers over HTTP"},
}


def create_app(settings: Settings, roles: Iterable[str] = ROLES, *, claims: Claims | None = None) -> FastAPI:
    """The app for these roles: `ingest` takes events, `query` reads them.

    `claims` is where opened links are written down: ClickHouse, unless another place is given.

    Reaches nothing yet: a ClickHouse that is away is an error of the request that needs it.

    Raises ConfigError that names every missing variable at once, or the file that is not valid.
    """
    roles = _known(roles)
    keys_file, signing_keys_file = _needed(settings, roles)
    # What every request asks first may take no longer than a page may.
    patience = settings.query_timeout_s + 1.0
    store = LazyClient(
        lambda: connect(
            settings, connect_timeout=min(CONNECT_TIMEOUT_S, patience), send_receive_timeout=patience, query_limit=0
        )
    )
    structures = StructureCache(store.client, settings.clickhouse_database)
    enablement = TenantEnablement(lambda tenant: structures.of(tenant).enabled, timeout_s=settings.query_timeout_s / 2)
    keys, signing = KeysFile(keys_file), SigningKeys.load_or_create(signing_keys_file)
    authenticator = Authenticator(
        keys, signing, oidc.from_settings(settings), enablement, cookies=Cookies(settings.serve_url)
    )
    metrics = HttpMetrics()
    concurrency = TenantConcurrency(settings.query_concurrency)
    reader = Reader(settings, concurrency=concurrency)
    hub = StreamHub.of(settings, reader.executor)
    exports = ExportService(
        settings,
        authenticator.authorize,
        authenticator.signing,
        authenticator.require_export,
        structures.of,
        count_rows=metrics.exported,
        concurrency=concurrency,
    )
    audits = FronteggReader(settings, concurrency)
    provenance = ProvenanceKeys.load_or_create(path_of(settings) or signing_keys_file.with_name(NAME))
    ingest_service = IngestService(settings, Meters(metrics.registry), provenance.signer) if "ingest" in roles else None
    structure = StructureService(
        store.client,
        settings.clickhouse_database,
        contracts_of(settings),
        structures,
        registered=ingest_service.contract_changed if ingest_service else lambda tenant: None,
    )
    own = sink.from_settings(settings, metrics.trail)
    metrics.spool(lambda: own.spooled_bytes)
    asked: dict[str, Probe] = {
        "ingest": KafkaProbe(settings),
        "query": StoreProbe(
            lambda: connect(settings, connect_timeout=PROBE_TIMEOUT_S, send_receive_timeout=PROBE_TIMEOUT_S),
            settings.clickhouse_database,
        ),
    }
    probes = [asked[role] for role in roles]

    refusals = ingest_service.refusals if ingest_service else None
    operations = Operations(settings, store.client, asked["query"], authenticator, own, refusals)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        # Of the threads that queries run in, one tenant's turns take less than half.
        anyio.to_thread.current_default_thread_limiter().total_tokens = max(THREADS, 2 * settings.query_concurrency + 8)
        if ingest_service:
            ingest_service.open()
        if "query" in roles:
            exports.start()
        with own.running():
            yield
        if ingest_service:
            await anyio.to_thread.run_sync(ingest_service.close)
        operations.close()
        for probe in probes:
            probe.close()
        hub.close()
        reader.close()
        exports.close()
        audits.close()
        store.close()

    app = FastAPI(
        title="auditlane",
        version=version("auditlane"),
        lifespan=lifespan,
        docs_url=None,  # FastAPI's pages load scripts from elsewhere, which our content policy forbids
        redoc_url=None,
        redirect_slashes=False,  # a redirected POST arrives as a GET
    )
    app.state.structures = structures
    app.state.connections = Connections(
        settings.serve_connections,
        settings.serve_connections_per_address,
        settings.serve_head_timeout_s,
        networks(validators.listed(settings.trusted_proxies)),
    )
    app.state.before_drain = hub.stop  # open streams would keep a stopping server
    fields_of = from_structure(structures.of)
    token_ttl, viewer_ttl = timedelta(seconds=settings.token_ttl_s), timedelta(seconds=settings.viewer_token_ttl_s)
    sign_in_limits = SignInLimits(settings)
    exchange = tokens.TokenExchange(authenticator, token_ttl, sign_in_limits)
    app.include_router(
        tokens.build(authenticator, exchange, sign_in_limits, viewer_ttl=viewer_ttl, url=settings.serve_url)
    )
    app.include_router(frontegg.build(exchange))
    bundle, framed_by = bundles.load(), validators.listed(settings.frame_ancestors)
    operators = console_access.Operators(authenticator)
    theirs = partial(authenticator.authorize, named_in=frontegg.frontegg_tenant, header=TENANT_HEADER)
    in_path = partial(
        authenticator.authorize, named_in=tenant_in_path, even_off=True
    )  # it is what switches them on again
    if ingest_service:
        app.include_router(
            ingest.build(ingest_service, settings, authenticator, named=named_tenant, refuse=problems.of_error)
        )
        app.include_router(
            frontegg_ingest.build(
                ingest_service, authenticator.client(Permission.write), named=frontegg.frontegg_tenant
            )
        )
    if "query" in roles:
        links = LinkExchange(signing, keys, claims or LinkClaims(store.client, settings.clickhouse_database))
        app.include_router(link_login.build(links, authenticator.cookies, sign_in_limits))
        app.include_router(link_login.leaving(authenticator.cookies))
        app.include_router(session.build(authenticator.any_principal(), enablement))
        app.include_router(
            live_router.build(
                hub, authenticator.authorize, authenticator.signing.mac, fields_of, patience_s=settings.query_timeout_s
            )
        )
        app.include_router(router.build(reader, authenticator.authorize, authenticator.signing.mac, structures.of))
        for one in exports.routers:
            app.include_router(one)
        changes = [Depends(limit(settings))]
        app.include_router(
            structure_router.build(structure, in_path, authenticator.environment, only=reject_unknown_parameters),
            dependencies=changes,
        )
        app.include_router(
            summary_router.build(Summaries(reader.executor, reader.database), authenticator.authorize, fields_of)
        )
        app.include_router(frontegg_routes.build(audits, theirs))
        app.include_router(
            frontegg_metadata.build(
                structure,
                store.client,
                settings.clickhouse_database,
                authenticator.client(),
                authenticator.environment(Permission.configure),
                named=frontegg.frontegg_tenant,
            )
        )
        app.include_router(
            frontegg_geoip.build(
                frontegg_geoip.GeoIp(settings.geoip_file), authenticator.client(), named=frontegg.frontegg_tenant
            )
        )
        app.include_router(
            frontegg_exports.build(
                exports.exporter, settings.clickhouse_database, theirs, structures.of, count_rows=metrics.exported
            )
        )
        app.include_router(
            plain_page.build(
                reader, authenticator.authorize, authenticator.signing.mac, fields_of, alone=bundle is None
            )
        )
        app.include_router(assets.build(bundle))
        if bundle:
            app.include_router(shell.build(bundle, authenticator.principal, framed_by=framed_by))
        app.include_router(admin_router.build(operations, authenticator))
        app.include_router(
            console.build(operations, authenticator, operators, bundle, url=settings.serve_url, viewer_ttl=viewer_ttl)
        )
        app.include_router(
            session.build(operators.any_principal(), enablement, prefix=console_access.API, documented=False)
        )
        app.include_router(
            structure_router.build(
                structure,
                operators.authorize,
                operators.environment,
                only=reject_unknown_parameters,
                prefix=console_access.API,
                documented=False,
            )
        )
    app.include_router(health.build(probes, authenticator.keys, authenticator.signing, metrics, names=_names(settings)))
    problems.install(app)
    document.install(app)
    bodies = {ingest.PATH: settings.ingest_body_bytes}
    app.add_middleware(DisconnectMiddleware)
    whose = finder(authenticator, exports.links if "query" in roles else None)
    app.add_middleware(ConcurrencyLimit, route_checks=RouteChecks(app), settings=settings, streamed=bodies, whose=whose)
    app.add_middleware(PathNormalizer)  # before it, as what is always answered is known by its plain address
    app.add_middleware(RequestMiddleware, metrics=metrics, sink=own, framed_by=framed_by)
    if settings.cors_origins:
        cors.install(app, validators.listed(settings.cors_origins))  # outermost: a refusal, too, must be readable there
    return app


def _known(roles: Iterable[str]) -> tuple[str, ...]:
    roles = tuple(dict.fromkeys(roles))
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise ConfigError(
            f"There is no role {unknown[0]!r}." if unknown else "No role is named.",
            field="roles",
            fix="The roles are: " + ", ".join(ROLES) + ".",
        )
    return roles


def _names(settings: Settings) -> frozenset[str] | None:
    """The names by which people and permitted pages ask this process; None where it does not listen on loopback."""
    if not validators.is_loopback(settings.serve_host):
        return None
    urls = (settings.serve_url, *validators.listed(settings.cors_origins))
    return frozenset(filter(None, (urlsplit(url).hostname for url in urls)))


def _needed(settings: Settings, roles: Iterable[str]) -> tuple[Path, Path]:
    """The two files. Raises ConfigError that lists everything that is not set."""
    needed = _NEEDED | {name: what for role in roles for name, what in _NEEDED_BY[role].items()}
    missing = [f"{variable(name)}: {what}" for name, what in needed.items() if not getattr(settings, name)]
    if missing or settings.keys_file is None or settings.signing_keys_file is None:
        raise ConfigError(
            "These settings are missing:\n" + "\n".join(f"  {one}" for one in missing),
            fix="Set them, or run `auditlane up`, whose `auditlane env` prints them.",
        )
    for path in (settings.keys_file, settings.signing_keys_file):
        if path.exists() and path.stat().st_mode & 0o077:
            get("serve").warning("credentials.readable", path=str(path), fix="Other users can read it: chmod 600.")
    return settings.keys_file, settings.signing_keys_file
