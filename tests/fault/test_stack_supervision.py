"""Tests the supervisor with real processes: order, restarts and escalation. If the supervisor is killed, no process is
left behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from auditlane.local import status
from auditlane.local.layout import Layout
from auditlane.runtime import process, settings

_PROGRAM = Path(__file__).with_name("small_stack.py")
_FIVE = [
    {"name": "kafka"},
    {"name": "registry", "tier": 1},
    {"name": "init", "mode": "once", "depends_on": ["kafka", "registry"], "tier": 2},
    {"name": "worker", "depends_on": ["init"], "tier": 2},
    {"name": "serve", "depends_on": ["init"], "tier": 2},
]


def until(condition, what, within_s=60):
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.02)
    return found


class SmallStack:
    """A running supervisor with small stand-in processes."""

    def __init__(self, folder: Path, wanted: list[dict], python: list[str]) -> None:
        self.folder = folder
        with (folder / "out").open("ab") as out:
            self.process = subprocess.Popen(
                [*python, _PROGRAM, folder, json.dumps(wanted)],
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_ready(self):
        until(lambda: "READY" in self.out() or self.process.poll() is not None, "the ready line")
        assert "READY" in self.out(), self.out()
        return self

    def out(self) -> str:
        return (self.folder / "out").read_text()

    def journal(self) -> list[str]:
        file = self.folder / "journal"
        return file.read_text().splitlines() if file.exists() else []

    def pids(self) -> dict[str, int]:
        state = Layout.of(self.folder).read_state()
        return {row["name"]: row["pid"] for row in state["parts"] if row["pid"]}

    def end(self) -> int:
        return self.process.wait(60)


@pytest.fixture
def small(tmp_path):
    made = []

    def start(wanted=_FIVE, folder=tmp_path, python=(sys.executable,)):
        folder.mkdir(exist_ok=True)
        made.append(SmallStack(folder, wanted, list(python)))
        return made[-1]

    yield start
    for stack in made:
        if stack.process.poll() is None:
            stack.process.kill()
            stack.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_parts_start_by_dependency_and_stop_by_tier(small, number):
    stack = small().wait_ready()
    pids = stack.pids()
    started = [line.split()[1] for line in stack.journal()]
    assert set(started[:2]) == {"kafka", "registry"}
    assert started[2] == "init"
    assert set(started[3:]) == {"worker", "serve"}
    stack.process.send_signal(number)
    assert stack.end() == 0
    stopped = [line.split()[1] for line in stack.journal() if line.startswith("stop")]
    assert set(stopped[:2]) == {"worker", "serve"}
    assert stopped[2:] == ["registry", "kafka"]
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


def test_problems_of_a_running_part_are_reported_at_each_start(small):
    stack = small([{"name": "clickhouse", "remarks": ["a part is broken"]}, {"name": "registry"}]).wait_ready()
    rows = {row["name"]: row.get("remarks") for row in Layout.of(stack.folder).read_state()["parts"]}
    assert rows == {"clickhouse": ["a part is broken"], "registry": None}
    assert stack.out().count("remark clickhouse a part is broken") == 1
    os.kill(stack.pids()["clickhouse"], signal.SIGKILL)
    until(lambda: stack.out().count("remark clickhouse a part is broken") == 2, "the report of the second start")


def test_nothing_is_left_when_the_supervisor_is_killed(small):
    """Even a service that ignores SIGTERM is not left running."""
    stack = small([{"name": "kafka"}, {"name": "worker", "mode": "stubborn", "tier": 2}]).wait_ready()
    pids = stack.pids()
    assert len(pids) == 2
    assert all(psutil.pid_exists(pid) for pid in pids.values())
    stack.process.kill()
    stack.end()
    until(lambda: not any(psutil.pid_exists(pid) for pid in pids.values()), "the parts to be gone")


def test_a_part_that_ignores_sigterm_is_killed(small):
    stack = small([{"name": "worker", "mode": "stubborn", "stop_timeout_s": 0.2}]).wait_ready()
    stack.process.send_signal(signal.SIGTERM)
    assert stack.end() == 0
    assert stack.journal() == ["start worker"]


def test_a_second_ctrl_c_kills_the_parts(small):
    stack = small([{"name": "kafka"}, {"name": "worker", "mode": "stubborn", "stop_timeout_s": 600, "tier": 2}])
    stack.wait_ready().process.send_signal(signal.SIGINT)
    until(lambda: "worker stopping" in stack.out(), "the request to stop the worker")
    stack.process.send_signal(signal.SIGINT)
    assert stack.end() == 0


@pytest.mark.parametrize("name", ["kafka", "registry", "worker", "serve"])
def test_a_killed_part_is_restarted(small, name):
    stack = small().wait_ready()
    before = stack.pids()
    os.kill(before[name], signal.SIGKILL)
    until(lambda: stack.pids().get(name, before[name]) != before[name], f"another {name}")
    until(lambda: Layout.of(stack.folder).read_state()["ready"], "ready again")
    after = stack.pids()
    assert {other: pid for other, pid in after.items() if other != name} == {
        other: pid for other, pid in before.items() if other != name
    }
    assert stack.journal().count("start init") == 1
    assert [line for line in stack.out().splitlines() if line.startswith("restarted")] == [f"restarted {name} SIGKILL"]


def test_a_part_is_retried_until_the_disk_has_space(small):
    stack = small().wait_ready()
    before = stack.pids()
    (stack.folder / "full").touch()
    os.kill(before["worker"], signal.SIGKILL)
    refused = stack.folder / "refused"
    until(
        lambda: refused.exists() and len(refused.read_text().splitlines()) > 5, "more attempts than a first start has"
    )
    assert stack.process.poll() is None
    assert stack.out().count("No space left on device") == 1
    (stack.folder / "full").unlink()
    until(lambda: stack.pids().get("worker") and Layout.of(stack.folder).read_state()["ready"], "ready again")
    after = stack.pids()
    assert {**after, "worker": 0} == {**before, "worker": 0}
    assert stack.out().count("restarted") == 1  # counts the restart after the kill, but not the failed attempts
    stack.process.send_signal(signal.SIGTERM)
    assert stack.end() == 0


def test_a_full_disk_at_the_first_start_is_reported_at_once(small, tmp_path):
    (tmp_path / "full").touch()
    stack = small()
    assert stack.end() == 1
    assert "PART_FAILED kafka could not be started: [Errno 28] No space left on device" in stack.out()
    assert stack.out().count("trouble") == 0


@pytest.mark.parametrize("ignored", ["CHLD", "TERM", "INT HUP PIPE USR1", "CHLD TERM INT HUP PIPE"])
def test_signals_ignored_by_the_parent_have_no_effect(small, ignored):
    """The supervisor still notices when services exit, and SIGTERM still stops everything in order."""
    wrapped = ["sh", "-c", f'trap "" {ignored}; exec "$@"', "sh", sys.executable]
    stack = small(python=wrapped).wait_ready()
    before = stack.pids()["worker"]
    os.kill(before, signal.SIGKILL)
    until(lambda: stack.pids().get("worker", before) != before, "another worker")
    until(lambda: Layout.of(stack.folder).read_state()["ready"], "ready again")
    stack.process.send_signal(signal.SIGTERM)
    assert stack.end() == 0
    assert stack.journal()[-1] == "stop kafka"


def test_a_part_that_keeps_exiting_is_abandoned_with_the_tail_of_its_log(small):
    stack = small([{"name": "kafka"}, {"name": "worker", "mode": "broken", "depends_on": ["kafka"], "tier": 2}])
    assert stack.end() == 1
    assert "PART_FAILED worker exited 4 times" in stack.out()
    assert "no such luck" in stack.out()
    assert stack.journal()[-1] == "stop kafka"


def test_a_second_supervisor_in_the_same_directory_is_refused(small):
    stack = small().wait_ready()
    second = small()
    assert second.end() == 1
    assert f"ALREADY_RUNNING A stack is already running in {stack.folder} (process {stack.process.pid})" in second.out()
    assert "auditlane status" in second.out()
    assert stack.process.poll() is None


def test_the_directory_is_free_again_after_a_kill(small):
    stack = small().wait_ready()
    assert Layout.of(stack.folder).owner() == stack.process.pid
    stack.process.kill()
    stack.end()
    assert Layout.of(stack.folder).owner() is None
    (stack.folder / "out").unlink()
    small().wait_ready()


def test_status_of_a_killed_supervisor_is_not_ready(small):
    stack = small().wait_ready()
    stack.process.kill()
    stack.end()
    found = status.report(settings.load(data_dir=stack.folder))
    assert not found["ready"]
    assert {row["state"] for row in found["parts"]} == {"stopped"}


def test_the_watcher_for_other_platforms_also_kills(tmp_path):
    """Forces the use of a pipe, which Linux does not need because its kernel sends a signal."""
    tether = Path(process.__file__).with_name("tether.py")
    parent = f"""
import os, subprocess, sys, time
reading, writing = os.pipe()
child = subprocess.Popen([sys.executable, "-I", "-S", {str(tether)!r}, str(os.getpid()), str(reading), "sleep", "600"],
                         pass_fds=[reading], start_new_session=True)
print(child.pid, flush=True)
time.sleep(600)
"""
    running = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    child = int(running.stdout.readline())
    until(lambda: psutil.Process(child).name() == "sleep", "the program to run under the same pid")
    running.kill()
    running.wait()
    running.stdout.close()
    until(lambda: not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie", "the child to be gone")


def test_when_readiness_cannot_be_reported_the_parts_stop_in_order(small, tmp_path):
    (tmp_path / "unreported").touch()
    stack = small(_FIVE)
    assert stack.end() != 0
    assert {"stop kafka", "stop registry", "stop worker", "stop serve"} <= set(stack.journal())
    assert "Broken pipe" in stack.out()
