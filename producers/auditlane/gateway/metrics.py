"""The gateway's metrics: accepted events, rejections by error code, and the latency of Kafka's acknowledgements."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.instruments import Instruments


class GatewayMetrics:
    """The gateway's instruments, updated once per slice of events."""

    def __init__(self, made: Instruments | None = None) -> None:
        """Create the instruments in `made`, or in a new registry."""
        made = made or Instruments()
        self._accepted = made.counter("auditlane_ingest_events_total")
        self._refused = made.counter("auditlane_ingest_refused_total")
        self._by_contract = made.counter("auditlane_contract_refusals_total")
        self._seconds = made.histogram("auditlane_ingest_ack_seconds")
        for changed in ("yes", "no"):
            self._by_contract.labels(changed)  # starts at zero, so that the first refusal shows as an increase

    def settled(self, accepted: int, errors: Iterable[AuditlaneError], seconds: float) -> None:
        """Count a slice. `errors` are those of events that were not accepted, and `seconds` is how long settling all
        events took.
        """
        self._accepted.inc(accepted)
        for code, count in Counts(error.code for error in errors).items():
            self._refused.labels(code).inc(count)
        if accepted:
            self._seconds.observe(seconds)

    def refused_by_contract(self, *, changed: bool) -> None:
        """Count an event that a contract rejected. `changed` is whether that contract changed within the last hour."""
        self._by_contract.labels("yes" if changed else "no").inc()

    def request_refused(self, error: AuditlaneError) -> None:
        """Count a request that was rejected as a whole, before its events were counted."""
        self._refused.labels(error.code).inc()
