"""What a run of faults found, as Markdown."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from chaos.pipeline import INSERT_TIMEOUT_S, PARTITIONS, RATE, REFUSED, Counts

_HEAD = """\
# Faults on real parts

**{faults} faults in {rounds} rounds: {survived} survived, {lost} messages lost, {doubled} stored twice.**

Written by `make chaos`; do not edit. What is tested is explained in [exactly-once.md](exactly-once.md).

- Command: `make chaos FAULTS={wanted} SEED={seed}`, of commit {commits}. The seed decides the faults, not when they
  meet what.
- Machine: {machine}; {minutes:.1f} minutes, with other programs running besides.
- Pipeline: one Apache Kafka broker or three, a registry and the embedded ClickHouse engine, each a process of its own;
  1 to 4 workers; {partitions} partitions, {rate} messages a second over 20 tenants and two months, {refused:.0%} to be
  refused; session timeout 1 s, insert timeout {timeout:g} s. Workers reach Kafka and ClickHouse through proxies.

A round injects waves of up to five faults at once under load, those that came least often so far, bringing back what
was killed. Then it stops the load, waits until the group has committed the end of every partition with nothing pending,
and counts: raw `count()` = `uniqExact(event_id)` = events that Kafka acknowledged, without `FINAL`, and every refused
message is among the dead letters. No part is merged before it was counted: a table setting forbids it, and the parts'
levels are checked. Now and then parts that were counted are merged, so that their number stays bearable. A fault that
did not come about in seven seconds (a worker that never got to its failpoint) is not counted. Where a topic is
truncated, the partition must halt and say so; its lost messages are then accepted by hand, and no longer expected.

"""

_COLUMNS = (
    "pipeline",
    "brokers",
    "faults",
    "rounds",
    "minutes",
    "events acknowledged by Kafka",
    "rows, raw",
    "distinct events",
    "to refuse",
    "without a dead letter",
    "dead letters",
)


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
class Part:
    """What one pipeline went through; its seed decides the faults."""

    seed: int
    nodes: int
    rounds: list[Round] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        return sum(len(one.happened) for one in self.rounds)

    @property
    def last(self) -> Counts | None:
        return next((one.counts for one in reversed(self.rounds) if one.counts), None)


@dataclass
class Run:
    seed: int
    wanted: int
    parts: list[Part] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    until: float = 0.0

    @classmethod
    def begun(cls, seed: int, wanted: int, state: Path | None) -> Run:
        """A new one, or what the file says of this seed."""
        run = cls(seed, wanted)
        if state is not None and state.exists():
            told = json.loads(state.read_text())
            if told["seed"] == seed:
                run.commits = told["commits"]
                run.parts = [
                    Part(part["seed"], part["nodes"], [_round(one) for one in part["rounds"]], part["seconds"])
                    for part in told["parts"]
                ]
        if (commit := commit_of(Path(__file__).parent)) not in run.commits:
            run.commits.append(commit)
        return run

    def save(self, state: Path) -> None:
        told = {"seed": self.seed, "commits": self.commits, "parts": [asdict(one) for one in self.parts]}
        whole = state.with_suffix(".new")
        whole.write_text(json.dumps(told))
        whole.replace(state)

    @property
    def rounds(self) -> list[Round]:
        return [one for part in self.parts for one in part.rounds]

    @property
    def seconds(self) -> float:
        return sum(one.seconds for one in self.parts)

    @property
    def faults(self) -> int:
        return sum(one.faults for one in self.parts)

    @property
    def survived(self) -> bool:
        return all(one.survived for one in self.rounds)

    @property
    def going(self) -> bool:
        """Whether to go on: what follows a round that was not survived would only tell of that one."""
        return self.survived and time.monotonic() < self.until

    def tally(self, now: Round) -> Counter[str]:
        """How often each kind came; half, where it did not come about."""
        counted: Counter[str] = Counter()
        for one in [*self.rounds, now] if now not in self.rounds else self.rounds:
            counted.update(dict.fromkeys(one.missed, 0.5))  # type: ignore[arg-type]
            counted.update(one.happened)
        return counted


def _round(told: dict[str, Any]) -> Round:
    counts = told.pop("counts")
    return Round(**told, counts=Counts(**counts) if counts else None)


def commit_of(folder: Path) -> str:
    """The commit that is run, marked when the files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


def write(run: Run, path: Path) -> None:
    """Write the report as it stands."""
    kinds = Counter(kind for one in run.rounds for kind in one.happened)
    survived = Counter(kind for one in run.rounds if one.survived for kind in one.happened)
    missed = Counter(kind for one in run.rounds for kind in one.missed)
    lasts = [one.last for one in run.parts if one.last]
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, {platform.system()}"
    lines = [
        _HEAD.format(
            faults=run.faults,
            rounds=len(run.rounds),
            survived=survived.total(),
            lost=sum(one.lost for one in lasts),
            doubled=sum(one.doubled for one in lasts),
            wanted=run.wanted,
            seed=run.seed,
            commits=", ".join(run.commits),
            machine=f"{machine}, Python {platform.python_version()}",
            minutes=run.seconds / 60,
            partitions=PARTITIONS,
            rate=RATE,
            refused=REFUSED,
            timeout=INSERT_TIMEOUT_S,
        ),
        f"| {' | '.join(_COLUMNS)} |",
        f"|{'---:|' * len(_COLUMNS)}",
        *(_part(number, one) for number, one in enumerate(run.parts, 1)),
        "",
        "| fault | injected | survived | did not come about |",
        "|---|---:|---:|---:|",
        *(f"| {one} | {kinds[one]} | {survived[one]} | {missed[one]} |" for one in sorted(kinds.keys() | missed)),
        "",
        "## Pauses",
        "",
        _pauses([pause for one in run.rounds for pause in one.pauses_s]),
    ]
    failed = [one for one in run.rounds if not one.survived]
    if failed:
        lines += ["", "## Not survived", "", *(f"- {one}" for one in failed)]
    path.write_text("\n".join(lines) + "\n")


def _part(number: int, part: Part) -> str:
    counts = part.last
    told = [number, part.nodes, part.faults, len(part.rounds), f"{part.seconds / 60:.1f}"]
    if counts:
        told += [
            f"{one:,}"
            for one in (
                counts.expected,
                counts.rows,
                counts.events,
                counts.refused,
                counts.missing_letters,
                counts.letters,
            )
        ]
    return f"| {' | '.join(map(str, told))} |"


def _pauses(pauses: list[float]) -> str:
    if not pauses:
        return "The run did not scale the workers."
    each = ", ".join(f"{one:.1f}" for one in sorted(pauses))
    return (
        "Scaling 1 → 3 → 1 under load: the longest time in which some partition was not consumed, in seconds, of each "
        f"time that it was done: {each}. Ranges are sealed every 0.2 s, so that is the least that can be seen."
    )
