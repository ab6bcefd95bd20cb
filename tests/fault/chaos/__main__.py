"""Runs rounds of faults until enough have been injected, and writes the report.

With `--state FILE`, finished rounds are saved there, and the next run with the same seed resumes.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from confluent_kafka import KafkaException

from chaos.kinds import SCALED, next_wave
from chaos.pipeline import Pipeline
from chaos.report import Part, Round, Run, write

MAX_GAP_S = 0.5  # maximum time between two faults
WAVES = 2  # per round
PART = 45  # faults per pipeline; the next pipeline uses the next seed
NODES = (1, 1, 3, 1)  # number of brokers in successive pipelines


def one_round(pipeline: Pipeline, run: Run, done: Round) -> None:
    """Inject waves of faults under load, wait for the pipeline to settle, and count its rows and dead letters."""
    pipeline.load.go()
    try:
        for _ in range(WAVES):
            wave(pipeline, run, done)
        done.counts = pipeline.settle()
        done.pauses_s = [pipeline.longest_pause(since, until) for since, until in done.scaled]
        pipeline.tidy()
    except (TimeoutError, RuntimeError, AssertionError, KafkaException) as error:
        done.stuck = f"{type(error).__name__}: {error}"


def wave(pipeline: Pipeline, run: Run, done: Round) -> None:
    """Inject some faults in quick succession, and then repair what they broke."""
    kinds = next_wave(pipeline, run.kind_counts(done))
    pipeline.staff(pipeline.random.randint(1, 2))
    pipeline.at_work()
    since = time.time_ns() // 1_000_000
    injected = [kind.inject(pipeline) for kind in kinds]
    for fault in injected:
        next(fault)
        time.sleep(pipeline.random.uniform(0, MAX_GAP_S))
    for kind, fault in zip(kinds, injected, strict=True):
        try:
            next(fault)
        except StopIteration as end:
            (done.happened if end.value else done.missed).append(kind.name)
    if kinds[0].name == SCALED:
        done.scaled.append((since, time.time_ns() // 1_000_000))


def one_part(run: Run, folder: Path, options: argparse.Namespace) -> None:
    part = Part(run.seed * 1_000 + len(run.parts), NODES[len(run.parts) % len(NODES)])
    run.parts.append(part)
    began = time.monotonic()
    with closing(Pipeline(folder / f"part{len(run.parts)}", part.seed, part.nodes)) as pipeline:
        while run.can_continue and part.faults < PART and run.faults < options.faults:
            part.rounds.append(Round())
            one_round(pipeline, run, part.rounds[-1])
            part.seconds = time.monotonic() - began
            print(f"{run.seconds:6.0f} s {run.faults:4d} faults  {part.rounds[-1]}", flush=True)
            if options.state:
                run.save(options.state)
            if options.report:
                write(run, options.report)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--state", type=Path, help="file to save progress to, and to resume from")
    parser.add_argument("--minutes", type=float, default=120, help="time limit")
    parser.add_argument("--folder", type=Path, help="folder for logs and data")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    folder = options.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    run = Run.resume(options.seed, options.faults, options.state)
    run.until = time.monotonic() + options.minutes * 60
    print(f"seed {options.seed}, {run.faults} faults so far, logs in {folder}", flush=True)
    while run.can_continue and run.faults < options.faults:
        here = folder / f"run{len(run.parts)}"
        here.mkdir(parents=True)
        one_part(run, here, options)
    if options.report:
        write(run, options.report)
    return 0 if run.survived else 1


if __name__ == "__main__":
    sys.exit(main())
