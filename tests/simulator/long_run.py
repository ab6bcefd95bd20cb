"""The long simulation: many seeds over two processes, progress, a minimal trace of what fails, and a report.

PYTHONPATH=tests python -m simulator.long_run --seed 0 --schedules 200000    (`make simulate`)
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from simulator.schedule import Plan, Schedule
from simulator.shrink import broken, shrink

REPORT = Path(__file__).parents[2] / "docs" / "internals" / "simulation-report.md"
CHUNK = 50
FAULTS = ("killed", "frozen", "expelled, a zombie", "revoked", "drained")
DOING = ("idle", "holding", "intent", "write", "writing, insert sent", "bury", "complete", "rebuilding")


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


def report(tally: Tally, first: int, wanted: int, seconds: float, processes: int) -> str:
    """The page, as Markdown."""
    rows = "".join(f"| {name} | {count:,} |\n" for name, count in sorted(tally.counts.items()))
    lines = "".join(
        f"| {fault} | {' | '.join(f'{tally.struck[fault, doing]:,}' for doing in DOING)} |\n" for fault in FAULTS
    )
    cut = "" if tally.schedules == wanted else f" It was stopped before the {wanted:,} that were asked for."
    verdict = "every one kept the promise" if not tally.failed else f"**{len(tally.failed)} broke the promise**"
    command = f"make simulate SEED={first} SCHEDULES={wanted}"
    took = f"{seconds:,.0f} s of wall clock on {processes} processes"
    return f"""# Simulation report

Written by `{command}` on {datetime.now(UTC):%Y-%m-%d}; [what is simulated and why](exactly-once.md).

**{tally.schedules:,} schedules** from seed {first} on, {verdict}, in {took}.{cut}

After each schedule: each admissible offset is stored once, each refused one is buried at least once, nothing else
is stored, no partition halts or stands still.

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
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does: with a report of what was run
    tally, began, told = Tally(), time.monotonic(), 0.0
    context = multiprocessing.get_context("fork")
    with context.Pool(asked.processes, initializer=_only_the_parent_is_interrupted) as pool:
        try:
            for one in pool.imap_unordered(chunk, chunks(asked.seed, asked.schedules)):
                tally.add(one)
                seconds = time.monotonic() - began
                if seconds - told >= 10 or tally.schedules == asked.schedules:
                    told = seconds
                    rate = tally.schedules / seconds
                    left = (asked.schedules - tally.schedules) / rate
                    print(
                        f"{tally.schedules:>9,} of {asked.schedules:,}, {len(tally.failed)} failed, "
                        f"{rate:,.0f} a second, {left:,.0f} s left",
                        flush=True,
                    )
        except KeyboardInterrupt:
            print("stopped", flush=True)
        pool.terminate()
    asked.report.write_text(report(tally, asked.seed, asked.schedules, time.monotonic() - began, asked.processes))
    for seed in sorted(tally.failed)[:3]:
        _explain(seed)
    return 1 if tally.failed or not tally.schedules else 0


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
