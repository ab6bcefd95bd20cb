"""Runs `auditlane outbox relay`: a relay with `/metrics` and `/health`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from prometheus_client import generate_latest

from auditlane.outbox.loop import RelayLoop
from auditlane.outbox.metrics import RelayMetrics
from auditlane.outbox.relay import Relay
from auditlane.outbox.store import OutboxStore
from auditlane.runtime.instruments import Instruments, build_info, process_metrics
from auditlane.runtime.monitoring import Answer, MonitoringServer
from auditlane.runtime.settings import Settings
from auditlane.runtime.validators import is_loopback
from auditlane.sdk import AuditClient


def relay_of(settings: Settings, store: OutboxStore, client: AuditClient) -> Relay:
    """Return a relay with the options in the settings."""
    return Relay(store.engine, store.table, client, batch=settings.outbox_batch, ordered=settings.outbox_ordered)


def run(
    settings: Settings,
    store: OutboxStore,
    client: AuditClient,
    port: int,
    *,
    stop: threading.Event,
    on_ready: Callable[[str], None],
) -> None:
    """Send rows until `stop` is set. Calls `on_ready` with the URL. Any dependency may be unavailable at any time.

    Raises PortInUse.
    """
    made = Instruments()
    build_info(made)
    measure_process = process_metrics(made)
    loop = RelayLoop(relay_of(settings, store, client), store, RelayMetrics(made), settings.outbox_poll_s)
    host = settings.worker_host
    near = is_loopback(host)
    running = threading.Event()

    def scrape() -> Answer:
        measure_process()
        loop.measure()
        return Answer.metrics(generate_latest(made.registry))

    def ready() -> Answer:
        shown = {"problem": loop.problem} if loop.problem and near else {}
        return Answer.json(503 if loop.problem else 200, {"status": "failing" if loop.problem else "ready"} | shown)

    def live() -> Answer:
        return Answer.json(200 if running.is_set() else 503, {"status": "live" if running.is_set() else "stalled"})

    routes = {"/metrics": scrape, "/health/live": live, "/health/ready": ready}
    with closing(MonitoringServer(host, port, routes, fix="Choose another port, or 0 for a free one.")) as server:
        server.start()
        running.set()
        try:
            on_ready(server.url)
            loop.run(stop)
        finally:
            running.clear()
