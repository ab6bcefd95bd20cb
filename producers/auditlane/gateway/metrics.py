"""The gateway's metrics: accepted events, rejections by error code, and the latency of Kafka's acknowledgements."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.metrics import BY_NAME


class GatewayMetrics:
    """Registered in `registry`; updated once per slice of events."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        accepted, refused = BY_NAME["auditlane_ingest_events_total"], BY_NAME["auditlane_ingest_refused_total"]
        seconds = BY_NAME["auditlane_ingest_ack_seconds"]
        self._accepted = Counter(accepted.name, accepted.help, accepted.labels, registry=registry)
        self._refused = Counter(refused.name, refused.help, refused.labels, registry=registry)
        by_contract = BY_NAME["auditlane_contract_refusals_total"]
        self._by_contract = Counter(by_contract.name, by_contract.help, by_contract.labels, registry=registry)
        self._seconds = Histogram(seconds.name, seconds.help, seconds.labels, registry=registry)

    def settled(self, accepted: int, errors: Iterable[AuditlaneError], seconds: float) -> None:
        """Count a slice: `accepted` events, the `errors` of the others, and the seconds until all were settled."""
        self._accepted.inc(accepted)
        for code, count in Counts(error.code for error in errors).items():
            self._refused.labels(code).inc(count)
        if accepted:
            self._seconds.observe(seconds)

    def refused_by_contract(self, *, changed: bool) -> None:
        """Count an event that a contract rejected; `changed` if that contract changed within the last hour."""
        self._by_contract.labels("yes" if changed else "no").inc()

    def request_refused(self, error: AuditlaneError) -> None:
        """Count a request that was rejected as a whole, before its events were counted."""
        self._refused.labels(error.code).inc()
