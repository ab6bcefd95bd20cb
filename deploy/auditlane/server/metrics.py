"""The HTTP side's metrics, in a Prometheus registry of the app's own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from auditlane.runtime.metrics import BY_NAME


class HttpMetrics:
    """Counts requests and exports; `render` is what `/metrics` answers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests, seconds = BY_NAME["auditlane_http_requests_total"], BY_NAME["auditlane_http_request_seconds"]
        self._requests = Counter(requests.name, requests.help, requests.labels, registry=self.registry)
        self._seconds = Histogram(seconds.name, seconds.help, seconds.labels, registry=self.registry)
        exported = BY_NAME["auditlane_export_rows_total"]
        self._exported = Counter(exported.name, exported.help, exported.labels, registry=self.registry)
        trail = BY_NAME["auditlane_trail_events_total"]
        self._trail = Counter(trail.name, trail.help, trail.labels, registry=self.registry)

    def observe(self, route: str, status: int, first_byte_s: float) -> None:
        """One answered request; `route` is the pattern (`/v1/events/{id}`), never the path."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(first_byte_s)

    def exported(self, format_: str, rows: int) -> None:
        """One export that has ended, whole or not."""
        self._exported.labels(format_).inc(rows)

    def trail(self, result: str) -> None:
        """What became of one event of our own."""
        self._trail.labels(result).inc()

    def spool(self, size: Callable[[], float]) -> None:
        """Where to ask for the bytes of such events that wait in files."""
        waits = BY_NAME["auditlane_trail_spool_bytes"]
        Gauge(waits.name, waits.help, waits.labels, registry=self.registry).set_function(size)

    def render(self) -> bytes:
        """Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)
