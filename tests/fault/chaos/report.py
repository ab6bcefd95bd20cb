"""The results of a run, and its report in Markdown."""

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

Written by `make chaos`. What is tested is explained in [exactly-once.md](../docs/internals/exactly-once.md).

- Command: `make chaos FAULTS={wanted} SEED={seed}`, at commit {commits}. The seed determines the faults, but not their
  timing.
- Machine: {machine}; {minutes:.1f} minutes, with other programs running.
- Pipeline: one or three Apache Kafka brokers, a registry and the embedded ClickHouse engine, each a separate process;
  1 to 4 workers; {partitions} partitions, {rate} messages a second over 20 tenants and two months, {refused:.0%} of
  them invalid; session timeout 1 s, insert timeout {timeout:g} s. Workers reach Kafka and ClickHouse through proxies.

A round injects waves of up to five concurrent faults under load, the least frequent kinds first, and restarts what was
killed. It then stops the load, waits until the group has committed the end of every partition with no intent pending,
and counts: raw `count()` = `uniqExact(event_id)` = events that Kafka acknowledged, without `FINAL`, and every rejected
message is a dead letter. No part is merged before it was counted: a table setting prevents it, and the parts' levels
are checked. Counted parts are merged if there are too many. A fault that did not take effect within seven seconds,
because a worker never reached its failpoint, is not counted. If a topic was truncated, the partition must halt and
report it; the loss of its messages is then accepted, and they are no longer expected.

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
    "invalid messages",
    "without a dead letter",
    "dead letters",
)


@dataclass
class Round:
    """The faults that `happened` or were `missed`, and the counts afterwards, unless the pipeline got `stuck`. `scaled`
    lists the periods in which workers were scaled (Unix ms), and `pauses_s` lists the longest pause in each period.
    """

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
        rows = f"{counts.rows}/{counts.events}/{counts.expected} rows" if counts else f"STUCK: {self.stuck}"
        pauses = "".join(f", pause {pause:.1f} s" for pause in self.pauses_s)
        failed = "" if self.survived else f"  NOT SURVIVED {counts}"
        missed = f" (without effect: {'; '.join(self.missed)})" if self.missed else ""
        return f"{rows}{pauses}: {'; '.join(self.happened)}{missed}{failed}"


@dataclass
class Part:
    """The rounds run on one pipeline. Its seed determines the faults."""

    seed: int
    nodes: int
    rounds: list[Round] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def faults(self) -> int:
        return sum(len(done.happened) for done in self.rounds)

    @property
    def last(self) -> Counts | None:
        return next((done.counts for done in reversed(self.rounds) if done.counts), None)


@dataclass
class Run:
    seed: int
    wanted: int
    parts: list[Part] = field(default_factory=list)
    commits: list[str] = field(default_factory=list)
    until: float = 0.0

    @classmethod
    def resume(cls, seed: int, wanted: int, state: Path | None) -> Run:
        """Load the run with this seed from the state file, or return a new one."""
        run = cls(seed, wanted)
        if state is not None and state.exists():
            saved = json.loads(state.read_text())
            if saved["seed"] == seed:
                run.commits = saved["commits"]
                run.parts = [
                    Part(part["seed"], part["nodes"], [_round(done) for done in part["rounds"]], part["seconds"])
                    for part in saved["parts"]
                ]
        if (commit := commit_of(Path(__file__).parent)) not in run.commits:
            run.commits.append(commit)
        return run

    def save(self, state: Path) -> None:
        run = {"seed": self.seed, "commits": self.commits, "parts": [asdict(part) for part in self.parts]}
        new = state.with_suffix(".new")
        new.write_text(json.dumps(run))
        new.replace(state)

    @property
    def rounds(self) -> list[Round]:
        return [done for part in self.parts for done in part.rounds]

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def faults(self) -> int:
        return sum(part.faults for part in self.parts)

    @property
    def survived(self) -> bool:
        return all(done.survived for done in self.rounds)

    @property
    def can_continue(self) -> bool:
        """Return whether another round should be run. After a failed round, later rounds would only repeat the
        failure.
        """
        return self.survived and time.monotonic() < self.until

    def kind_counts(self, now: Round) -> Counter[str]:
        """Return how often each kind was injected. Faults that had no effect count half."""
        counts: Counter[str] = Counter()
        for done in [*self.rounds, now] if now not in self.rounds else self.rounds:
            counts.update(dict.fromkeys(done.missed, 0.5))  # type: ignore[arg-type]
            counts.update(done.happened)
        return counts


def _round(saved: dict[str, Any]) -> Round:
    counts = saved.pop("counts")
    return Round(**saved, counts=Counts(**counts) if counts else None)


def commit_of(folder: Path) -> str:
    """Return the commit under test, marked if the work tree differs from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout.strip()


def write(run: Run, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kinds = Counter(kind for done in run.rounds for kind in done.happened)
    survived = Counter(kind for done in run.rounds if done.survived for kind in done.happened)
    missed = Counter(kind for done in run.rounds for kind in done.missed)
    lasts = [part.last for part in run.parts if part.last]
    machine = f"{os.cpu_count()} cores, {psutil.virtual_memory().total >> 30} GiB, {platform.system()}"
    lines = [
        _HEAD.format(
            faults=run.faults,
            rounds=len(run.rounds),
            survived=survived.total(),
            lost=sum(counts.lost for counts in lasts),
            doubled=sum(counts.doubled for counts in lasts),
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
        *(_part(number, part) for number, part in enumerate(run.parts, 1)),
        "",
        "| fault | injected | survived | without effect |",
        "|---|---:|---:|---:|",
        *(f"| {kind} | {kinds[kind]} | {survived[kind]} | {missed[kind]} |" for kind in sorted(kinds.keys() | missed)),
        "",
        "## Pauses",
        "",
        _pauses([pause for done in run.rounds for pause in done.pauses_s]),
    ]
    failed = [done for done in run.rounds if not done.survived]
    if failed:
        lines += ["", "## Not survived", "", *(f"- {done}" for done in failed)]
    path.write_text("\n".join(lines) + "\n")


def _part(number: int, part: Part) -> str:
    counts = part.last
    cells = [number, part.nodes, part.faults, len(part.rounds), f"{part.seconds / 60:.1f}"]
    if counts:
        cells += [
            f"{count:,}"
            for count in (
                counts.expected,
                counts.rows,
                counts.events,
                counts.refused,
                counts.missing_dead_letters,
                counts.dead_letters,
            )
        ]
    return f"| {' | '.join(map(str, cells))} |"


def _pauses(pauses: list[float]) -> str:
    if not pauses:
        return "The run did not scale the workers."
    each = ", ".join(f"{pause:.1f}" for pause in sorted(pauses))
    return (
        "Scaling 1 → 3 → 1 under load: the longest time in seconds in which a partition was not consumed, for each "
        f"scaling: {each}. Ranges are sealed every 0.2 s, so shorter pauses are not visible."
    )
