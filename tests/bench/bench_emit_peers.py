"""Compares `emit` with other ways to record the same event: logging it to a file, producing it with fastavro and
without any check, and sending it with Frontegg's own Python client to a local endpoint. The results are reported, not
asserted.

All but the last run in this process, in rounds that alternate between them. The CPU time includes all threads, until
the last event is acknowledged.
"""

from __future__ import annotations

import json
import logging
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import fastavro
from bench_sdk import EVENT
from confluent_kafka import Producer
from fixtures.frontegg import client_of
from reading import topic_with_schema
from serving import ServeProcess

from auditlane.contract.avro import base_schema
from auditlane.sdk import AuditClient

EVENTS = 20_000
AWAITED_EVENTS = 200  # each takes a round trip
ROUNDS = 5
POSTS = 200
Emit = Callable[[], object]


@contextmanager
def logging_to_a_file(folder: Path) -> Iterator[tuple[Emit, Callable[[], object]]]:
    logger, handler = logging.getLogger("peer"), logging.FileHandler(folder / "audit.log")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.addHandler(handler)

    def emit() -> None:
        logger.info(json.dumps(EVENT | {"event_id": str(uuid4()), "occurred_at": datetime.now(UTC).isoformat()}))

    yield emit, handler.flush
    logger.removeHandler(handler)
    handler.close()


@contextmanager
def produce_with_fastavro(kafka: str, topic: str) -> Iterator[tuple[Emit, Callable[[], object]]]:
    """Encode the event with fastavro and produce it without checking it. A thread counts the acknowledgements."""
    schema = fastavro.parse_schema(base_schema())
    empty = {field["name"]: field.get("default") for field in base_schema()["fields"]}
    producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True, "linger.ms": 5})
    left, stopped = [0], threading.Event()

    def delivered(error: object, _: object) -> None:
        assert error is None
        left[0] -= 1

    def poll() -> None:
        while not stopped.is_set():
            producer.poll(0.2)

    def emit() -> None:
        record = empty | EVENT | {"event_id": str(uuid4()), "occurred_at": datetime.now(UTC)}
        out = BytesIO()
        fastavro.schemaless_writer(out, schema, record)
        left[0] += 1
        while True:
            try:
                producer.produce(topic, b"\0\0\0\0\1" + out.getvalue(), b"acme", on_delivery=delivered)
                return
            except BufferError:
                time.sleep(0.001)

    thread = threading.Thread(target=poll)
    thread.start()
    yield emit, producer.flush
    stopped.set()
    thread.join()


@contextmanager
def emit_with(**options: Any) -> Iterator[tuple[Emit, Callable[[], object]]]:
    with AuditClient(max_block_ms=60_000, **options) as client:
        yield lambda: client.emit(**EVENT), client.flush


def test_in_one_process(kafka, registry, unique, tmp_path):
    topic = topic_with_schema(kafka, registry, unique)
    ours: dict[str, Any] = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    ways = {
        "logging to a file": lambda: logging_to_a_file(tmp_path),
        "produce with fastavro": lambda: produce_with_fastavro(kafka, topic),
        "emit, fast": lambda: emit_with(**ours),
        "emit, durable": lambda: emit_with(**ours, delivery_mode="durable", spool_dir=str(tmp_path / "spool")),
    }
    ways["emit, sync"] = lambda: emit_with(**ours, delivery_mode="sync")
    found: dict[str, list[tuple[float, ...]]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            with way() as (emit, flush):
                emit()
                flush()
                found[name].append(measured(emit, flush, AWAITED_EVENTS if "sync" in name else EVENTS))
    for name, rounds in found.items():
        cpu, p50, p99 = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(
            f"\n{name}: {cpu:.1f} µs of CPU, {1e6 / cpu:,.0f} events/s a core; p50 {p50:.1f} µs, p99 {p99:.1f} µs",
            end="",
        )
    print()


def measured(emit: Emit, flush: Callable[[], object], events: int) -> tuple[float, ...]:
    """Return three figures in microseconds: the process's CPU time per event, and the median and the 99th percentile of
    the duration of a call.
    """
    calls, cpu = [], time.process_time()
    for _ in range(events):
        before = time.perf_counter()
        emit()
        calls.append((time.perf_counter() - before) * 1e6)
    flush()
    quantiles = statistics.quantiles(calls, n=100)
    return (time.process_time() - cpu) / events * 1e6, quantiles[49], quantiles[98]


def test_fronteggs_client(request, kafka, registry, unique, tmp_path):
    topic = topic_with_schema(kafka, registry, unique)
    client = client_of(request, "pypi-3.0.4")
    audit = {"tenantId": "acme", "user": "user-1234", "resource": "document", "action": "updated", "severity": "Info"}
    options = {"kafka_bootstrap": kafka, "registry_url": registry, "topic": topic}
    with ServeProcess(tmp_path, roles="ingest", ingest_rate=0, **options) as served:
        issued = served.keys.create(roles=("writer",), tenant=None, now=datetime.now(UTC))
        init = ["init", issued.client.client_id, issued.secret]
        times = []
        for posts in (1, 1 + POSTS) * 3:
            began = time.perf_counter()
            results = client.call(served.url, init, *[["send", audit]] * posts)
            times.append(time.perf_counter() - began)
            assert all("value" in one for one in results), results
    each = statistics.median(longer - shorter for shorter, longer in zip(times[::2], times[1::2], strict=True)) / POSTS
    print(f"\nFrontegg's Python client: {each * 1e3:.1f} ms a call, {1 / each:,.0f} events/s")
