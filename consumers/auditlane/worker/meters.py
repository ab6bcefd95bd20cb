"""The worker's Prometheus instruments, made from the one list of metrics; updated per batch."""

from __future__ import annotations

from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from auditlane.runtime.metrics import BY_NAME

T = TypeVar("T", Counter, Gauge, Histogram)


class Meters:
    """A registry of its own, so that two workers in one test process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = self._counter("messages_total")
        self.rows = self._counter("rows_total")
        self.dead_letters = self._counter("dead_letters_total")
        self.ranges = self._counter("ranges_total")
        self.retries = self._counter("retries_total")
        self.left_out = self._counter("left_out_offsets_total")
        self.insert_seconds = self._made(Histogram, "insert_seconds")
        self.partitions = self._made(Gauge, "partitions")
        self.halted = self._made(Gauge, "halted_partitions")
        self.braked = self._made(Gauge, "braked_partitions")
        self.held_bytes = self._made(Gauge, "held_bytes")

    def _counter(self, name: str) -> Counter:
        return self._made(Counter, name)

    def _made(self, kind: type[T], name: str) -> T:
        metric = BY_NAME[f"auditlane_worker_{name}"]
        return kind(metric.name, metric.help, metric.labels, registry=self.registry)

    def render(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self.registry)
