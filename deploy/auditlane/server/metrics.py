"""The HTTP service's metrics, in a separate Prometheus registry.

With `--processes`, every process writes its values to files that all processes read (`shared_metrics`). Any process can
therefore report the values of all.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.registry import Collector

from auditlane.contract.registry_metrics import RegistryMetrics
from auditlane.runtime.instruments import Instruments, build_info, process_metrics
from auditlane.server import shared_metrics

MEASURE_S: Final = 5.0  # interval for measuring gauges for other processes' scrapes
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LIMITS: Final = ("BUSY", "RATE_LIMITED")
_TRAIL_RESULTS: Final = ("emitted", "spooled", "dropped", "refused", "undelivered")


class HttpMetrics:
    """Counts requests, exports and audit events. `render` returns the content of `/metrics`."""

    def __init__(self, shared: Path | None = None) -> None:
        """Create the instruments. `shared` is the folder that several processes share."""
        self.made = Instruments()
        self._shared = shared
        self._here = CollectorRegistry()  # collectors that read their values when scraped
        self._requests = self.made.counter("auditlane_http_requests_total")
        self._seconds = self.made.histogram("auditlane_http_request_seconds")
        # The series of completed requests. Looking them up by their labels would cost more than counting.
        self._observed: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._refused = self.made.counter("auditlane_http_refused_total")
        self._in_progress = self.made.gauge("auditlane_http_requests_in_progress")
        self._limit = self.made.gauge("auditlane_http_requests_limit")
        self._statement_seconds = self.made.histogram("auditlane_clickhouse_request_seconds")
        self._read_rows = self.made.counter("auditlane_clickhouse_read_rows_total")
        self._read_bytes = self.made.counter("auditlane_clickhouse_read_bytes_total")
        self._exported = self.made.counter("auditlane_export_rows_total")
        self._trail = self.made.counter("auditlane_trail_events_total")
        self.schema_registry = RegistryMetrics(self.made)
        build_info(self.made)
        self._measures = [process_metrics(self.made)]
        # Start each series at zero, so that its first event shows as an increase.
        for code in LIMITS:
            self._refused.labels(code)
        for result in _TRAIL_RESULTS:
            self._trail.labels(result)

    def observe(self, route: str, method: str, status: int, first_byte_s: float) -> None:
        """Count one completed request. `route` is the pattern (`/v1/events/{id}`), never the path."""
        method = method if method in _METHODS else "(other)"
        found = self._observed.get((route, method, status))
        if found is None:
            found = self._requests.labels(route, method, str(status)), self._seconds.labels(route, method)
            self._observed[route, method, status] = found
        requests, seconds = found
        requests.inc()
        seconds.observe(first_byte_s)

    def refused(self, code: str) -> None:
        """Count a request that was refused with one of the codes in LIMITS. Other codes are ignored."""
        if code in LIMITS:
            self._refused.labels(code).inc()

    def slots(self, limit: int) -> Callable[[int], None]:
        """Set the number of request slots. Returns a function that counts a slot as taken (1) or released (-1)."""
        self._limit.set(limit)
        self._in_progress.set(0)
        return self._in_progress.inc

    def statement(self, route: str, seconds: float, rows: int, size: int) -> None:
        """Count a ClickHouse statement, with the seconds until its response began, and the rows and bytes read by
        then.
        """
        self._statement_seconds.labels(route).observe(seconds)
        self._read_rows.labels(route).inc(rows)
        self._read_bytes.labels(route).inc(size)

    def exported(self, format_: str, rows: int) -> None:
        """Count one export's rows, complete or not."""
        self._exported.labels(format_).inc(rows)

    def trail(self, result: str) -> None:
        """Count the result of one of auditlane's own audit events."""
        self._trail.labels(result).inc()

    def measured(self, measure: Callable[[], None]) -> None:
        """Register `measure`, which sets gauges, to be called before each scrape and, with several processes, also
        every MEASURE_S seconds.
        """
        self._measures.append(measure)

    def collected(self, collector: Collector) -> None:
        """Include a collector whose values are the same in every process."""
        self._here.register(collector)

    def render(self) -> bytes:
        """Return Prometheus' text format, version 0.0.4."""
        self._measure()
        values = generate_latest(self.made.registry) if self._shared is None else shared_metrics.render(self._shared)
        return values + generate_latest(self._here)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure regularly within the block if other processes report this process's gauges."""
        if self._shared is None:
            yield
            return
        ended = threading.Event()

        def measure() -> None:
            while not ended.wait(MEASURE_S):
                self._measure()

        self._measure()
        threading.Thread(target=measure, name="metrics", daemon=True).start()
        try:
            yield
        finally:
            ended.set()

    def _measure(self) -> None:
        for measure in self._measures:
            measure()
