"""Forks workers from a process that has already imported their code, so that a worker starts in milliseconds instead of
seconds.

A forked worker runs `auditlane worker` in its own process. Only the imports are shared. When run as a program, this
module reads a JSON line for each worker to start (`env`, `log`). It writes a JSON line for each worker that has started
(`pid`) or exited (`code`).
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from fixtures.workers import PATIENCE_S, WorkerProcess, wait_until

from auditlane.cli.main import run


class Child:
    """The part of `subprocess.Popen` that `WorkerProcess` uses."""

    stdout = None

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = threading.Event()

    def ended(self, code: int) -> None:
        self.returncode = code
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("auditlane worker", timeout or 0)
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class ForkedWorker(WorkerProcess):
    """A worker forked by a nursery. Its announcement is in a file beside the log."""

    def __init__(self, child: Child, log: Path) -> None:
        self.process: Any = child
        self.log = log

    def announcement(self) -> dict[str, Any]:
        announced = announcement_of(self.log)
        wait_until(lambda: announced.read_text().endswith("\n") or self.process.poll() is not None, why=self.tail)
        assert announced.read_text(), f"the worker ended with {self.process.returncode}: {self.tail()}"
        return json.loads(announced.read_text())

    def ended(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.ended()


class Nursery:
    """Controls the forking process. `start` returns a running worker."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "chaos.nursery"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._children: dict[int, Child] = {}
        self._started: queue.Queue[Child] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, env: dict[str, str], log: Path) -> ForkedWorker:
        assert self._process.stdin is not None
        log.touch()
        announcement_of(log).write_text("")
        self._process.stdin.write(json.dumps({"env": env, "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return ForkedWorker(self._started.get(timeout=60), log)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            report = json.loads(line)
            if "code" in report:
                self._children[report["pid"]].ended(report["code"])
            else:
                child = self._children[report["pid"]] = Child(report["pid"])
                self._started.put(child)


def announcement_of(log: Path) -> Path:
    """Return the file for what a forked worker writes to stdout."""
    return log.with_suffix(".ready")


def _report(**members: int) -> None:
    sys.stdout.write(json.dumps(members) + "\n")
    sys.stdout.flush()


def _run(env: dict[str, str], log: str) -> None:
    """Run the worker in this process. Never returns."""
    code = 1
    try:
        files = [os.devnull, announcement_of(Path(log)), log]
        for number, name in enumerate(files):
            os.dup2(os.open(name, os.O_RDWR | os.O_APPEND), number)
        os.environ.update(env)
        sys.argv = ["auditlane", "worker"]
        run()
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def serve() -> None:
    """Fork the requested workers until stdin is closed, and then kill those still running. This process has a single
    thread, so forking is safe.
    """
    for module in ("auditlane.cli.app", "auditlane.cli.worker", "auditlane.worker.service"):
        importlib.import_module(module)
    gc.freeze()
    alive: set[int] = set()
    unread = b""
    while True:
        if select.select([0], [], [], 0.05)[0]:
            if not (data := os.read(0, 1 << 16)):
                break
            *lines, unread = (unread + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                if (pid := os.fork()) == 0:
                    _run(request["env"], request["log"])
                alive.add(pid)
                _report(pid=pid)
        while alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            alive.discard(pid)
            _report(pid=pid, code=os.waitstatus_to_exitcode(status))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
