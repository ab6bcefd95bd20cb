"""Creates Prometheus instruments from the list of metrics, and measures the process itself.

Imported by the processes that expose metrics, never by the SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from threading import Lock

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily

from auditlane.runtime.metrics import BY_NAME


class Instruments:
    """Creates instruments by their names in METRICS, in one Prometheus registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()

    def counter(self, name: str) -> Counter:
        """Create a counter."""
        metric = BY_NAME[name]
        return Counter(metric.name, metric.help, metric.labels, registry=self.registry)

    def gauge(self, name: str) -> Gauge:
        """Create a gauge. METRICS specifies how it is aggregated over several processes."""
        metric = BY_NAME[name]
        modes = {"sum": "livesum", "max": "livemax", "min": "livemin"}
        return Gauge(
            metric.name,
            metric.help,
            metric.labels,
            registry=self.registry,
            multiprocess_mode=modes[metric.across],  # type: ignore[arg-type]
        )

    def histogram(self, name: str, buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS) -> Histogram:
        """Create a histogram. `buckets` are upper bounds, by default from 5 ms to 10 s."""
        metric = BY_NAME[name]
        return Histogram(metric.name, metric.help, metric.labels, registry=self.registry, buckets=buckets)


def gauge_family(name: str) -> GaugeMetricFamily:
    """Return an empty metric family, for a collector that creates its samples at each scrape."""
    metric = BY_NAME[name]
    return GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)


def build_info(instruments: Instruments) -> None:
    """Expose the installed version."""
    instruments.gauge("auditlane_build_info").labels(version("auditlane")).set(1)


def process_metrics(instruments: Instruments) -> Callable[[], None]:
    """Create this process's metrics, and return a function that measures them, to be called before each scrape.

    Without `/proc`, as on macOS, they stay 0. Unlike ProcessCollector's own families, they are ordinary instruments,
    which can be aggregated over several processes. The function is thread-safe.
    """
    source = ProcessCollector(registry=None)
    cpu = instruments.counter("process_cpu_seconds_total")
    names = (
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_open_fds",
        "process_max_fds",
        "process_start_time_seconds",
    )
    gauges = {name: instruments.gauge(name) for name in names}
    counted, lock = 0.0, Lock()

    def measure() -> None:
        nonlocal counted
        with lock:
            for family in source.collect():
                [sample] = family.samples
                if sample.name == "process_cpu_seconds_total":
                    cpu.inc(max(0.0, sample.value - counted))
                    counted = sample.value
                elif sample.name in gauges:
                    gauges[sample.name].set(sample.value)

    return measure
