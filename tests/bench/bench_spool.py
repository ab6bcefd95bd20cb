"""Measures `emit` in each delivery mode, and how fast a spool is delivered after an outage. The results are reported,
not asserted.
"""

from __future__ import annotations

import statistics
import time

import pytest
from bench_sdk import EVENT
from fixtures.workers import wait_until
from reading import topic_with_schema

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


@pytest.mark.parametrize("mode", MODES)
def test_emit(mode, kafka, registry, unique, tmp_path):
    topic = topic_with_schema(kafka, registry, unique)
    options = dict(MODES[mode])
    if "spool_dir" in options:
        options["spool_dir"] = str(tmp_path / "spool")
    events = EVENTS // 20 if "always" in mode or mode == "sync" else EVENTS
    client = AuditClient(kafka_bootstrap=kafka, registry_url=registry, topic=topic, max_block_ms=60_000, **options)
    client.emit(**EVENT)
    client.flush()
    calls, cpu = [], time.thread_time()
    for _ in range(events):
        before = time.perf_counter()
        client.emit(**EVENT)
        calls.append((time.perf_counter() - before) * 1e6)
    mine = (time.thread_time() - cpu) / events * 1e6
    assert client.close(120)
    quantiles = statistics.quantiles(calls, n=100)
    print(f"\n{mode}: {mine:.1f} µs of CPU, p50 {quantiles[49]:.1f} µs, p99 {quantiles[98]:.1f} µs")


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
