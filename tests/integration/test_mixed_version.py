"""Tests workers of an earlier version and of this one in the same group, under faults, while a column is added to the
table.
"""

from __future__ import annotations

import io
import os
import random
import signal
import subprocess
import sys
import tarfile
import time
import tomllib
from pathlib import Path

import pytest
from components import missing
from fixtures.workers import WorkerProcess, World, wait_until

ROOT = Path(__file__).parents[2]
BASELINE = tomllib.loads((ROOT / "tests" / "mixed_version.toml").read_text())["baseline"]
FOLDERS = ("schemas", "producers", "consumers", "deploy")
SECONDS = 120.0
BATCH = 60  # number of events sent between two checks of the clock
PAUSE_S = (0.1, 0.4)
CALM_S = (3.0, 6.0)  # time between two faults
FROZEN_S = (0.5, 4.0)  # some are longer than the session timeout of one second
OLD, NEW = "old", "new"


def earlier(folder: Path) -> dict[str, str]:
    """Return an environment in which Python imports auditlane from the baseline commit."""
    checked = subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{BASELINE}^{{commit}}"], capture_output=True)
    if checked.returncode:
        missing(f"the baseline commit {BASELINE}", f"git's history lacks it: {checked.stderr.decode().strip()}")
    wanted = [f"{one}/auditlane" for one in FOLDERS]
    packed = subprocess.run(["git", "-C", ROOT, "archive", BASELINE, *wanted], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    made = {"PYTHONPATH": os.pathsep.join(str(folder / one) for one in FOLDERS)}
    program = "import auditlane.cli.app as a, auditlane.worker.protocol.core as b; print(a.__file__, b.__file__)"
    printed = subprocess.run([sys.executable, "-c", program], env=os.environ | made, capture_output=True, check=True)
    assert all(one.startswith(str(folder)) for one in printed.stdout.decode().split()), printed.stdout
    return made


class Crew:
    """Workers of both versions, initially two of each, and the faults injected into them."""

    def __init__(self, world: World, old: dict[str, str]) -> None:
        self._world, self._old = world, old
        self._random = random.Random(BASELINE)
        self._next = time.monotonic() + self._random.uniform(*CALM_S)
        self._frozen: dict[WorkerProcess, float] = {}
        self.versions: dict[WorkerProcess, str] = {}
        self.faults: list[str] = []
        for version in (OLD, NEW, OLD, NEW):
            self.start(version)

    def start(self, version: str) -> WorkerProcess:
        worker = self._world.worker(environment=self._old if version == OLD else None)
        self.versions[worker] = version
        return worker

    def turn(self) -> None:
        """Resume workers that have been frozen for long enough. Sometimes inject a fault into a worker."""
        now = time.monotonic()
        for worker in [one for one, until in self._frozen.items() if now >= until]:
            self._thaw(worker)
        if now < self._next:
            return
        self._next = now + self._random.uniform(*CALM_S)
        worker = self._random.choice(list(self.versions))
        fault = self._random.choice([self._kill, self._freeze, self._replace])
        self.faults.append(f"{fault.__name__.strip('_')} {self.versions[worker]}")
        fault(worker)

    def _kill(self, worker: WorkerProcess) -> None:
        self.start(self._gone(worker))

    def _freeze(self, worker: WorkerProcess) -> None:
        worker.process.send_signal(signal.SIGSTOP)
        self._frozen[worker] = time.monotonic() + self._random.uniform(*FROZEN_S)

    def _replace(self, worker: WorkerProcess) -> None:
        """Upgrade or roll back one worker: drain it, and start a worker of the other version in its place."""
        self._thaw(worker)
        worker.ready()
        worker.process.terminate()
        assert worker.ended() == 0, worker.tail()
        self.start(NEW if self.versions.pop(worker) == OLD else OLD)

    def _thaw(self, worker: WorkerProcess) -> None:
        if self._frozen.pop(worker, None) is not None:
            worker.process.send_signal(signal.SIGCONT)

    def _gone(self, worker: WorkerProcess) -> str:
        self._frozen.pop(worker, None)
        assert worker.process.poll() is None, f"it exited by itself: {worker.tail()}"
        worker.kill()
        return self.versions.pop(worker)

    def alone(self, version: str) -> None:
        for worker in list(self.versions):
            self._gone(worker)
        self.start(version).ready()


@pytest.mark.long
def test_two_versions_in_one_group_store_every_event_once_while_the_table_is_migrated(
    world: World, tmp_path: Path
) -> None:
    crew = Crew(world, earlier(tmp_path / "baseline"))
    wait_until(lambda: world.workers[0].announcement() and world.workers[1].announcement())
    pace, produced, migrated = random.Random(1), 0, False
    began = time.monotonic()
    while time.monotonic() - began < SECONDS:
        world.produce(BATCH)
        produced += BATCH
        crew.turn()
        if not migrated and time.monotonic() - began > SECONDS / 2:
            world.client.command(f"ALTER TABLE {world.events} ADD COLUMN note String DEFAULT 'x' AFTER action")
            migrated = True
        time.sleep(pace.uniform(*PAUSE_S))  # determines the pace of faults only; results are awaited
    for version in (OLD, NEW):  # each version alone, on the current table
        crew.alone(version)
        world.produce(BATCH)
        produced += BATCH
        world.completed(patience_s=60)
    assert world.counts() == (produced, produced), crew.faults
    assert world.client.query(f"SELECT countIf(note = 'x') FROM {world.events}").result_rows[0][0] == produced
    assert not [line for worker in world.workers for line in worker.events("partition.halted")]
    assert {one.split()[0] for one in crew.faults} == {"kill", "freeze", "replace"}
