"""Runs `auditlane canary`, the canary as a separate process with `/metrics` and `/health`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing
from typing import Literal

from prometheus_client import generate_latest

from auditlane.access.signing import SigningKeys
from auditlane.observe.canary.canary import Canary, CanaryThread
from auditlane.observe.canary.metrics import CanaryMetrics
from auditlane.observe.canary.sight import ApiSight, Sight, StoreSight
from auditlane.observe.canary.trip import Outcome
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.instruments import Instruments, build_info, process_metrics
from auditlane.runtime.monitoring import Answer, MonitoringServer
from auditlane.runtime.settings import Settings, variable
from auditlane.runtime.validators import is_loopback

Through = Literal["api", "store"]


def sight_of(settings: Settings, through: Through | None = None) -> Sight:
    """Return a `Sight` of the query API if its URL is set, and of the store otherwise.

    Raises ConfigError, naming the missing setting.
    """
    if (through or ("api" if settings.serve_url else "store")) == "store":
        if not settings.clickhouse_url:
            raise _missing("clickhouse_url", "serve_url")
        return StoreSight(settings)
    if not settings.serve_url:
        raise _missing("serve_url")
    if settings.signing_keys_file is None:
        raise _missing("signing_keys_file")
    return ApiSight(settings.serve_url, SigningKeys(settings.signing_keys_file))


def once(settings: Settings, sight: Sight, stop: threading.Event) -> Outcome | None:
    """Send one event and return its outcome. Returns None if `stop` is set first. Raises ConfigError if a setting is
    missing.
    """
    with closing(Canary(settings, sight)) as canary:
        return canary.trip(stop)


def run(
    settings: Settings, sight: Sight, host: str, port: int, *, stop: threading.Event, on_ready: Callable[[str], None]
) -> None:
    """Send events until `stop` is set. `on_ready` is called with the URL. All other components may be unavailable.

    Raises PortInUse and ConfigError.
    """
    made = Instruments()
    build_info(made)
    measure_process = process_metrics(made)
    canary = Canary(settings, sight, CanaryMetrics(made))
    thread = CanaryThread(canary)
    near = is_loopback(host)

    def scrape() -> Answer:
        measure_process()
        canary.measure()
        return Answer.metrics(generate_latest(made.registry))

    def ready() -> Answer:
        problem = canary.complaint()
        shown = {"problem": problem} if problem and near else {}
        return Answer.json(503 if problem else 200, {"status": "failing" if problem else "ready"} | shown)

    def live() -> Answer:
        return Answer.json(200 if thread.alive else 503, {"status": "live" if thread.alive else "stalled"})

    routes = {"/metrics": scrape, "/health/live": live, "/health/ready": ready}
    with closing(MonitoringServer(host, port, routes, fix="Choose another port, or 0 for a free one.")) as server:
        thread.start()
        server.start()
        try:
            on_ready(server.url)
            stop.wait()
        finally:
            thread.stop()


def _missing(*names: str) -> ConfigError:
    every = " or ".join(map(variable, names))
    return ConfigError(
        f"The canary cannot look for its events. Not set: {every}.",
        fix="Set it as for `serve`. For the embedded stack of `auditlane up`, `auditlane env` prints it.",
    )
