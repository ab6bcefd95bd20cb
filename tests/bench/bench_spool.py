"""Measures `emit` in each delivery mode, and how fast a spool is sent after an outage. The results are reported, not
asserted.
"""

from __future__ import annotations

import statistics
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from bench_sdk import EVENT
from fixtures.workers import wait_until
from reading import topic_with_schema
from serving import ServeProcess

from auditlane.sdk import AuditClient

AWAY = "127.0.0.1:9"  # the discard port, on which no process listens
EVENTS = 20_000
MODES = {
    "fast, no spool": {},
    "fast": {"spool_dir": "spool"},
    "durable": {"delivery_mode": "durable", "spool_dir": "spool"},
    "durable, spool_sync=1s": {"delivery_mode": "durable", "spool_dir": "spool", "spool_sync": "1s"},
    "durable, spool_sync=always": {"delivery_mode": "durable", "spool_dir": "spool", "spool_sync": "always"},
    "sync": {"delivery_mode": "sync"},
}


@pytest.fixture(scope="module")
def wires(kafka, registry, tmp_path_factory):
    """Provide the client options for each transport."""
    direct = {"kafka_bootstrap": kafka, "registry_url": registry}
    direct["topic"] = topic_with_schema(kafka, registry, f"t{uuid4().hex[:12]}")
    with ServeProcess(tmp_path_factory.mktemp("gateway"), roles="ingest", ingest_rate=0, **direct) as served:
        issued = served.keys.create(roles=("writer",), tenant=None, now=datetime.now(UTC))
        over_http = {"url": served.url, "client_id": issued.client.client_id, "secret": issued.secret}
        yield {"kafka": direct, "gateway": over_http}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transport", ["kafka", "gateway"])
def test_emit(transport, mode, wires, tmp_path):
    options = dict(MODES[mode])
    if "spool_dir" in options:
        options["spool_dir"] = str(tmp_path / "spool")
    events = EVENTS // 20 if "always" in mode or mode == "sync" else EVENTS
    client = AuditClient(**wires[transport], max_block_ms=60_000, **options)
    client.emit(**EVENT)
    client.flush()
    calls, cpu = [], time.thread_time()
    for _ in range(events):
        before = time.perf_counter()
        client.emit(**EVENT)
        calls.append((time.perf_counter() - before) * 1e6)
    mine = (time.thread_time() - cpu) / events * 1e6
    began = time.perf_counter()
    assert client.close(120)
    rest = time.perf_counter() - began
    quantiles = statistics.quantiles(calls, n=100)
    emitted = f"{mine:.1f} µs of CPU, p50 {quantiles[49]:.1f} µs, p99 {quantiles[98]:.1f} µs"
    print(f"\n{transport}, {mode}: {emitted}; delivered {rest:.1f} s after the last")


def test_drain(kafka, registry, unique, tmp_path):
    topic, spool = topic_with_schema(kafka, registry, unique), tmp_path / "spool"
    options = {"registry_url": registry, "topic": topic, "spool_dir": str(spool)}
    with AuditClient(kafka_bootstrap=AWAY, delivery_mode="durable", close_timeout_s=0.01, **options) as client:
        for _ in range(EVENTS):
            client.emit(**EVENT)
    size = sum(file.stat().st_size for file in spool.rglob("*.segment"))
    started = time.perf_counter()
    with AuditClient(kafka_bootstrap=kafka, **options):
        wait_until(lambda: not [*spool.glob("*.set")], patience_s=120)
        took = time.perf_counter() - started
    print(f"\ndrain: {EVENTS / took:,.0f} events/s, {size / took / 1e6:.1f} MB/s")
