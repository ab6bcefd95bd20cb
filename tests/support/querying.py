"""Support for tests of the query side: rows in the store, and the query routers behind a real HTTP server."""

from __future__ import annotations

import hashlib
import hmac
import random
import socket
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import jwt
import uvicorn
from fastapi import FastAPI, Request

from auditlane.access.audit import AuditSink
from auditlane.access.permissions import Permission
from auditlane.access.scope import TenantScope
from auditlane.query import router
from auditlane.query.cursor import Cursors
from auditlane.query.export import router as export_router
from auditlane.query.export.exporter import Exporter
from auditlane.query.export.links import DownloadLinks
from auditlane.query.geoip import GeoIp
from auditlane.query.live import router as live_router
from auditlane.query.live.hub import StreamHub
from auditlane.query.live.resume_token import ResumeTokens
from auditlane.query.live.router import StreamThreads
from auditlane.query.reader import Reader
from auditlane.query.summary import router as summary_router
from auditlane.query.summary.summaries import Summaries
from auditlane.runtime.errors import Forbidden, TokenExpired, Unauthenticated
from auditlane.runtime.settings import Settings, load
from auditlane.server import problems
from auditlane.server.metrics import HttpMetrics
from auditlane.server.middleware.request import RequestMiddleware
from auditlane.server.pages import plain_page
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.store.structure_cache import DEFAULT, Structure

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT_HEADER = "X-Test-Tenant"
TOPIC_ID = uuid.UUID(int=7)


def event(number: int, tenant: str = "acme", **overrides: Any) -> dict[str, Any]:
    """Return a row for the events table. `number` determines its offset and its id, which looks random but is
    reproducible.
    """
    values: dict[str, Any] = {
        "tenant_id": tenant,
        "occurred_at": START,
        "event_id": uuid.UUID(int=random.Random(number).getrandbits(128)),
        "action": "login",
        "actor_id": f"u-{number}",
        "actor_type": "user",
        "actor_name": None,
        "on_behalf_of": None,
        "resource": "document",
        "resource_id": None,
        "outcome": "success",
        "severity": "Info",
        "description": None,
        "ip": None,
        "user_agent": None,
        "request_id": None,
        "before": None,
        "after": None,
        "source": "test",
        "metadata": {},
        "fields": {},
        "schema_id": 1,
        "ingested_at": START + timedelta(seconds=1),
        "kafka_topic": "audit.events",
        "kafka_topic_id": TOPIC_ID,
        "kafka_partition": 0,
        "kafka_offset": number,
        "kafka_timestamp": START + timedelta(milliseconds=5),
        "provenance": "kafka",
        "provenance_id": "audit.events",
    }
    assert overrides.keys() <= values.keys()
    return values | overrides


