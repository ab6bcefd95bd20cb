"""Runs rounds of faults until enough have happened, and writes the report."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from chaos.faults import KINDS, Kind
from chaos.pipeline import Pipeline
from chaos.report import Round, Run, write

PATIENCE_S = 0.5  # load between two faults, at most
WAVES = 3  # between two counts


def chosen(pipeline: Pipeline) -> list[Kind]:
    """The kinds of a wave: at most one a family, and only those that go together."""
    picked: list[Kind] = []
    left = list(KINDS)
    while left and len(picked) < 5:
        kind = pipeline.random.choices(left, [one.weight for one in left])[0]
        picked.append(kind)
        left = [one for one in left if together(kind, one)]
    order = [
        "kafka",
        "clickhouse",
        "registry",
        "worker",
        "step",
        "load",
    ]  # workers can end only when their parts are back
    return sorted(picked, key=lambda one: order.index(one.family))


def together(one: Kind, other: Kind) -> bool:
    """Whether two kinds may share a wave."""
    apart = one.family in other.without or other.family in one.without
    return not (apart or one.alone or other.alone or one.family == other.family)


def one_round(pipeline: Pipeline) -> Round:
    """Waves of faults under load; then settle and count."""
    done = Round()
    pipeline.load.go()
    for _ in range(WAVES):
        wave(pipeline, done)
    try:
        done.counts = pipeline.settle()
        for since, until in done.scaled:
            done.pauses_s.append(pipeline.longest_pause(since, until))
        pipeline.tidy()
    except (TimeoutError, RuntimeError) as error:
        done.stuck = str(error)
    return done


def wave(pipeline: Pipeline, done: Round) -> None:
    """Inject some faults, one shortly after the other, and mend what they broke."""
    kinds = chosen(pipeline)
    pipeline.staff(pipeline.random.randint(1, 2))
    pipeline.at_work()
    since = time.time_ns() // 1_000_000
    injected = [kind.inject(pipeline) for kind in kinds]
    for fault in injected:
        next(fault)
        time.sleep(pipeline.random.uniform(0, PATIENCE_S))
    for kind, fault in zip(kinds, injected, strict=True):
        try:
            next(fault)
        except StopIteration as end:
            (done.happened if end.value else done.missed).append(kind.name)
    if kinds[0].alone:
        done.scaled.append((since, time.time_ns() // 1_000_000))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--minutes", type=float, default=120, help="end after this long with what there is")
    parser.add_argument("--folder", type=Path, help="keep logs and data here")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(options.seed, options.faults)
    print(f"seed {options.seed}, logs in {folder}", flush=True)
    with closing(Pipeline(folder, options.seed)) as pipeline:
        while run.faults < options.faults and run.seconds < options.minutes * 60:
            run.rounds.append(one_round(pipeline))
            print(f"{run.seconds:6.0f} s {run.faults:4d} faults  {run.rounds[-1]}", flush=True)
            if options.report:
                write(run, options.report)
            if not run.rounds[-1].survived:
                break  # what follows would only tell of this one
    return 0 if run.survived else 1


if __name__ == "__main__":
    sys.exit(main())
