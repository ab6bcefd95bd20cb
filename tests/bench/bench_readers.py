"""Measures reading while a worker stores events: `python tests/bench/bench_readers.py` (TENANTS=50, ROWS=1000000,
STORED_PER_S=20000, REQUESTS_PER_S=20, SECONDS=60). Nothing is asserted.

The tenants are of very different sizes. Once their events are stored, more events are produced at a steady rate, and a
real `auditlane worker` stores them. At the same time, requests for first pages and for one actor's events are sent to a
real `auditlane serve`, at a steady rate, whether or not earlier requests have ended. The benchmark prints the times of
both kinds of request, the CPU time that `serve` and ClickHouse use per request, and the worker's delay. ClickHouse's
CPU time includes the inserts.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import urllib3
from bench_worker import Load, Parts, parts
from clickhouse_connect.driver.client import Client
from confluent_kafka import Producer
from fixtures.workers import WorkerProcess
from load import messages
from measured import Busy, machine, stopwatch, usage
from serving import ServeProcess

from auditlane.runtime.settings import variable

TENANTS, ROWS = int(os.environ.get("TENANTS", "50")), int(os.environ.get("ROWS", "1000000"))
STORED_PER_S = int(os.environ.get("STORED_PER_S", "20000"))
REQUESTS_PER_S = int(os.environ.get("REQUESTS_PER_S", "20"))
SECONDS = int(os.environ.get("SECONDS", "60"))
INSERTS, BATCH_S = 20, 0.1
KINDS = {"first page": "/v1/events?limit=50", "one actor": "/v1/events?limit=50&actor=user-{tenant:03}-{actor:06}"}
# tenant k has about 1/k as many events as tenant 1; each tenant has 300 actors, as in `load`
FILL = (
    "INSERT INTO `{database}`.events (tenant_id, occurred_at, event_id, action, actor_id, actor_type, actor_name,"
    " resource, resource_id, outcome, severity, description, ip, request_id, source, metadata, ingested_at,"
    " kafka_partition, kafka_offset, kafka_timestamp)"
    " WITH sipHash64(number, {part}) AS h, toUInt32(exp2(h % 10000 / 10000 * log2({tenants}))) - 1 AS tenant,"
    " concat('user-', leftPad(toString(tenant), 3, '0'), '-', leftPad(toString(h % 300), 6, '0')) AS actor"
    " SELECT concat('tenant-', leftPad(toString(tenant), 3, '0')),"
    " fromUnixTimestamp64Micro({since} + toInt64(h % {span}), 'UTC'), generateUUIDv4(number),"
    " ['document.created', 'document.viewed', 'user.invited'][h % 3 + 1], actor, 'user', concat('Person ', actor),"
    " 'document', concat('doc-', hex(h)), 'success', 'Info', concat('Something happened to ', hex(sipHash64(h))),"
    " toIPv6(concat('10.1.', toString(h % 256), '.7')), hex(sipHash64(h, 1)), 'web', map('n', toString(number)),"
    " now64(3), {part}, number, now64(3) FROM numbers({count})"
)


def fill(client: Client, database: str) -> None:
    since, span = datetime.now(UTC) - timedelta(days=30), timedelta(days=30)
    how = {"since": int(since.timestamp() * 1e6), "span": span // timedelta(microseconds=1), "tenants": TENANTS}
    for part in range(INSERTS):
        client.command(FILL.format(database=database, part=part, count=ROWS // INSERTS, **how))


def produce(load: Load, stored: list[tuple[str, bytes]], stop: threading.Event) -> None:
    producer = Producer({"bootstrap.servers": load.parts.kafka, "compression.type": "lz4", "linger.ms": 20})
    each, began = round(STORED_PER_S * BATCH_S), time.monotonic()
    for number, first in enumerate(range(0, len(stored), each)):
        if stop.wait(max(0.0, began + number * BATCH_S - time.monotonic())):
            break
        for key, value in stored[first : first + each]:
            producer.produce(load.settings.topic, key=key, value=value)
        producer.poll(0)
    producer.flush(30)


def ask(serve: ServeProcess) -> dict[str, list[float]]:
    """Send requests for `SECONDS`. Returns, for each kind of request, the seconds from when each request was due until
    it ended.
    """
    pool = urllib3.PoolManager(retries=False, timeout=60.0, maxsize=64)
    headers = [{"Authorization": f"Bearer {serve.viewer_token(f'tenant-{number:03}')}"} for number in range(TENANTS)]
    took: defaultdict[str, list[float]] = defaultdict(list)
    chance, began = random.Random(7), time.monotonic()

    def request(kind: str, tenant: int, actor: int, due: float) -> None:
        path = KINDS[kind].format(tenant=tenant, actor=actor)
        answer = pool.request("GET", serve.url + path, headers=headers[tenant])
        took[kind if answer.status == 200 else f"{kind}: {answer.status}"].append(time.monotonic() - due)

    with ThreadPoolExecutor(64) as threads:
        for number, kind in zip(range(SECONDS * REQUESTS_PER_S), itertools.cycle(KINDS)):
            due = began + number / REQUESTS_PER_S
            time.sleep(max(0.0, due - time.monotonic()))
            tenant = int(TENANTS ** chance.random()) - 1  # as often as it has events
            threads.submit(request, kind, tenant, chance.randrange(300), due)
    return took


def measure(running: Parts) -> None:
    load = Load(running, "one schema", 1_000)  # makes the topic and the contract
    now_ms = time.time_ns() // 1_000_000
    stored = list(messages(load.registry, load.settings.topic, "one schema", STORED_PER_S * SECONDS, now_ms))
    with load.run() as (settings, client):
        client.command(f"SYSTEM START MERGES `{settings.clickhouse_database}`.events")
        fill(client, settings.clickhouse_database)
        env = {variable(name): str(value) for name, value in settings.model_dump(exclude_unset=True).items()}
        worker = WorkerProcess(env, running.folder / "worker.log")
        stop = threading.Event()
        producing = threading.Thread(target=produce, args=(load, stored, stop))
        options = {"clickhouse_url": running.clickhouse.url, "clickhouse_database": settings.clickhouse_database}
        try:
            with ServeProcess(running.folder, **options) as serve:
                for producer in (None, producing):
                    if producer:
                        producer.start()
                        time.sleep(5)  # until the worker keeps up
                    used = [stopwatch(process.pid) for process in (serve.process, running.clickhouse.process)]
                    with Busy() as busy:
                        began = time.time()
                        took = ask(serve)
                    by_serve, by_clickhouse = (1e3 * one() / (SECONDS * REQUESTS_PER_S) for one in used)
                    print(
                        "with a worker" if producer else "without writes",
                        f"({busy.between(began, time.time()):.0%} busy),",
                        f"CPU per request: {by_serve:.0f} ms in serve, {by_clickhouse:.0f} ms in ClickHouse",
                    )
                    for kind, seconds in sorted(took.items()):
                        cuts = statistics.quantiles(seconds, n=20)
                        print(f"  {kind:12} {len(seconds):5} p50 {cuts[9] * 1e3:7.0f} ms  p95 {cuts[18] * 1e3:7.0f} ms")
                print(json.dumps({"serve_peak_mb": round(usage(serve.process.pid).peak_mb)} | machine()))
            name = settings.clickhouse_database
            [row] = client.query(
                f"SELECT count(), quantile(0.95)(date_diff('ms', kafka_timestamp, ingested_at)) FROM `{name}`.events"
                f" WHERE kafka_topic = '{load.settings.topic}'"
            ).result_rows
            print(f"  stored {row[0]:,} events; p95 {row[1]:,.0f} ms from Kafka's timestamp until validation")
        finally:
            stop.set()
            producing.join()
            worker.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder, parts(Path(folder)) as running:
        measure(running)