class Store:
    """A database for the tests of one module."""

    def __init__(self, url: str, database: str) -> None:
        self.settings: Settings = load(clickhouse_url=url, clickhouse_database=database)
        self.client = connect(self.settings)
        self.database = database
        migrate(self.client, database)

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Insert rows as the worker does: in a single block, with a single token."""
        columns = list(rows[0])
        self.client.insert(
            "events",
            [[row[column] for column in columns] for row in rows],
            column_names=columns,
            database=self.database,
            settings={"insert_deduplication_token": uuid.uuid4().hex},
        )

    def generate(self, tenant: str, rows: int) -> None:
        """Let ClickHouse generate many rows of half a kilobyte each."""
        self.client.command(
            f"INSERT INTO {self.database}.events (tenant_id, occurred_at, event_id, action, actor_id, description,"
            " metadata, ingested_at, kafka_partition, kafka_offset, kafka_timestamp)"
            f" SELECT '{tenant}', toDateTime64('2026-03-01 00:00:00', 6, 'UTC') + intDiv(number, 7),"
            " generateUUIDv4(number), ['login', 'logout'][number % 2 + 1], concat('u-', toString(number % 1000)),"
            " repeat(hex(cityHash64(number)), 20), map('n', toString(number)), now64(3), 1, number, now64(3)"
            f" FROM numbers({rows})",
            settings={"insert_deduplication_token": uuid.uuid4().hex},
        )

    def drop(self) -> None:
        self.client.command(f"DROP DATABASE {self.database}")
        self.client.close()


@contextmanager
def store(url: str) -> Iterator[Store]:
    """Yield a store with a migrated database, and drop the database afterwards."""
    made = Store(url, f"q{uuid.uuid4().hex[:12]}")
    try:
        yield made
    finally:
        made.drop()


def mac(purpose: str, data: bytes) -> bytes:
    return hmac.digest(b"test/" + purpose.encode(), data, hashlib.sha256)


def authorize(permission: Permission) -> Callable[[Request], Awaitable[TenantScope]]:
    """Create a dependency that takes the tenant from a request header. The header `X-Test-Lacks` names a permission
    that the caller lacks. With that header, the caller has at most the permission that the route requires.
    """

    async def scope(request: Request) -> TenantScope:
        tenant = request.headers.get(TENANT_HEADER) or request.cookies.get("tenant", "")
        if not tenant:
            raise Unauthenticated("The request contains no credential.")
        lacks = request.headers.get("X-Test-Lacks")
        if lacks == permission:
            raise Forbidden(f"This credential lacks the permission {permission}.", fix="Ask for it.")
        if lacks:
            return TenantScope.authorized_before(tenant, "operator", permission)
        return TenantScope.for_operator(tenant)

    return scope


class Signer:
    """Signs tokens as the signing keys do, with a fixed secret. `ago` makes tokens expire that much earlier."""

    def __init__(self, ago: timedelta = timedelta(0)) -> None:
        self._ago = ago

    def sign(self, purpose: str, claims: Mapping[str, Any], *, now: datetime, ttl: timedelta) -> str:
        payload = dict(claims) | {"aud": purpose, "exp": int((now - self._ago + ttl).timestamp())}
        return jwt.encode(payload, "test" * 8, "HS256")

    def verify(self, purpose: str, token: str, *, now: datetime) -> dict[str, Any]:
        try:
            return jwt.decode(token, "test" * 8, algorithms=["HS256"], audience=purpose)
        except jwt.ExpiredSignatureError as error:
            raise TokenExpired("The token has expired.") from error
        except jwt.InvalidTokenError as error:
            raise Unauthenticated("The token does not verify.") from error


def hub_of(reader: Reader, settings: Settings | None = None) -> StreamHub:
    return StreamHub.of(settings or load(clickhouse_database=reader.database), reader.executor)


def summaries_of(reader: Reader) -> Summaries:
    return Summaries(reader.executor, reader.database)


@contextmanager
def served(
    reader: Reader,
    exporter: Exporter | None = None,
    count_rows: Callable[[str, int], None] = lambda format_, rows: None,
    structure_of: Callable[[str], Structure] = lambda tenant: DEFAULT,
    signer: Signer | None = None,
    sink: AuditSink | None = None,
    settings: Settings | None = None,
) -> Iterator[str]:
    """Serve the query routers and the page on a real socket, with the real app's middleware, and yield the URL.

    `settings` determines the limits of live streams.
    """
    app = FastAPI(redirect_slashes=False)
    app.state.services = services = SimpleNamespace(
        settings=load(query_timeout_s=10),
        authenticator=SimpleNamespace(authorize=authorize),
        structures=SimpleNamespace(of=structure_of),
        geoip=GeoIp(None),
        reader=reader,
        cursors=Cursors(mac),
        resume_tokens=ResumeTokens(mac),
        stream_threads=StreamThreads(),
        bundle=object(),  # set so that the plain page links to the viewer
    )
    if isinstance(reader, Reader):  # tests of the pages pass a simpler reader
        services.streams, services.summaries = hub_of(reader, settings), summaries_of(reader)
        app.include_router(live_router.build(services))
    app.include_router(router.build(services))
    if isinstance(reader, Reader):
        app.include_router(summary_router.build(services))
    if exporter is not None:
        services.exports = SimpleNamespace(
            exporter=exporter,
            links=DownloadLinks(signer or Signer(), lambda scope: None),
            structure_of=structure_of,
            count_rows=count_rows,
        )
        app.include_router(export_router.build(services.authenticator))
    app.include_router(plain_page.build(alone=False))
    problems.install(app)
    app.add_middleware(RequestMiddleware, metrics=HttpMetrics(), sink=sink)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        if isinstance(reader, Reader):
            services.streams.close()
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()
