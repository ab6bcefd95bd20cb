"""Measures a poll for live streams while other tenants store: `python tests/bench/bench_live.py` (OTHERS=1000000,
FOLLOWED=10, LOOKS=5).

Each of the followed tenants stores 10 events before every poll, and 100 other tenants together store `OTHERS` / `LOOKS`
events. The benchmark prints the statements, rows, bytes and CPU time of the polls according to ClickHouse's query log:
first without other tenants, and then with them. It fails unless every poll finds news of every followed tenant.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess
from measured import machine

from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.live.poll import Poller
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate

OTHERS, FOLLOWED = int(os.environ.get("OTHERS", "1000000")), int(os.environ.get("FOLLOWED", "10"))
LOOKS = int(os.environ.get("LOOKS", "5"))
DATABASE, EACH, TENANTS = "audit", 10, 100
TOPIC = "'00000000-0000-0000-0000-000000000007'"
FILL = (
    f"INSERT INTO {DATABASE}.events (tenant_id, occurred_at, event_id, action, actor_id, description, ingested_at,"
    " kafka_topic_id, kafka_partition, kafka_offset, kafka_timestamp)"
    " SELECT concat('{prefix}-', toString(number % {tenants})), now64(6), generateUUIDv4(number), 'login', 'u-1',"
    f" repeat(hex(cityHash64(number)), 4), now64(3), {TOPIC}, {{partition}}, {{start}} + number, now64(3)"
    " FROM numbers({count})"
)
COST = (
    "SELECT count(), sum(read_rows), sum(read_bytes), sum(ProfileEvents['UserTimeMicroseconds']"
    " + ProfileEvents['SystemTimeMicroseconds']) FROM system.query_log"
    " WHERE type = 'QueryFinish' AND event_time_microseconds >= fromUnixTimestamp64Micro({since})"
    " AND query LIKE '%place_offset%' AND query NOT LIKE '%query_log%'"
)


def fill(client: Client, prefix: str, tenants: int, partition: int, start: int, count: int) -> None:
    given = {"prefix": prefix, "tenants": tenants, "partition": partition, "start": start, "count": count}
    client.command(FILL.format(**given))


def measure(client: Client, executor: QueryExecutor, others: int) -> None:
    poller, followed = Poller(executor, DATABASE), [f"followed-{number}" for number in range(FOLLOWED)]
    poller.poll(followed)
    since = time.time_ns() // 1_000
    seconds = 0.0
    for look in range(LOOKS):
        if others:
            fill(client, "other", TENANTS, 0, look * others, others)
        fill(client, "followed", FOLLOWED, 1, look * FOLLOWED * EACH + others, FOLLOWED * EACH)
        began, found = time.perf_counter(), set()
        while True:
            result = poller.poll(followed)
            found |= set(getattr(result, "news", None) or result.by_tenant)
            if not result.more:
                break
        seconds += time.perf_counter() - began
        assert found == set(followed), "each followed tenant has news"
    client.command("SYSTEM FLUSH LOGS")
    statements, rows, size, cpu_us = client.query(COST.format(since=since)).result_rows[0]
    print(
        json.dumps(
            {
                "others_per_look": others,
                "statements": statements / LOOKS,
                "read_rows": round(rows / LOOKS),
                "read_kb": round(size / LOOKS / 1_000),
                "cpu_ms": round(cpu_us / LOOKS / 1_000, 1),
                "look_ms": round(1_000 * seconds / LOOKS),
            }
        ),
        flush=True,
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as name:
        engine = EngineProcess(Path(name) / "clickhouse")
        try:
            settings = load(clickhouse_url=engine.url, clickhouse_database=DATABASE)
            print(json.dumps({"followed": FOLLOWED, "looks": LOOKS, **machine()}), flush=True)
            for others in (0, OTHERS // LOOKS // 10, OTHERS // LOOKS):
                client = connect(settings)
                client.command(f"DROP DATABASE IF EXISTS {DATABASE}")
                migrate(client, DATABASE)
                executor = QueryExecutor.for_pages(settings)
                measure(client, executor, others)
                executor.close()
                client.close()
        finally:
            engine.stop()


if __name__ == "__main__":
    main()
