"""Measure the cost of reading over HTTP: `python tests/bench/bench_query.py` (ROWS=1000000). The figures are reported,
not asserted.

It stores one tenant's month next to a hundred small tenants. Each insert contains events of the whole month, so that
parts overlap as much as possible, and one event in eighty is stored twice. It then sends one request after another to a
real `auditlane serve`.
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

TENANT, DATABASE, INSERTS, MONTH = "acme", "audit", 40, timedelta(days=31)
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
ONE = "one event by its id"
FAR = "a page far down"


def requests() -> dict[str, str]:
    """Return the measured paths, keyed by name."""
    events = "/v1/events?limit=50"
    return {
        "first page": events,
        FAR: events,
        "oldest first": f"{events}&sort=occurred_at",
        "by severity": f"{events}&sort=-severity",
        "by actor's name": f"{events}&sort=actor_name",
        "action=login": f"{events}&action=login",
        "one actor (1 in 10,000)": f"{events}&actor=u-17",
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
        engine = EngineProcess(folder / "clickhouse")
        try:
            filled = fill(engine.url, count)
            print(json.dumps(filled | machine()), flush=True)
            with ServeProcess(folder, clickhouse_url=engine.url) as serve:
                measure(serve)
                print(json.dumps({"serve_peak_mb": round(usage(serve.process.pid).peak_mb)}), flush=True)
        finally:
            engine.stop()


def fill(url: str, count: int) -> dict[str, object]:
    """Create the events. Return a description of them."""
    client = connect(load(clickhouse_url=url, query_timeout_s=300.0))
    migrate(client, DATABASE)
    since = datetime.now(UTC) - MONTH
    each = -(-count * 10 // 9 // INSERTS)
    how = {
        "since": int(since.timestamp() * 1e6),
        "step": MONTH / timedelta(microseconds=1) / (each * INSERTS),
        "inserts": INSERTS,
    }
    for part in range(INSERTS):
        client.command(FILL.format(part=part, count=each, **how))
    client.command(FILL.format(part=0, count=each // 2, **how))  # sent twice
    sortable = tuple(one.model_copy(update={"sortable": True}) for one in DEFAULT_FIELDS)
    save(client, DATABASE, Revision(scope=ENVIRONMENT), Revision(scope="", fields=sortable), now=datetime.now(UTC))
    while client.query("SELECT count() FROM system.merges").result_rows[0][0]:
        time.sleep(0.2)
    parts = client.query(f"SELECT count(), sum(rows) FROM system.parts WHERE active AND database = '{DATABASE}'")
    events = client.query(f"SELECT count() FROM {DATABASE}.log WHERE tenant_id = '{TENANT}'").result_rows[0][0]
    client.close()
    return {"events": events, "parts": parts.result_rows[0][0], "rows": parts.result_rows[0][1]}


def measure(serve: ServeProcess) -> None:
    pool = urllib3.PoolManager(retries=False, timeout=60.0)
    headers = {"Authorization": f"Bearer {serve.viewer_token(TENANT)}"}
    far = Position(
        int((datetime.now(UTC) - MONTH / 2).timestamp() * 1e6), "00000000-0000-4000-8000-000000000000", "0" * 32
    )
    cursor = Cursors(serve.signing.mac).sign(TenantScope.for_operator(TENANT), Filter(), far)
    newest = pool.request("GET", serve.url + "/v1/events?limit=1", headers=headers).json()["data"][0]["event_id"]
    for name, path in requests().items():
        path += {FAR: f"&cursor={cursor}", ONE: newest}.get(name, "")
        took = []
        for _ in range(REQUESTS):
            began = time.perf_counter()
            answer = pool.request("GET", serve.url + path, headers=headers)
            took.append((time.perf_counter() - began) * 1e3)
            assert answer.status == 200, (name, answer.data)
        p95 = statistics.quantiles(took, n=20)[-1]
        print(f"{name:34s} p50 {statistics.median(took):7.1f} ms   p95 {p95:7.1f} ms", flush=True)


def _ago(days: int) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


if __name__ == "__main__":
    main()
