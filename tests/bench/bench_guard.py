"""Measures the cost of the guard inside every insert: `python tests/bench/bench_guard.py [--ranges 20] [--rows 50000]
…`.

The same ranges are inserted alternately into two tables: with the worker's statement, and with the same statement
without the guard. Each pass uses a different topic and later times, so the tables grow as they do in production, and
merges run as well. For each pass, the benchmark prints the number of rows stored before it, and the mean CPU time and
duration of an insert, according to ClickHouse's query log.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from bench_table import ranges
from clickhouse_connect.driver.client import Client
from fixtures.clickhouse import EngineProcess

from auditlane.contract.message_columns import Columns
from auditlane.runtime._pyarrow import pa, pc
from auditlane.runtime.settings import load
from auditlane.store import event_insert, preflight
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

STEP_MS = 500  # interval between consecutive `ranges`
_GUARD = re.compile(r" WHERE \(SELECT uniqExact.*\) = 0(?= FORMAT)", re.DOTALL)


def later(sealed: Range, months: dict[int, Any], by_ms: int) -> tuple[Range, dict[int, Any]]:
    """Return copies of the messages that are `by_ms` milliseconds later."""
    old = sealed.columns
    columns = Columns(old.offsets, [at + by_ms for at in old.timestamps_ms], old.keys, old.values)
    moved = {}
    for month, rows in months.items():
        for name in ("occurred_at", "kafka_timestamp"):
            kind = rows.schema.field(name).type
            times = pc.add(rows[name], pa.scalar(by_ms, pa.duration("ms"))).cast(kind)
            rows = rows.set_column(rows.schema.get_field_index(name), name, times)
        moved[month] = rows
    return replace(sealed, columns=columns), moved


class Table:
    """A separate table. `guarded` selects the statement that inserts into it."""

    def __init__(self, client: Client, *, guarded: bool) -> None:
        self.name, self._client, self._guarded = "g" + uuid.uuid4().hex[:8], client, guarded
        migrate(client, self.name)
        self._table = preflight.check(client, self.name, EVENTS.names, parts_per_second=4)

    def insert(self, sealed: Range, month: int, rows: Any, mark: str) -> None:
        text, found = event_insert.statement(self._table, sealed, month, expected_rows=0), 0
        if not self._guarded:
            text, found = _GUARD.subn("", text)
            assert found == 1, text
        settings = {**self._table.settings, "insert_deduplication_token": uuid.uuid4().hex, "log_comment": mark}
        event_insert.send(
            self._client, text, event_insert.EncodedBatch(event_insert.columns_to_send(rows, sealed)), settings
        )

    def spent(self, mark: str) -> tuple[float, float]:
        """Return the mean CPU time and duration, in ms, of the inserts with this mark."""
        self._client.command("SYSTEM FLUSH LOGS")
        [row] = self._client.query(
            "SELECT avg(ProfileEvents['UserTimeMicroseconds'] + ProfileEvents['SystemTimeMicroseconds']) / 1000,"
            " avg(query_duration_ms)"
            " FROM system.query_log WHERE type = 'QueryFinish' AND query_kind = 'Insert'"
            " AND log_comment = {mark:String} AND has(tables, {table:String})",
            parameters={"mark": mark, "table": f"{self.name}.events"},
        ).result_rows
        return float(row[0]), float(row[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranges", type=int, default=20)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--passes", type=int, default=5)
    options = parser.parse_args()
    judged = ranges(options.ranges * options.rows, options.rows)
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder:
        engine = EngineProcess(Path(folder))
        client = connect(load(clickhouse_url=engine.url), send_receive_timeout=600)
        with_guard, without = Table(client, guarded=True), Table(client, guarded=False)
        for number in range(options.passes):
            mark, topic_id = uuid.uuid4().hex, str(uuid.uuid4())
            for turn, (sealed, months) in enumerate(judged):
                mine, months = later(replace(sealed, topic_id=topic_id), months, number * options.ranges * STEP_MS)
                for table in (with_guard, without) if turn % 2 else (without, with_guard):
                    for month, rows in months.items():
                        table.insert(mine, month, rows, mark)
            (cpu, took), (bare_cpu, bare_took) = with_guard.spent(mark), without.spent(mark)
            before = number * options.ranges * options.rows
            print(
                f"{before:12,} rows stored before  CPU ms an insert: {cpu:.0f} with the guard,"
                f" {bare_cpu:.0f} without ({cpu / bare_cpu - 1:+.1%})  ms: {took:.0f}, {bare_took:.0f}",
                flush=True,
            )
        client.close()
        engine.stop()


if __name__ == "__main__":
    main()
