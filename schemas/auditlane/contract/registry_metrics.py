"""Metrics of the registry client, for a worker and `serve`."""

from __future__ import annotations

import time
from typing import Final

from auditlane.runtime.instruments import Instruments

RESULTS: Final = ("ok", "not_found", "refused", "unavailable")


class RegistryMetrics:
    """Counts requests by result. Pass `observe` to a RegistryClient."""

    def __init__(self, instruments: Instruments) -> None:
        self._requests = instruments.counter("auditlane_registry_requests_total")
        self._seconds = instruments.histogram("auditlane_registry_request_seconds")
        self._response = instruments.gauge("auditlane_registry_response_timestamp_seconds")
        for result in RESULTS:
            self._requests.labels(result)

    def observe(self, result: str, seconds: float) -> None:
        """Count one request that took `seconds`. `result` is one of RESULTS. Thread-safe."""
        self._requests.labels(result).inc()
        self._seconds.observe(seconds)
        if result != "unavailable":
            self._response.set(time.time())
