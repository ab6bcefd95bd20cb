"""The services of one `serve` process, created from the settings, started before the first request, and closed at
shutdown.

Creating them opens no connections, so an unavailable ClickHouse is an error only for a request that needs it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import anyio.to_thread
from fastapi import Request

from auditlane.access.keys import KeysFile
from auditlane.access.links import Claims, LinkExchange
from auditlane.access.provenance_keys import NAME, ProvenanceKeys, path_of
from auditlane.access.short_links import ShortLinks
from auditlane.access.signing import SigningKeys
from auditlane.gateway.ingest_service import IngestService
from auditlane.gateway.metrics import GatewayMetrics
from auditlane.observe.canary.canary import Canary, CanaryThread
from auditlane.observe.canary.metrics import CanaryMetrics
from auditlane.observe.canary.sight import StoreSight
from auditlane.observe.http_refusals import HttpRefusals
from auditlane.observe.observer import Loop, Observer
from auditlane.observe.security.schedule import SecuritySchedule
from auditlane.query.clickhouse.executor import TenantConcurrency
from auditlane.query.cursor import Cursors
from auditlane.query.export.service import ExportService
from auditlane.query.frontegg.reader import FronteggReader
from auditlane.query.geoip import GeoIp
from auditlane.query.live.hub import StreamHub
from auditlane.query.live.resume_token import ResumeTokens
from auditlane.query.live.router import StreamThreads
from auditlane.query.reader import Reader
from auditlane.query.saved_views.service import SavedViews
from auditlane.query.structure.contract_repository import contract_repository_of
from auditlane.query.structure.service import StructureService
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.files import is_accessible_to_others, own_groups
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.server import shared_metrics, state_metrics
from auditlane.server.admin.operations import Operations
from auditlane.server.admin.readings import Readings
from auditlane.server.auth import oidc
from auditlane.server.auth.authentication import Authenticator
from auditlane.server.auth.cookies import Cookies
from auditlane.server.auth.enablement import TenantEnablement
from auditlane.server.auth.link_opener import LinkOpener
from auditlane.server.auth.sign_in_limits import SignInLimits
from auditlane.server.latencies import LatencyReader
from auditlane.server.metrics import HttpMetrics
from auditlane.server.pages.viewer import bundle as bundles
from auditlane.server.pages.viewer.bundle import Bundle
from auditlane.server.probes import PROBE_TIMEOUT_S, KafkaProbe, Probe, Readiness, StoreProbe
from auditlane.store.claims import StoredClaims
from auditlane.store.client import CONNECT_TIMEOUT_S, LazyClient, connect
from auditlane.store.structure_cache import StructureCache
from auditlane.trail import sink
from auditlane.trail.lifecycle import Lifecycle, lifecycle_of

ROLES: Final = ("ingest", "query")
THREADS: Final = 40  # number of threads for queries
_NEEDED: Final = {
    "keys_file": "the file of client keys, created by `auditlane keys create`",
    "signing_keys_file": "the file of keys that sign tokens, shared by replicas and created if missing",
}
_NEEDED_BY: Final = {
    "ingest": {
        "kafka_bootstrap": "Kafka's brokers, host:port,host:port",
        "registry_url": "the URL of the schema registry",
    },
    "query": {"clickhouse_url": "the HTTP URL of ClickHouse"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """A process's services, created by `from_settings`. Without the role `ingest`, `ingest_service` is None; if the
    viewer has not been built, `bundle` is None.
    """

    settings: Settings
    roles: tuple[str, ...]
    metrics: HttpMetrics
    authenticator: Authenticator
    enablement: TenantEnablement
    sign_in_limits: SignInLimits
    links: LinkOpener
    audit_sink: sink.ServiceAuditSink
    lifecycle: Lifecycle
    ingest_service: IngestService | None
    store: LazyClient
    structures: StructureCache
    structure: StructureService
    saved_views: SavedViews
    reader: Reader
    cursors: Cursors
    summaries: Summaries
    streams: StreamHub
    stream_threads: StreamThreads
    resume_tokens: ResumeTokens
    exports: ExportService
    frontegg_reader: FronteggReader
    geoip: GeoIp
    readiness: Readiness
    operations: Operations
    observing: Loop
    canary: CanaryThread | None
    readings: Readings
    security: SecuritySchedule
    bundle: Bundle | None

    @classmethod
    def from_settings(cls, settings: Settings, roles: Iterable[str], *, claims: Claims | None = None) -> Services:
        """Create the services that these roles need.

        `claims` records used links, by default in ClickHouse. Raises ConfigError, naming every missing variable or the
        invalid file.
        """
        roles = _known(roles)
        keys_file, signing_keys_file = _needed(settings, roles)
        # The checks before every request may take no longer than a query.
        patience = settings.query_timeout_s + 1.0
        database = settings.clickhouse_database
        store = LazyClient(
            lambda: connect(
                settings, connect_timeout=min(CONNECT_TIMEOUT_S, patience), send_receive_timeout=patience, query_limit=0
            )
        )
        structures = StructureCache(store.client, database)
        enablement = TenantEnablement(
            lambda tenant: structures.of(tenant).enabled, timeout_s=settings.query_timeout_s / 2
        )
        keys, signing = KeysFile(keys_file), SigningKeys.load_or_create(signing_keys_file)
        authenticator = Authenticator(
            keys, signing, oidc.from_settings(settings), enablement, cookies=Cookies(settings.serve_url)
        )
        metrics = HttpMetrics(shared_metrics.join())
        made, observe_registry = metrics.made, metrics.schema_registry.observe
        concurrency = TenantConcurrency(settings.query_concurrency)
        reader = Reader(settings, concurrency=concurrency, observe=metrics.statement)
        exports = ExportService(
            settings,
            signing,
            authenticator.require_export,
            structures.of,
            count_rows=metrics.exported,
            concurrency=concurrency,
            observe=metrics.statement,
        )
        provenance = ProvenanceKeys.load_or_create(path_of(settings) or signing_keys_file.with_name(NAME))
        audit_sink = sink.from_settings(settings, metrics.trail, observe_registry)
        refusals = HttpRefusals(settings.topic, audit_sink)
        ingest_service = (
            IngestService(settings, GatewayMetrics(made), provenance.signer, observe_registry, refusals.add)
            if "ingest" in roles
            else None
        )
        store_probe = StoreProbe(
            lambda: connect(settings, connect_timeout=PROBE_TIMEOUT_S, send_receive_timeout=PROBE_TIMEOUT_S), database
        )
        claims = claims or StoredClaims(store.client, database)
        probes: dict[str, Probe] = {"ingest": KafkaProbe(settings), "query": store_probe}
        streams = StreamHub.of(settings, reader.executor)
        for measure in (
            state_metrics.trail(made, audit_sink),
            state_metrics.ingest_spool(made, lambda: ingest_service.spool_stats if ingest_service else None),
            state_metrics.streams(made, lambda: streams.streams),
            state_metrics.export_jobs(made, lambda: exports.job_figures),
            state_metrics.credentials(made, keys, signing),
        ):
            metrics.measured(measure)
        observer = Observer(settings, audit_sink, latencies=LatencyReader(made.registry)) if "query" in roles else None
        canary = _canary(settings, observer, metrics)
        operations = Operations(
            settings,
            store.client,
            store_probe,
            authenticator,
            audit_sink,
            ingest_service.refusals if ingest_service else None,
            canary.canary if canary else None,
        )
        readings = Readings(
            operations,
            made.gauge("auditlane_store_version"),
            topic=settings.topic,
            kafka="query" in roles and bool(settings.kafka_bootstrap),
            store="query" in roles,
        )
        metrics.collected(readings.metrics)
        return cls(
            settings=settings,
            roles=roles,
            metrics=metrics,
            authenticator=authenticator,
            enablement=enablement,
            sign_in_limits=SignInLimits(settings),
            links=LinkOpener(
                LinkExchange(signing, keys, claims), ShortLinks(settings.links_dir) if settings.links_dir else None
            ),
            audit_sink=audit_sink,
            lifecycle=lifecycle_of(settings, "serve", audit_sink),
            ingest_service=ingest_service,
            store=store,
            structures=structures,
            structure=StructureService(
                store.client,
                database,
                contract_repository_of(settings, observe_registry),
                structures,
                registered=ingest_service.contract_changed if ingest_service else lambda tenant: None,
            ),
            saved_views=SavedViews(store.client, database, settings),
            reader=reader,
            cursors=Cursors(signing.mac),
            summaries=Summaries(reader.executor, reader.database),
            streams=streams,
            stream_threads=StreamThreads(),
            resume_tokens=ResumeTokens(signing.mac),
            exports=exports,
            frontegg_reader=FronteggReader(settings, concurrency, metrics.statement),
            geoip=GeoIp(settings.geoip_file if "query" in roles else None),
            readiness=Readiness(
                [probes[role] for role in roles], keys, signing, spools=bool(settings.ingest_spool_bytes)
            ),
            bundle=bundles.load(),
            observing=_observing(settings, observer, refusals if "ingest" in roles else None),
            canary=canary,
            operations=operations,
            readings=readings,
            security=SecuritySchedule(settings, claims, audit_sink),
        )

    @property
    def viewer_ttl(self) -> timedelta:
        """The default lifetime of a viewer token."""
        return timedelta(seconds=self.settings.viewer_token_ttl_s)

    @asynccontextmanager
    async def running(self, _app: object = None) -> AsyncIterator[None]:
        """Start the services, and close them at the end. This is the app's lifespan."""
        # One tenant's queries must occupy less than half of the threads.
        threads = anyio.to_thread.current_default_thread_limiter()
        threads.total_tokens = max(THREADS, 2 * self.settings.query_concurrency + 8)
        self.start()
        with self.audit_sink.running(), self.metrics.running(), self.lifecycle.running():
            self.lifecycle.started()
            self.observing.start()
            if self.canary:
                self.canary.start()
            yield
            if self.canary:
                await anyio.to_thread.run_sync(self.canary.stop)
            await anyio.to_thread.run_sync(self.observing.stop)
        self.readings.close()
        if self.ingest_service:
            await anyio.to_thread.run_sync(self.ingest_service.close)
        self.close()

    def start(self) -> None:
        """Start the background work."""
        if self.ingest_service:
            self.ingest_service.open()
        if "query" in self.roles:
            self.exports.start()
            self.security.start()

    def close(self) -> None:
        """Close the connections, except those of `ingest_service`, which `running` closes first."""
        self.security.close()
        self.operations.close()
        self.readiness.close()
        self.streams.close()
        self.reader.close()
        self.exports.close()
        self.frontegg_reader.close()
        self.store.close()


