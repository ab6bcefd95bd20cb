"""Compares reading from a table by month and one by day: `python tests/bench/bench_partitions.py [--days 365]
[--rows 5000] [--repeats 9]`.

Both tables hold the same events of one tenant. Each partition is one part, except the newest, which has twenty. For
each statement, the benchmark prints the least CPU time, and the parts and rows read, according to ClickHouse's query
log. The statements alternate between the tables.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess

from auditlane.runtime.settings import load
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.store.partitioning import Partitioning

OPEN_PARTS = 20
ROWS = """INSERT INTO {database}.events (tenant_id, occurred_at, event_id, action, actor_id, actor_type, resource,
    outcome, severity, source, schema_id, ingested_at, kafka_topic, kafka_topic_id, kafka_partition, kafka_offset,
    kafka_timestamp)
SELECT 't', toDateTime64('2025-01-01', 6, 'UTC') + toIntervalSecond(number * 86400 / {rows}), generateUUIDv4(),
    concat('action', toString(number % 30)), concat('actor', toString(cityHash64(number) % 10000)), 'user', 'file',
    'success', 'Info', 'bench', 1, now64(3), 'topic', toUUID('00000000-0000-0000-0000-000000000001'), 0, number,
    now64(3)
FROM numbers({first}, {count})"""
STATEMENTS = {
    "newest 50 events": "SELECT * FROM {database}.events WHERE tenant_id = 't' ORDER BY occurred_at DESC LIMIT 50",
    "events of a day": "SELECT count() FROM {database}.log WHERE toDate(occurred_at) = '2025-01-20'",
    "one actor, all days": "SELECT count() FROM {database}.log WHERE tenant_id = 't' AND actor_id = 'actor77'",
    "actions, all days": "SELECT action, count() FROM {database}.log WHERE tenant_id = 't' GROUP BY action",
}


def filled(client: Client, partitioning: Partitioning, days: int, rows: int) -> str:
    """Create and fill a table. Returns its database."""
    database = "p" + uuid.uuid4().hex[:8]
    migrate(client, database, partitioning)
    limit = {"max_partitions_per_insert_block": 0}
    client.command(ROWS.format(database=database, rows=rows, first=0, count=(days - 1) * rows), settings=limit)
    client.command(f"OPTIMIZE TABLE {database}.events FINAL", settings={"mutations_sync": 2})
    client.command(f"SYSTEM STOP MERGES {database}.events")
    for number in range(OPEN_PARTS):
        count = rows // OPEN_PARTS
        first = (days - 1) * rows + number * count
        client.command(ROWS.format(database=database, rows=rows, first=first, count=count))
    return database


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--rows", type=int, default=5_000, help="Events per day.")
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder:
        engine = EngineProcess(Path(folder))
        client = connect(load(clickhouse_url=engine.url), send_receive_timeout=600)
        databases = {one: filled(client, one, options.days, options.rows) for one in Partitioning}
        marks = {(name, one): uuid.uuid4().hex for name in STATEMENTS for one in Partitioning}
        for _ in range(options.repeats):
            for (name, one), mark in marks.items():
                client.query(STATEMENTS[name].format(database=databases[one]), settings={"log_comment": mark})
        client.command("SYSTEM FLUSH LOGS")
        for (name, one), mark in marks.items():
            [(cpu, parts, read)] = client.query(
                "SELECT min(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000,"
                " max(ProfileEvents['SelectedParts']), max(read_rows) FROM system.query_log"
                " WHERE type = 'QueryFinish' AND log_comment = {mark:String}",
                parameters={"mark": mark},
            ).result_rows
            print(f"{name:20}  by {one:5}  {cpu:7.1f} ms CPU  {parts:4} parts  {read:10,} rows", flush=True)
        client.close()
        engine.stop()


if __name__ == "__main__":
    main()
