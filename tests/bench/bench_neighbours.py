"""Measures how one tenant's abuse affects twenty others.

It measures the p95 of logging in, of the time until an event is visible, and of listing events, relative to a quiet
period in the same run. It also measures the peak memory of `serve` and of the worker. The figures are reported, not
asserted. KINDS=contract,flood measures only those kinds of abuse.
"""

from __future__ import annotations

import os
import statistics
from pathlib import Path

import pytest
from measured import usage
from neighbours import KINDS, Installation, Times

ROUNDS = int(os.environ.get("ROUNDS", "5"))
_ASKED = os.environ.get("KINDS", "").split(",") if os.environ.get("KINDS") else [*KINDS, "all"]
MEASURED = ("login", "emit", "listed")


def p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[18] * 1e3


@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", _ASKED)
def test_neighbours(kind: str, kafka: str, registry: str, clickhouse: str, unique: str, tmp_path: Path) -> None:
    """Run each kind in a separate installation, so that leftovers (jobs, old months) do not affect the next one."""
    installation = Installation(kafka, registry, clickhouse, unique, tmp_path)
    try:
        installation.rounds(1)  # one-time work: contracts, connections
        quiet = installation.rounds(ROUNDS)
        with installation.abused([*KINDS] if kind == "all" else [kind]):
            abused = installation.rounds(ROUNDS)
        _report(installation, kind, abused, quiet)
    finally:
        installation.close()


def _report(installation: Installation, kind: str, times: Times, quiet: Times) -> None:
    print(f"\n{kind:9}", end="")
    for name in MEASURED:
        now, before = p95(getattr(times, name)), p95(getattr(quiet, name))
        print(f" | {name} {before:,.0f} -> {now:,.0f} ms, {now / before:.1f} x", end="")
    serve, worker = usage(installation.serve.process.pid).peak_mb, usage(installation.worker.process.pid).peak_mb
    refused = len(quiet.refused) + len(times.refused)
    print(f" | peak serve {serve:,.0f} MB, worker {worker:,.0f} MB | refused {refused}", end="")
    for problem in [*times.refused[:3], *installation.halted]:
        print(f"\n    {problem}", end="")
