"""The long simulation: many seeds, progress, a minimal trace of what fails, and a report.

PYTHONPATH=tests/support:tests/simulation python -m simulator.long_run --seed 0 --schedules 200000    (`make simulate`)

With `--state FILE` what is done is kept there: started again, it goes on.
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

REPORT = Path(__file__).parents[3] / "docs" / "internals" / "simulation-report.md"
CHUNK = 50
FAULTS = ("killed", "frozen", "expelled, a zombie", "revoked", "drained")
DOING = ("idle", "holding", "intent", "write", "writing, insert sent", "publish", "complete", "rebuilding")


@dataclass
class Tally:
    """What a number of schedules came to."""

    schedules: int = 0
    failed: list[int] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, other: Tally) -> None:
        self.schedules += other.schedules
        self.failed += other.failed
        self.counts += other.counts
        self.struck += other.struck

    def dump(self) -> dict[str, Any]:
        struck = [[*at, count] for at, count in self.struck.items()]
        return {"schedules": self.schedules, "failed": self.failed, "counts": dict(self.counts), "struck": struck}

    @classmethod
    def load(cls, told: dict[str, Any]) -> Tally:
        struck = Counter({(fault, doing): count for fault, doing, count in told["struck"]})
        return cls(told["schedules"], told["failed"], Counter(told["counts"]), struck)


@dataclass
class Run:
    """What was asked for and what is done: the first `tally.schedules` seeds, in `seconds`."""

    first: int
    wanted: int
    processes: int
    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    commits: list[str] = field(default_factory=list)

    @classmethod
    def begun(cls, first: int, wanted: int, processes: int, state: Path | None) -> Run:
        """A new one, or what the file says of the same."""
        run = cls(first, wanted, processes)
        if state is not None and state.exists():
            told = json.loads(state.read_text())
            if (told["first"], told["wanted"]) == (first, wanted):
                run.tally, run.seconds, run.commits = Tally.load(told["tally"]), told["seconds"], told["commits"]
        if (commit := _commit()) not in run.commits:
            run.commits.append(commit)
        return run

    def save(self, state: Path) -> None:
        told = {name: getattr(self, name) for name in ("first", "wanted", "seconds", "commits")}
        whole = state.with_suffix(".new")
        whole.write_text(json.dumps(told | {"tally": self.tally.dump()}))
        whole.replace(state)

    @property
    def rate(self) -> float:
        return self.tally.schedules / self.seconds

    def __str__(self) -> str:
        done, left = self.tally.schedules, (self.wanted - self.tally.schedules) / self.rate
        failed = len(self.tally.failed)
        return f"{done:>9,} of {self.wanted:,}, {failed} failed, {self.rate:,.0f} a second, {left:,.0f} s left"


def plan(seed: int) -> Plan:
    """The schedule of a seed, the same in the tests and here."""
    return Plan(seed=seed, partitions=1 + seed % 3)


def chunk(seeds: range) -> Tally:
    """Run these seeds."""
    tally = Tally()
    for seed in seeds:
        schedule = Schedule(plan(seed))
        tally.schedules += 1
        try:
            schedule.run()
        except AssertionError:  # Broken, or the core's own
            tally.failed.append(seed)
        world = schedule.world
        tally.struck += world.struck
        tally.counts["messages"] += sum(map(len, world.kafka.logs.values()))
        tally.counts["rows stored"] += len(world.clickhouse.rows)
        tally.counts["dead letters"] += len(world.letters)
        tally.counts["workers"] += schedule.born
        tally.counts.update(world.events)
    return tally


def chunks(first: int, count: int) -> Iterator[range]:
    for begin in range(first, first + count, CHUNK):
        yield range(begin, min(begin + CHUNK, first + count))


def report(run: Run) -> str:
    """The page, as Markdown."""
    tally = run.tally
    rows = "".join(f"| {name} | {count:,} |\n" for name, count in sorted(tally.counts.items()))
    lines = "".join(
        f"| {fault} | {' | '.join(f'{tally.struck[fault, doing]:,}' for doing in DOING)} |\n" for fault in FAULTS
    )
    cut = "" if tally.schedules == run.wanted else f" It was stopped before the {run.wanted:,} that were asked for."
    verdict = "every one kept the promise" if not tally.failed else f"**{len(tally.failed)} broke the promise**"
    command = f"make simulate SEED={run.first} SCHEDULES={run.wanted}"
    over = f"{run.processes} process{'es' if run.processes > 1 else ''}"
    took = f"{run.seconds:,.0f} s of wall clock on {over}, {run.rate:,.0f} a second beside other programs"
    return f"""# Simulation report

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}, of commit {", ".join(run.commits)};
[what is simulated and why](exactly-once.md).

**{tally.schedules:,} schedules**, seeds {run.first:,} to {run.first + tally.schedules - 1:,}: {verdict}.
{took[0].upper()}{took[1:]}.{cut}

After each schedule: each admissible offset is stored once, each refused one is buried at least once, one on which the
verdict turned is either, nothing else is stored, no partition halts or stands still.

| over all schedules | |
| --- | ---: |
{rows}
What a partition was doing when a fault struck its worker, counted by partition:

| fault | {" | ".join(DOING)} |
| --- |{" ---: |" * len(DOING)}
{lines}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--schedules", type=int, default=200_000, help="how many")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--report", type=Path, default=REPORT)
    parser.add_argument("--state", type=Path, help="keep what is done here, and go on from there")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with a report of what was run
    run = Run.begun(asked.seed, asked.schedules, asked.processes, asked.state)
    done = run.tally.schedules
    began, earlier, told = time.monotonic(), run.seconds, 0.0
    context = multiprocessing.get_context("fork")
    with context.Pool(asked.processes, initializer=_only_the_parent_is_interrupted) as pool:
        try:
            for one in pool.imap(chunk, chunks(asked.seed + done, asked.schedules - done)):
                run.tally.add(one)
                run.seconds = earlier + time.monotonic() - began
                if time.monotonic() - told >= 10 or run.tally.schedules == asked.schedules:
                    told = time.monotonic()
                    print(run, flush=True)
                    if asked.state:
                        run.save(asked.state)
        except KeyboardInterrupt:
            print("stopped", flush=True)
        pool.terminate()
    if run.tally.schedules:
        asked.report.write_text(report(run))
    for seed in sorted(run.tally.failed)[:3]:
        _explain(seed)
    return 1 if run.tally.failed or not run.tally.schedules else 0


def _commit() -> str:
    """The commit that is run, marked when the files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(command, cwd=REPORT.parent, capture_output=True, text=True, check=False).stdout.strip()


def _explain(seed: int) -> None:
    if broken(plan(seed)) is None:
        print(f"\nseed {seed}: the core's own assertion failed; run it alone: SEED={seed} SCHEDULES=1")
        return
    small, why = shrink(plan(seed))
    print(
        f"\nMinimal trace, {len(small.only or ())} of {small.steps} steps: Plan(seed={seed}, only={small.only})\n{why}"
    )


def _only_the_parent_is_interrupted() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.nice(5)  # a machine that does something else as well stays usable


if __name__ == "__main__":
    sys.exit(main())