def _observing(settings: Settings, observer: Observer | None, refusals: HttpRefusals | None) -> Loop:
    loop = Loop(settings.observe_every_s)
    if observer is not None:
        loop.add(observer.turn, observer.close)
    if refusals is not None:
        loop.add(refusals.turn, refusals.close)
    return loop


def _canary(settings: Settings, observer: Observer | None, metrics: HttpMetrics) -> CanaryThread | None:
    """Return the canary, which sends events while this process observes, or None if it is off.

    Raises ConfigError, naming the missing settings.
    """
    made = CanaryMetrics(metrics.made)
    if not settings.serve_canary or observer is None:
        return None
    if not settings.observe_every_s:
        raise ConfigError(
            f"{variable('serve_canary')} needs an observer, but {variable('observe_every_s')} is 0.",
            field=variable("serve_canary"),
            fix=f"Set {variable('observe_every_s')} above 0, or run `auditlane canary`.",
        )
    canary = Canary(settings, StoreSight(settings), made)
    metrics.measured(canary.measure)
    return CanaryThread(canary, lambda: observer.leading)


async def services_of(request: Request) -> Services:
    """Return the app's services. This is a FastAPI dependency for module-level handlers."""
    services: Services = request.app.state.services
    return services


def _known(roles: Iterable[str]) -> tuple[str, ...]:
    roles = tuple(dict.fromkeys(roles))
    unknown = [role for role in roles if role not in ROLES]
    if unknown or not roles:
        raise ConfigError(
            f"Unknown role {unknown[0]!r}." if unknown else "At least one role is required.",
            field="roles",
            fix="Use one or more of: " + ", ".join(ROLES) + ".",
        )
    return roles


def _needed(settings: Settings, roles: Iterable[str]) -> tuple[Path, Path]:
    """Return the paths of the keys file and the signing keys. Raises ConfigError, listing every missing setting."""
    needed = _NEEDED | {name: what for role in roles for name, what in _NEEDED_BY[role].items()}
    missing = [f"{variable(name)}: {what}" for name, what in needed.items() if not getattr(settings, name)]
    if missing or settings.keys_file is None or settings.signing_keys_file is None:
        raise ConfigError(
            "These settings are required:\n" + "\n".join(f"  {line}" for line in missing),
            fix="Set them. For the embedded stack of `auditlane up`, `auditlane env` prints them.",
        )
    for path in (settings.keys_file, settings.signing_keys_file):
        if path.exists() and _is_exposed(path):
            get("serve").warning("credentials.readable", path=str(path), fix="chmod 600: other users can read it.")
    return settings.keys_file, settings.signing_keys_file


def _is_exposed(path: Path) -> bool:
    found = path.stat()
    return is_accessible_to_others(found.st_mode, found.st_gid, own_groups())
