"""This process's latencies over a period, from the histograms that it exports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from prometheus_client import CollectorRegistry

from auditlane.access.permissions import Permission
from auditlane.observe.observer import Latencies
from auditlane.server.auth.route_permissions import RIGHTS

_QUERIES: Final = "auditlane_http_request_seconds_bucket"
_INGEST: Final = "auditlane_ingest_ack_seconds_bucket"
_STREAM: Final = "GET /v1/events/stream"  # excluded, since its first byte waits for the first event
# Routes that read a tenant's log.
READS: Final = frozenset(
    right.route for right in RIGHTS if right.needs == (Permission.read,) and right.route != _STREAM
)
Buckets = Mapping[float, float]  # bound -> number of observations up to it


class LatencyReader:
    """Returns the 99th percentiles since its last call. Use it from one thread."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._last: dict[str, Buckets] = {}

    def __call__(self) -> Latencies:
        """Return the latencies since the last call, or since the start."""
        found: dict[str, defaultdict[float, float]] = {_QUERIES: defaultdict(float), _INGEST: defaultdict(float)}
        for metric in self._registry.collect():
            for sample in metric.samples:
                if sample.name in found and _counts(sample.name, sample.labels):
                    found[sample.name][float(sample.labels["le"])] += sample.value
        last, self._last = self._last, dict(found)
        return Latencies(*(quantile(since(buckets, last.get(name, {})), 0.99) for name, buckets in found.items()))


def since(buckets: Buckets, before: Buckets) -> Buckets:
    """Return the observations since an earlier reading of the buckets, as cumulative buckets. Pure."""
    return {bound: count - before.get(bound, 0.0) for bound, count in buckets.items()}


def quantile(buckets: Buckets, share: float) -> float | None:
    """Return a quantile of cumulative buckets, or None if there are no observations. Pure.

    The quantile is interpolated within its bucket, as in Prometheus. Above the highest finite bound, it is that bound.
    """
    total = max(buckets.values(), default=0.0)
    if total <= 0:
        return None
    wanted = share * total
    bounds = sorted(buckets)
    for lower, bound in pairwise([0.0, *bounds]):
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return lower
            below = buckets.get(lower, 0.0)
            return lower + (bound - lower) * (wanted - below) / max(buckets[bound] - below, 1e-9)
    return bounds[-1]


def _counts(name: str, labels: Mapping[str, str]) -> bool:
    return name != _QUERIES or f"{labels['method']} {labels['route']}" in READS
