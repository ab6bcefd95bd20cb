"""Runs the simulation for many seeds. Prints progress and minimal traces of failures, and writes a report.

PYTHONPATH=tests/support:tests/simulation python -m simulator.long_run --seed 0 --schedules 200000    (`make simulate`)

With `--state FILE`, progress is saved there, and the next run resumes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.schedule import Plan, Schedule
from simulator.shrink import broken, shrink

ROOT = Path(__file__).parents[3]
REPORT = ROOT / "build" / "simulation-report.md"
CHUNK = 50
FAULTS = ("killed", "frozen", "expelled, a zombie", "revoked", "drained")
DOING = ("idle", "holding", "intent", "write", "writing, insert sent", "publish", "complete", "rebuilding")


@dataclass
class Totals:
    """The combined results of some schedules."""

    schedules: int = 0
    failed: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Totals) -> None:
        self.schedules += other.schedules
        self.failed += other.failed
        self.counts += other.counts
        self.struck += other.struck

    def dump(self) -> dict[str, Any]:
        struck = [[*at, count] for at, count in self.struck.items()]
        return {"schedules": self.schedules, "failed": self.failed, "counts": dict(self.counts), "struck": struck}

    @classmethod
    def load(cls, saved: dict[str, Any]) -> Totals:
        struck = Counter({(fault, doing): count for fault, doing, count in saved["struck"]})
        return cls(saved["schedules"], saved["failed"], Counter(saved["counts"]), struck)


@dataclass
class Run:
    """A run and its progress. The first `totals.schedules` seeds are done, and took `seconds`."""

    first: int
    wanted: int
    processes: int
    totals: Totals = field(default_factory=Totals)
    seconds: float = 0.0
    commits: list[str] = field(default_factory=list)

    @classmethod
    def resume(cls, first: int, wanted: int, processes: int, state: Path | None) -> Run:
        """Load the run with the same arguments from the state file, or return a new one."""
        run = cls(first, wanted, processes)
        if state is not None and state.exists():
            saved = json.loads(state.read_text())
            if (saved["first"], saved["wanted"]) == (first, wanted):
                run.totals, run.seconds, run.commits = Totals.load(saved["totals"]), saved["seconds"], saved["commits"]
        if (commit := _commit()) not in run.commits:
            run.commits.append(commit)
        return run

    def save(self, state: Path) -> None:
        run = {name: getattr(self, name) for name in ("first", "wanted", "seconds", "commits")}
        new = state.with_suffix(".new")
        new.write_text(json.dumps(run | {"totals": self.totals.dump()}))
        new.replace(state)

    @property
    def rate(self) -> float:
        return self.totals.schedules / self.seconds

    def __str__(self) -> str:
        done, left = self.totals.schedules, (self.wanted - self.totals.schedules) / self.rate
        failed = len(self.totals.failed)
        return f"{done:>9,} of {self.wanted:,}, {failed} failed, {self.rate:,.0f} a second, {left:,.0f} s left"


def plan(seed: int) -> Plan:
    """Return the plan for a seed, which is the same as in the tests."""
    return Plan(seed=seed, partitions=1 + seed % 3)


def chunk(seeds: range) -> Totals:
    """Run the schedules for these seeds, and return their combined results."""
    totals = Totals()
    for seed in seeds:
        schedule = Schedule(plan(seed))
        totals.schedules += 1
        try:
            schedule.run()
        except AssertionError:  # Broken, or an assertion of the core
            totals.failed.append(seed)
        world = schedule.world
        totals.struck += world.struck
        totals.counts["messages"] += sum(map(len, world.kafka.logs.values()))
        totals.counts["rows stored"] += len(world.clickhouse.rows)
        totals.counts["dead letters"] += len(world.dead_letters)
        totals.counts["workers"] += schedule.born
        totals.counts.update(world.events)
    return totals


def chunks(first: int, count: int) -> Iterator[range]:
    for begin in range(first, first + count, CHUNK):
        yield range(begin, min(begin + CHUNK, first + count))


def report(run: Run) -> str:
    totals = run.totals
    rows = "".join(f"| {name} | {count:,} |\n" for name, count in sorted(totals.counts.items()))
    lines = "".join(
        f"| {fault} | {' | '.join(f'{totals.struck[fault, doing]:,}' for doing in DOING)} |\n" for fault in FAULTS
    )
    stopped = "" if totals.schedules == run.wanted else f" It was stopped before {run.wanted:,} schedules."
    outcome = "all kept the promise" if not totals.failed else f"**{len(totals.failed)} broke the promise**"
    command = f"make simulate SEED={run.first} SCHEDULES={run.wanted}"
    processes = f"{run.processes} process{'es' if run.processes > 1 else ''}"
    return f"""# Simulation report

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}, at commit {", ".join(run.commits)};
[what is simulated and why](../docs/internals/exactly-once.md).

**{totals.schedules:,} schedules**, seeds {run.first:,} to {run.first + totals.schedules - 1:,}: {outcome}.
{run.seconds:,.0f} s of wall clock with {processes}, {run.rate:,.0f} schedules per second.{stopped}

Checked after each schedule: each valid offset is stored once, and each rejected one dead-lettered at least once; one
whose verdict flipped is either; nothing else is stored; no partition is halted or stuck.

| total of all schedules | |
| --- | ---: |
{rows}
State of a partition when a fault struck its worker, in partitions:

| fault | {" | ".join(DOING)} |
| --- |{" ---: |" * len(DOING)}
{lines}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--schedules", type=int, default=200_000, help="number of schedules")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--state", type=Path, help="file to save progress to, and to resume from")
    options = parser.parse_args()
    # Like Ctrl-C, this ends with a report on the schedules run so far.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    run = Run.resume(options.seed, options.schedules, options.processes, options.state)
    done = run.totals.schedules
    began, earlier, printed_at = time.monotonic(), run.seconds, 0.0
    context = multiprocessing.get_context("fork")
    with context.Pool(options.processes, initializer=_only_the_parent_is_interrupted) as pool:
        try:
            for totals in pool.imap(chunk, chunks(options.seed + done, options.schedules - done)):
                run.totals.add(totals)
                run.seconds = earlier + time.monotonic() - began
                if time.monotonic() - printed_at >= 10 or run.totals.schedules == options.schedules:
                    printed_at = time.monotonic()
                    print(run, flush=True)
                    if options.state:
                        run.save(options.state)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        pool.terminate()
    if run.totals.schedules:
        options.report.parent.mkdir(parents=True, exist_ok=True)
        options.report.write_text(report(run))
        print(f"report: {options.report}")
    for seed in sorted(run.totals.failed)[:3]:
        _explain(seed)
    return 1 if run.totals.failed or not run.totals.schedules else 0


def _commit() -> str:
    """Return the commit under test, marked if the work tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()


def _explain(seed: int) -> None:
    if broken(plan(seed)) is None:
        print(f"\nseed {seed}: an assertion of the core failed; reproduce it with SEED={seed} SCHEDULES=1")
        return
    small, why = shrink(plan(seed))
    print(
        f"\nMinimal trace, {len(small.only or ())} of {small.steps} steps: Plan(seed={seed}, only={small.only})\n{why}"
    )


def _only_the_parent_is_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)  # keeps the machine usable


if __name__ == "__main__":
    sys.exit(main())
