"""Measures the cost of syncing every insert to disk before it is acknowledged: `python tests/bench/bench_fsync.py`.

The worker's statement inserts the same ranges alternately into two tables. One of them syncs its parts to disk
(`fsync_after_insert`, `fsync_part_directory`). The benchmark prints the mean CPU time and duration of an insert in each
pass, according to ClickHouse, and the share of time that inserts take at the worker's part budget.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import uuid
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from bench_guard import STEP_MS, Table, later
from bench_table import ranges
from fixtures.clickhouse import EngineProcess

from auditlane.runtime.settings import load
from auditlane.store.client import connect

SETTINGS = ("fsync_after_insert", "fsync_part_directory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ranges", type=int, default=20)
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    judged = ranges(options.ranges * options.rows, options.rows)
    budget = load().insert_parts_per_second
    with tempfile.TemporaryDirectory(prefix="auditlane-bench-") as folder:
        engine = EngineProcess(Path(folder))
        client = connect(load(clickhouse_url=engine.url), send_receive_timeout=600)
        synced, lazy = Table(client, guarded=True), Table(client, guarded=True)
        for table, on in ((synced, 1), (lazy, 0)):
            changes = ", ".join(f"{name} = {on}" for name in SETTINGS)
            client.command(f"ALTER TABLE `{table.name}`.events MODIFY SETTING {changes}")
        for number in range(options.passes):
            mark, topic_id = uuid.uuid4().hex, str(uuid.uuid4())
            took = {synced: 0.0, lazy: 0.0}
            for turn, (sealed, months) in enumerate(judged):
                mine, months = later(replace(sealed, topic_id=topic_id), months, number * options.ranges * STEP_MS)
                for table in (synced, lazy) if turn % 2 else (lazy, synced):
                    began = time.perf_counter()
                    for month, rows in months.items():
                        table.insert(mine, month, rows, mark)
                    took[table] += (time.perf_counter() - began) / options.ranges
            cpu, lazy_cpu = synced.spent(mark)[0], lazy.spent(mark)[0]
            shares = [f"{one * budget:.0%}" for one in took.values()]
            print(
                f"{options.rows:,} rows: CPU {cpu:.0f} ms synced, {lazy_cpu:.0f} not ({cpu / lazy_cpu - 1:+.1%});"
                f" {took[synced] * 1e3:.0f} ms, {took[lazy] * 1e3:.0f} ({took[synced] / took[lazy] - 1:+.1%});"
                f" at {budget:g} inserts a second {' and '.join(shares)} of the time",
                flush=True,
            )
        client.close()
        engine.stop()


if __name__ == "__main__":
    main()
