"""The relay's metrics."""

from __future__ import annotations

from typing import Literal

from auditlane.outbox.relay import Step
from auditlane.outbox.store import Backlog
from auditlane.runtime.instruments import Instruments


class RelayMetrics:
    """Counts steps, and measures the backlog before each scrape."""

    def __init__(self, made: Instruments) -> None:
        self._sent = made.counter("auditlane_outbox_sent_total")
        self._aside = made.counter("auditlane_outbox_set_aside_total")
        self._failures = made.counter("auditlane_outbox_failures_total")
        self._waiting = made.gauge("auditlane_outbox_waiting_rows")
        self._kept = made.gauge("auditlane_outbox_set_aside_rows")
        self._oldest = made.gauge("auditlane_outbox_oldest_seconds")
        for part in ("database", "kafka"):
            self._failures.labels(part)

    def did(self, step: Step) -> None:
        """Count a step's rows."""
        self._sent.inc(step.sent)
        self._aside.inc(step.set_aside)

    def failed(self, part: Literal["database", "kafka"]) -> None:
        """Count a failed step. Registry failures are counted as Kafka failures."""
        self._failures.labels(part).inc()

    def measure(self, backlog: Backlog) -> None:
        """Set the gauges."""
        self._waiting.set(backlog.waiting)
        self._kept.set(backlog.set_aside)
        self._oldest.set(backlog.oldest_s)
