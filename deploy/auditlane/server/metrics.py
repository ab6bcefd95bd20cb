"""Metrics of the HTTP service, in a Prometheus registry of its own."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from auditlane.runtime.metrics import BY_NAME


class HttpMetrics:
    """Counts requests, exports and audit events; `render` returns the content of `/metrics`."""

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
        """Count one completed request. `route` is the pattern (`/v1/events/{id}`), never the path."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(first_byte_s)

    def exported(self, format_: str, rows: int) -> None:
        """Count the rows of one export, complete or not."""
        self._exported.labels(format_).inc(rows)

    def trail(self, result: str) -> None:
        """Count the result of one of auditlane's own audit events."""
        self._trail.labels(result).inc()

    def spool(self, size: Callable[[], float]) -> None:
        """Report the bytes of audit events spooled in files; `size` is called on each scrape."""
        waits = BY_NAME["auditlane_trail_spool_bytes"]
        Gauge(waits.name, waits.help, waits.labels, registry=self.registry).set_function(size)

    def render(self) -> bytes:
        """Return Prometheus' text format, version 0.0.4."""
        return generate_latest(self.registry)
