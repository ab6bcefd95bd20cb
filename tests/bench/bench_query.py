"""Measures the cost of reading over HTTP: `make bench-query` (ROWS=1000000, MONTHS=1, REQUESTS=25). Nothing is
asserted.

One tenant's events are stored next to those of a hundred small tenants. Each insert holds events from the whole period,
so that parts overlap as much as possible, and one event in eighty is stored twice. With several MONTHS, every month
except the last is merged, as ClickHouse does with months that receive no more events. With CLOSED=1, the last is merged
too.

The benchmark then sends requests, one after another, to a real `auditlane serve`. For each kind of request, it prints
the time and, from ClickHouse's query log, what one request read: statements, rows, bytes and CPU time. With KINDS, it
sends only requests whose name contains one of these texts, separated by commas. With DATA, the events are kept in that
folder, and reused by the next run.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
import urllib3
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess
from measured import machine, usage
from serving import ServeProcess

from auditlane.access.scope import TenantScope
from auditlane.query.cursor import Cursors
from auditlane.query.filters import Filter
from auditlane.query.sort import Position
from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.store.presentation import DEFAULT_FIELDS, ENVIRONMENT, Revision, save

TENANT, DATABASE, INSERTS = "acme", "audit", 40
SPAN = timedelta(days=31) * int(os.environ.get("MONTHS", "1"))
FILL = (
    f"INSERT INTO {DATABASE}.events (tenant_id, occurred_at, event_id, action, actor_id, actor_type, actor_name,"
    " resource, resource_id, outcome, severity, description, ip, user_agent, request_id, source, metadata, fields,"
    " ingested_at, kafka_partition, kafka_offset, kafka_timestamp)"
    " WITH cityHash64(n) AS h, intDiv(number, 10) AS small"
    f" SELECT if(number % 10 = 9, concat('t-', toString(small % 100)), '{TENANT}'),"
    " fromUnixTimestamp64Micro({since} + toInt64(n * {step}), 'UTC'), reinterpretAsUUID(sipHash128(n)),"
    " ['login', 'logout', 'document.opened', 'document.changed', 'document.deleted', 'user.invited'][h % 6 + 1],"
    " concat('u-', toString(h % 10000)), 'user', if(h % 9 = 0, NULL, concat('Person ', toString(h % 10000))),"
    " ['document', 'user', 'project'][h % 3 + 1], toString(h % 50000), if(h % 11 = 0, 'failure', 'success'),"
    " ['Info', 'Info', 'Info', 'Low', 'Medium', 'High', 'Critical'][h % 7 + 1],"
    " concat('Something happened to ', hex(h), ' of ', hex(sipHash64(n))),"
    " toIPv6(concat('10.1.', toString(h % 256), '.7')),"
    " ['Mozilla/5.0 (X11; Linux x86_64)', 'curl/8.5'][h % 2 + 1], hex(sipHash64(n, 1)), 'billing',"
    " map('region', ['eu', 'us', 'ap'][h % 3 + 1], 'n', toString(n)),"
    " map('invoice_total', toString((h % 100000) / 100)),"
    " now64(3), {part} % 6, number, now64(3)"
    " FROM (SELECT number, number * {inserts} + {part} AS n FROM numbers({count}))"
)
REQUESTS = int(os.environ.get("REQUESTS", "25"))
KINDS = os.environ.get("KINDS", "").split(",")
ONE = "one event by its id"
REQUEST = "one request id"
FAR = "a page far down"


def requests() -> dict[str, str]:
    events = "/v1/events?limit=50"
    return {
        "first page": events,
        FAR: events,
        "oldest first": f"{events}&sort=occurred_at",
        "by severity": f"{events}&sort=-severity",
        "by actor's name": f"{events}&sort=actor_name",
        "action=login": f"{events}&action=login",
        "one actor (1 in 10,000)": f"{events}&actor=u-17",
        "no such actor": f"{events}&actor=nobody",
        "one object (1 in 50,000)": f"{events}&resource_id=4711",
        REQUEST: f"{events}&request_id=",
        "an address in no event": f"{events}&ip=192.0.2.1",
        "a value of metadata": f"{events}&metadata.n=4711",
        "query language": f"{events}&query=action:doc*+outcome:failure+-ip:10.1.0.0/20",
        "free text, frequent": f"{events}&q=happened",
        "free text, in no event": f"{events}&q=nothingsuch",
        "free text, in no event of a day": f"{events}&q=nothingsuch&from={_ago(1)}",
        "facet action": "/v1/facets?field=action",
        "facet actor": "/v1/facets?field=actor",
        "facet action of failures": "/v1/facets?field=action&outcome=failure",
        "histogram": "/v1/histogram",
        "histogram of a week": f"/v1/histogram?from={_ago(7)}",
        "stats": "/v1/stats",
        ONE: "/v1/events/",
    }


def main() -> None:
    count = int(os.environ.get("ROWS", "1000000"))
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as name:
        folder = Path(name)
        data = Path(os.environ["DATA"]).absolute() if "DATA" in os.environ else folder / "clickhouse"
        kept = data.exists()
        engine = EngineProcess(data)
        try:
            if not kept:
                fill(engine.url, count)
            if os.environ.get("CLOSED") == "1":
                close_month(engine.url)
            print(json.dumps(described(engine.url) | machine()), flush=True)
            with ServeProcess(folder, clickhouse_url=engine.url) as serve:
                log = connect(load(clickhouse_url=engine.url))
                measure(serve, log)
                log.close()
                print(json.dumps({"serve_peak_mb": round(usage(serve.process.pid).peak_mb)}), flush=True)
        finally:
            engine.stop()


def fill(url: str, count: int) -> None:
    client = connect(load(clickhouse_url=url, query_timeout_s=3_600.0))
    migrate(client, DATABASE)
    since = datetime.now(UTC) - SPAN
    each = -(-count * 10 // 9 // INSERTS)
    how = {
        "since": int(since.timestamp() * 1e6),
        "step": SPAN / timedelta(microseconds=1) / (each * INSERTS),
        "inserts": INSERTS,
    }
    for part in range(INSERTS):
        client.command(FILL.format(part=part, count=each, **how))
    client.command(FILL.format(part=0, count=each // 2, **how))  # sent twice
    closed = client.query(
        f"SELECT DISTINCT partition_id FROM system.parts WHERE database = '{DATABASE}' AND table = 'events' AND active"
        " ORDER BY partition_id"
    ).result_rows[:-1]
    for (partition,) in closed if timedelta(days=31) < SPAN else []:
        client.command(f"OPTIMIZE TABLE {DATABASE}.events PARTITION ID '{partition}' FINAL")
    sortable = tuple(one.model_copy(update={"sortable": True}) for one in DEFAULT_FIELDS)
    save(client, DATABASE, Revision(scope=ENVIRONMENT), Revision(scope="", fields=sortable), now=datetime.now(UTC))
    while client.query("SELECT count() FROM system.merges").result_rows[0][0]:
        time.sleep(0.2)
    client.close()


def close_month(url: str) -> None:
    """Merge every month into one part."""
    client = connect(load(clickhouse_url=url, query_timeout_s=3_600.0))
    client.command(f"OPTIMIZE TABLE {DATABASE}.events FINAL SETTINGS optimize_skip_merged_partitions = 1")
    client.close()


def described(url: str) -> dict[str, object]:
    client = connect(load(clickhouse_url=url, query_timeout_s=3_600.0))
    parts = client.query(f"SELECT count(), sum(rows) FROM system.parts WHERE active AND database = '{DATABASE}'")
    events = client.query(f"SELECT count() FROM {DATABASE}.log WHERE tenant_id = '{TENANT}'").result_rows[0][0]
    client.close()
    return {"events": events, "parts": parts.result_rows[0][0], "rows": parts.result_rows[0][1]}


def measure(serve: ServeProcess, log: Client) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=60.0)
    headers = {"Authorization": f"Bearer {serve.viewer_token(TENANT)}"}
    far = Position(
        int((datetime.now(UTC) - SPAN / 2).timestamp() * 1e6), "00000000-0000-4000-8000-000000000000", "0" * 32
    )
    cursor = Cursors(serve.signing.mac).sign(TenantScope.for_operator(TENANT), Filter(include_access=False), far)
    newest = pool.request("GET", serve.url + "/v1/events?limit=1", headers=headers).json()["data"][0]
    ends = {FAR: f"&cursor={cursor}", ONE: newest["event_id"], REQUEST: newest["request_id"]}
    print(f"{'request':34s} {'p50 ms':>8s} {'p95 ms':>8s} {'CPU ms':>8s} {'rows':>11s} {'MB':>7s} {'statements':>10s}")
    for name, path in requests().items():
        if not any(kind in name for kind in KINDS):
            continue
        took = []
        since = log.query("SELECT now64(6)").result_rows[0][0]
        for _ in range(REQUESTS):
            began = time.perf_counter()
            answer = pool.request("GET", serve.url + path + ends.get(name, ""), headers=headers)
            took.append((time.perf_counter() - began) * 1e3)
            if answer.status != 200:
                print(f"{name}: {answer.status} {answer.json()['code']}", flush=True)
                break
        statements, rows, megabytes, cpu_ms = cost(log, since, len(took))
        p95 = statistics.quantiles(took, n=20)[-1] if len(took) > 1 else took[0]
        print(
            f"{name:34s} {statistics.median(took):8.1f} {p95:8.1f} {cpu_ms:8.1f} {rows:11,.0f} {megabytes:7.1f}"
            f" {statements:10.1f}",
            flush=True,
        )


def cost(log: Client, since: datetime, requests: int) -> list[float]:
    """Return the mean cost of a request since then: statements that read events, rows and megabytes read, and CPU time
    in ms.
    """
    log.command("SYSTEM FLUSH LOGS query_log")
    events = ", ".join(f"'{DATABASE}.{name}'" for name in ("log", "events"))
    row = log.query(
        "SELECT count(), sum(read_rows), sum(read_bytes) / 1e6,"
        " sum(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1e3"
        f" FROM system.query_log WHERE type != 'QueryStart' AND hasAny(tables, [{events}])"
        " AND query_start_time_microseconds >= {since:DateTime64(6)}",
        parameters={"since": since},
    ).result_rows[0]
    return [float(total) / requests for total in row]


def _ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    main()
