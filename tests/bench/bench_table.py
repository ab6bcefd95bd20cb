"""Measures the cost of the table layout of `events`: `python tests/bench/bench_table.py`. Each variant changes the
shipped table.

For each variant, it prints the CPU time of the worker's insert (the lowest of the rounds, µs per row), the bytes per
row in one part, and the time to merge all parts. It also prints the CPU time in ms of reading everything with `FINAL`
before that merge, and of three queries after it: an actor's events, an event by its id, and a page of a tenant's newest
events. CPU times come from ClickHouse's query log.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess
from load import messages
from validating import TOPIC, DictRegistry

from auditlane.contract.avro import base_schema
from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.settings import load
from auditlane.store import preflight
from auditlane.store.client import connect
from auditlane.store.event_insert import EncodedBatch, Table, Writer, columns_to_send
from auditlane.store.migrate import known, migrate
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.event_columns import EVENTS
from auditlane.worker.validation.schema_cache import SchemaCache
from auditlane.worker.validation.validator import BatchValidator

# Variant -> replacements in the shipped SQL.
_TEXTS = ("actor_id String", "actor_name Nullable(String)", "resource_id Nullable(String)", "before Nullable(String)",
          "after Nullable(String)", "description Nullable(String)", "request_id Nullable(String)",
          "metadata Map(LowCardinality(String), String)", "fields Map(LowCardinality(String), String)")  # fmt: skip
_LZ4 = [(f"{name} CODEC(ZSTD(1))", name) for name in _TEXTS]
_WIDE = [(", min_bytes_for_wide_part = 134217728", "")]
_INDEX = [(",\n    INDEX kafka_time kafka_timestamp TYPE minmax GRANULARITY 1", "")]
_NO_KEY = [("ORDER BY (tenant_id, occurred_at, event_id, content_hash)", "ORDER BY (tenant_id, occurred_at, event_id)")]
_HASHED = (
    known()[0]
    .statements("x")[0]
    .partition("content_hash FixedString(16) MATERIALIZED ")[2]
    .partition(",\n\n    first_wins")[0]
)
_NO_HASH = [(_HASHED, "toFixedString('', 16)")]


def _index(text: str) -> list[tuple[str, str]]:
    return [("\n) ENGINE", f",\n    INDEX more {text}\n) ENGINE")]


VARIANTS: dict[str, list[tuple[str, str]]] = {
    "shipped": [],
    "LZ4, wide parts, no index": [*_LZ4, *_WIDE, *_INDEX],
    "LZ4": _LZ4,
    "wide parts": _WIDE,
    "no index": _INDEX,
    "user_agent String": [("user_agent LowCardinality(Nullable(String))", "user_agent Nullable(String)")],
    "source, actor_type, resource String": [
        (f"{name} LowCardinality(String)", f"{name} String") for name in ("actor_type", "resource", "source")
    ],
    "map keys String": [("metadata Map(LowCardinality(String), String)", "metadata Map(String, String)")],
    "event_id uncompressed": [("event_id UUID,", "event_id UUID CODEC(NONE),")],
    "occurred_at DoubleDelta": [
        ("'UTC') CODEC(Delta, ZSTD(1)),\n    event_id", "'UTC') CODEC(DoubleDelta),\n    event_id")
    ],
    "content hash not in the key": _NO_KEY,
    "content hash of nothing": _NO_HASH,
    "neither": [*_NO_KEY, *_NO_HASH],
    "bloom actor_id": _index("actor_id TYPE bloom_filter GRANULARITY 4"),
    "bloom resource_id": _index("resource_id TYPE bloom_filter GRANULARITY 4"),
    "bloom event_id": _index("event_id TYPE bloom_filter GRANULARITY 4"),
}
QUESTIONS = {
    "actor": "SELECT * FROM log WHERE tenant_id = 'tenant-007' AND actor_id = 'user-007-000042'"
    " ORDER BY occurred_at DESC LIMIT 50",
    "id": "SELECT * FROM log WHERE tenant_id = 'tenant-007' AND event_id = {id:UUID}",
    "page": "SELECT * FROM log WHERE tenant_id = 'tenant-007' ORDER BY occurred_at DESC, event_id DESC LIMIT 50",
}
_UNMERGED = "SELECT uniqExact(event_id) FROM log"
_ID = "6f9619ff-8b86-4011-b42d-00c04fc964ff"


def ranges(count: int, rows: int) -> list[tuple[Range, dict[int, Any]]]:
    """Return validated ranges, as the worker would insert them."""
    registry: Any = DictRegistry()
    registry.register(f"{TOPIC}-value", base_schema())
    validator = BatchValidator(SchemaCache(registry, topic=TOPIC, refresh_s=600), topic=TOPIC, max_event_bytes=524_288)
    now_ms = time.time_ns() // 1_000_000
    pairs = list(messages(registry, TOPIC, "one schema", count, now_ms))
    found = []
    for first in range(0, count, rows):
        keys, values = zip(*((key.encode(), value) for key, value in pairs[first : first + rows]), strict=True)
        offsets, times = list(range(first, first + len(keys))), [now_ms + first // 100] * len(keys)
        result = validator.validate(RawRange(TOPIC, _ID, 0, offsets, times, keys, values), ingested_at_ms=now_ms)
        columns = Columns(offsets, times, list(keys), list(values))
        found.append((Range(Partition(TOPIC, 0), _ID, offsets[0], offsets[-1], columns, "", 1), result.rows))
    return found


def build(client: Client, database: str, changes: list[tuple[str, str]]) -> Table:
    """Create the changed table. The returned table claims the shipped table's guarantees, although the changed table
    may lack them.
    """
    migrate(client, database)
    made = preflight.check(client, database, EVENTS.names, parts_per_second=4)
    client.command(f"DROP TABLE `{database}`.events SYNC")
    text = known()[0].statements(database)[0]
    for old, new in changes:
        assert old in text, f"{old!r} is not in the table's SQL"
        text = text.replace(old, new)
    client.command(text)
    client.command(f"SYSTEM STOP MERGES `{database}`.events")
    return made


def cost_ms(client: Client, database: str, text: str, parameters: dict[str, str]) -> float:
    """Return the lowest CPU time of five runs of a query, in milliseconds."""
    costs = []
    for _ in range(5):
        mark = uuid.uuid4().hex
        question = text.replace("FROM log", f"FROM `{database}`.log")
        client.query(question, parameters=parameters, settings={"log_comment": mark})
        client.command("SYSTEM FLUSH LOGS")
        [[spent]] = client.query(
            "SELECT ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']"
            f" FROM system.query_log WHERE type = 'QueryFinish' AND log_comment = '{mark}'"
        ).result_rows
        costs.append(int(spent) / 1_000)
    return round(min(costs), 1)


def variant(
    client: Client, changes: list[tuple[str, str]], judged: list[tuple[Range, dict[int, Any]]]
) -> dict[str, float]:
    database = "v" + uuid.uuid4().hex[:8]
    writer = Writer(client, build(client, database, changes))
    for sealed, months in judged:
        for month, rows in months.items():
            writer.insert(sealed, month, EncodedBatch(columns_to_send(rows, sealed)))
    client.command("SYSTEM FLUSH LOGS")
    rows = len(judged[0][0].columns)
    spent = client.query(
        "SELECT ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds'] FROM system.query_log"
        " WHERE type = 'QueryFinish' AND query_kind = 'Insert' AND has(tables, {table:String})",
        parameters={"table": f"{database}.events"},
    ).result_columns[0]
    unmerged = cost_ms(client, database, _UNMERGED, {})
    client.command(f"SYSTEM START MERGES `{database}`.events")
    before = time.perf_counter()
    client.command(f"OPTIMIZE TABLE `{database}`.events FINAL")
    merged = time.perf_counter() - before
    size, total = client.query(
        "SELECT sum(bytes_on_disk), sum(rows) FROM system.parts"
        " WHERE active AND database = {d:String} AND table = 'events'",
        parameters={"d": database},
    ).result_rows[0]
    found = {
        "insert µs/row": round(min(spent) / rows, 2),
        "median": round(sorted(spent)[len(spent) // 2] / rows, 2),
        "bytes/row": round(size / total, 1),
        "FINAL ms": unmerged,
        "merge s": round(merged, 2),
    }
    event_id = client.command(f"SELECT any(event_id) FROM `{database}`.events WHERE tenant_id = 'tenant-007'")
    for name, text in QUESTIONS.items():
        found[f"{name} ms"] = cost_ms(client, database, text, {"id": str(event_id)})
    client.command(f"DROP DATABASE `{database}` SYNC")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--rows", type=int, default=25_000)
    parser.add_argument("--only", default="", help="variants whose name holds this, beside the shipped one")
    options = parser.parse_args()
    judged = ranges(options.events, options.rows)
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder:
        engine = EngineProcess(Path(folder))
        client = connect(load(clickhouse_url=engine.url), send_receive_timeout=600)
        for name, changes in VARIANTS.items():
            if options.only in name or not changes:
                print(
                    f"{name:36}"
                    + "  ".join(f"{key}={value}" for key, value in variant(client, changes, judged).items()),
                    flush=True,
                )
        client.close()
        engine.stop()


if __name__ == "__main__":
    main()
