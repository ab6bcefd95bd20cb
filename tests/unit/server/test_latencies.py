"""Tests a process's latencies over a period, which are computed from its histograms."""

from __future__ import annotations

import math

import pytest

from auditlane.gateway.metrics import GatewayMetrics
from auditlane.observe.observer import Latencies
from auditlane.server.latencies import READS, LatencyReader, quantile
from auditlane.server.metrics import HttpMetrics


def test_a_period_has_the_latencies_of_its_requests_alone() -> None:
    metrics = HttpMetrics()
    gateway = GatewayMetrics(metrics.made)
    read = LatencyReader(metrics.made.registry)
    assert read() == Latencies(None, None)
    for _ in range(200):
        observe(metrics, "/v1/events", 0.03)
        observe(metrics, "/v1/admin/lag", 9.0)
        metrics.observe("/v1/events", "POST", 202, 9.0)
    gateway.settled(7, [], 0.2)
    query_s, ingest_s = read()
    assert query_s is not None
    assert 0.025 <= query_s <= 0.05
    assert ingest_s is not None
    assert 0.1 <= ingest_s <= 0.25
    observe(metrics, "/v1/events/{event_id}", 2.0)
    slower, nothing = read()
    assert slower is not None
    assert slower > 1.0
    assert nothing is None


def observe(metrics: HttpMetrics, route: str, seconds: float) -> None:
    metrics.observe(route, "GET", 200, seconds)


def test_reads_are_the_routes_of_a_tenants_log() -> None:
    assert {"GET /v1/events", "GET /v1/histogram", "GET /audits"} <= READS
    assert not {"POST /v1/events", "GET /v1/events/stream", "GET /v1/admin/lag", "GET /v1/export"} & READS


@pytest.mark.parametrize(
    ("buckets", "share", "value"),
    [
        ({1.0: 0, math.inf: 0}, 0.99, None),
        ({}, 0.99, None),
        ({1.0: 50, 2.0: 100, math.inf: 100}, 0.5, 1.0),
        ({1.0: 50, 2.0: 100, math.inf: 100}, 0.75, 1.5),
        ({1.0: 50, 2.0: 50, math.inf: 100}, 0.99, 2.0),  # above the last bound
    ],
)
def test_a_quantile_is_interpolated(buckets: dict[float, float], share: float, value: float | None) -> None:
    assert quantile(buckets, share) == value
