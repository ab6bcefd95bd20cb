"""What a run of faults found, as Markdown."""

from __future__ import annotations

import os
import platform
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from chaos.pipeline import INSERT_TIMEOUT_S, PARTITIONS, RATE, REFUSED, Counts

_HEAD = """\
# Faults on real parts

**{faults} faults in {rounds} rounds: {survived} survived, {lost} messages lost, {doubled} stored twice.**

Written by `make chaos`; do not edit. What is tested is explained in [exactly-once.md](exactly-once.md).

- Command: `PYTHONPATH=tests python -m chaos --faults {wanted} --seed {seed} --report FILE`. The seed decides the
  faults, not when they meet what.
- Machine: {machine}; {minutes:.1f} minutes, with other programs running besides.
- Pipeline: an Apache Kafka broker, a registry and the embedded ClickHouse engine, each a process of its own; 1 to 4
  workers; {partitions} partitions, {rate} messages a second over 20 tenants and two months, {refused:.0%} of them to be
  refused; session timeout 1 s, insert timeout {timeout:g} s. Workers reach Kafka and ClickHouse through proxies.

A round injects waves of up to five faults at once under load, bringing back what was killed; then it stops the load and
waits until the group has committed the end of every partition with nothing pending, and counts: raw `count()` =
`uniqExact(event_id)` =
events that Kafka acknowledged, without `FINAL`, and every refused message is among the dead letters. No part is merged
before it was counted: a table setting forbids it, and the parts' levels are checked. Now and then parts that were
counted are merged, so that their number stays bearable. A fault that did not come about (a worker that never got to its
failpoint) is not counted.

"""


@dataclass
class Round:
    """The faults that `happened` and those that did not come about; what was counted then, unless it got `stuck`.
    `scaled`: when workers were scaled (Unix, ms), and `pauses_s` the longest pause of each."""

    happened: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    counts: Counts | None = None
    scaled: list[tuple[int, int]] = field(default_factory=list)
    pauses_s: list[float] = field(default_factory=list)
    stuck: str = ""

    @property
    def survived(self) -> bool:
        return self.counts is not None and self.counts.exact

    def __str__(self) -> str:
        counts = self.counts
        told = f"{counts.rows}/{counts.events}/{counts.expected} rows" if counts else f"STUCK: {self.stuck}"
        pause = "".join(f", pause {one:.1f} s" for one in self.pauses_s)
        verdict = "" if self.survived else f"  NOT SURVIVED {counts}"
        missed = f" (did not come about: {'; '.join(self.missed)})" if self.missed else ""
        return f"{told}{pause}: {'; '.join(self.happened)}{missed}{verdict}"


@dataclass
class Run:
    seed: int
    wanted: int
    rounds: list[Round] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    @property
    def faults(self) -> int:
        return sum(len(one.happened) for one in self.rounds)

    @property
    def survived(self) -> bool:
        return all(one.survived for one in self.rounds)


def write(run: Run, path: Path) -> None:
    """Write the report as it stands."""
    kinds = Counter(kind for one in run.rounds for kind in one.happened)
    survived = Counter(kind for one in run.rounds if one.survived for kind in one.happened)
    counted = [one.counts for one in run.rounds if one.counts]
    last = counted[-1] if counted else None
    pauses = [pause for one in run.rounds for pause in one.pauses_s]
    lost, doubled = (last.lost, last.doubled) if last else (0, 0)
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, {platform.system()}"
    lines = [
        _HEAD.format(
            faults=run.faults,
            rounds=len(run.rounds),
            survived=survived.total(),
            lost=lost,
            doubled=doubled,
            wanted=run.wanted,
            seed=run.seed,
            machine=f"{machine}, Python {platform.python_version()}",
            minutes=run.seconds / 60,
            partitions=PARTITIONS,
            rate=RATE,
            refused=REFUSED,
            timeout=INSERT_TIMEOUT_S,
        ),
        "| at the end | |",
        "|---|---:|",
        *(f"| {what} | {number:,} |" for what, number in (_end(last) if last else [])),
        "",
        "| fault | injected | survived |",
        "|---|---:|---:|",
        *(f"| {kind} | {count} | {survived[kind]} |" for kind, count in sorted(kinds.items())),
        "",
        "## Pauses",
        "",
        _pauses(pauses),
    ]
    failed = [one for one in run.rounds if not one.survived]
    if failed:
        lines += ["", "## Not survived", "", *(f"- {one}" for one in failed)]
    path.write_text("\n".join(lines) + "\n")


def _end(last: Counts) -> list[tuple[str, int]]:
    return [
        ("events acknowledged by Kafka", last.expected),
        ("rows, raw", last.rows),
        ("distinct events", last.events),
        ("messages to refuse", last.refused),
        ("of which without a dead letter", last.missing_letters),
        ("dead letters (at least once)", last.letters),
    ]


def _pauses(pauses: list[float]) -> str:
    if not pauses:
        return "The run did not scale the workers."
    each = ", ".join(f"{one:.1f}" for one in sorted(pauses))
    return (
        "Scaling 1 → 3 → 1 under load: the longest time in which some partition was not consumed, in seconds, of each "
        f"time that it was done: {each}. Ranges are sealed every 0.2 s, so that is the least that can be seen."
    )
