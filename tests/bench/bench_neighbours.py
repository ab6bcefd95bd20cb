"""What one tenant's abuse costs twenty others: p95 of login, emit until visible, and list, by quiet in the same run.

Reported, not asserted, with the peak memory of `serve` and of the worker. KINDS=contract,flood measures these alone.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path

from bench.measured import usage
from neighbours import KINDS, Times, Town

ROUNDS = int(os.environ.get("ROUNDS", "5"))
MEASURED = ("login", "emit", "listed")


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[18] * 1e3


def test_neighbours(kafka: str, registry: str, clickhouse: str, unique: str, tmp_path: Path) -> None:
    town = Town(kafka, registry, clickhouse, unique, tmp_path)
    kinds = os.environ.get("KINDS", ",".join(KINDS)).split(",")
    try:
        town.rounds(1)  # what is done once: contracts, connections
        quiet = town.rounds(ROUNDS)
        _told(town, "quiet", quiet, quiet)
        for kind in kinds:
            with town.abused([kind]):
                _told(town, kind, town.rounds(ROUNDS), quiet)
        if len(kinds) > 1:
            with town.abused(kinds):
                _told(town, "all at once", town.rounds(ROUNDS), quiet)
    finally:
        town.close()


def _told(town: Town, what: str, times: Times, quiet: Times) -> None:
    print(f"\n{what:12}", end="")
    for name in MEASURED:
        now, before = p95(getattr(times, name)), p95(getattr(quiet, name))
        print(f" | {name} p95 {now:7.0f} ms, {now / before:5.1f} x", end="")
    serve, worker = usage(town.serve.process.pid).peak_mb, usage(town.worker.process.pid).peak_mb
    print(f" | peak serve {serve:,.0f} MB, worker {worker:,.0f} MB | refused {len(times.refused)}", end="")
    for one in [*times.refused[:3], *town.halted]:
        print(f"\n    {one}", end="")
