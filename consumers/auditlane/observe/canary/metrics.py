"""The canary's metrics."""

from __future__ import annotations

from typing import Final

from auditlane.observe.canary.trip import RESULTS, Limits, Outcome, Status, complaint
from auditlane.runtime.instruments import Instruments

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class CanaryMetrics:
    """Counts outcomes, and sets gauges from the status before a scrape."""

    def __init__(self, made: Instruments) -> None:
        self._results = made.counter("auditlane_canary_results_total")
        self._acknowledged = made.histogram("auditlane_canary_acknowledged_seconds", _BUCKETS)
        self._visible = made.histogram("auditlane_canary_visible_seconds", _BUCKETS)
        self._age = made.gauge("auditlane_canary_success_age_seconds")
        self._up = made.gauge("auditlane_canary_up")
        for result in RESULTS:
            self._results.labels(result)

    def ended(self, outcome: Outcome) -> None:
        """Count an outcome and record its times."""
        self._results.labels(outcome.result).inc()
        if outcome.acknowledged_s is not None:
            self._acknowledged.observe(outcome.acknowledged_s)
        if outcome.visible_s is not None:
            self._visible.observe(outcome.visible_s)

    def measure(self, status: Status | None, now_s: float, limits: Limits) -> None:
        """Set the gauges. `status` is None if this process sends no events."""
        self._age.set(max(0.0, now_s - status.success_s) if status else 0.0)
        self._up.set(status is not None and not complaint(status, now_s, limits))
