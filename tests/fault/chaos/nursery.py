"""Forks workers from one process that has imported their code: a start costs milliseconds instead of seconds.

What runs then is `auditlane worker` in a process of its own; only the imports are shared. As a program it reads a JSON
line for each worker to start (`env`, `log`), and writes a line for each that started (`pid`) or ended (`code`).
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

from fixtures.workers import PATIENCE_S, WorkerProcess

from auditlane.cli.main import run


class Child:
    """The part of `subprocess.Popen` that a `WorkerProcess` uses."""

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
    """A worker that a nursery forked."""

    def __init__(self, child: Child, log: Path) -> None:
        self.process: Any = child
        self.log = log

    def ended(self) -> int:
        return self.process.wait(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.ended()


class Nursery:
    """`start` returns a worker that runs."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "chaos.nursery"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._children: dict[int, Child] = {}
        self._started: queue.Queue[Child] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def start(self, env: dict[str, str], log: Path) -> ForkedWorker:
        assert self._process.stdin is not None
        log.touch()
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
            told = json.loads(line)
            if "code" in told:
                self._children[told["pid"]].ended(told["code"])
            else:
                child = self._children[told["pid"]] = Child(told["pid"])
                self._started.put(child)


def _tell(**what: int) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _run(env: dict[str, str], log: str) -> None:
    """Become the worker; never returns."""
    code = 1
    try:
        out, nothing = os.open(log, os.O_WRONLY | os.O_APPEND), os.open(os.devnull, os.O_RDWR)
        for number, target in ((0, nothing), (1, nothing), (2, out)):
            os.dup2(target, number)
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
    """Fork what is asked for until stdin ends, then kill what runs. One thread, so that forking is safe."""
    for module in ("auditlane.cli.app", "auditlane.cli.worker", "auditlane.worker.service"):
        importlib.import_module(module)
    gc.freeze()
    alive: set[int] = set()
    asked = b""
    while True:
        if select.select([0], [], [], 0.05)[0]:
            if not (data := os.read(0, 1 << 16)):
                break
            *lines, asked = (asked + data).split(b"\n")
            for line in lines:
                wanted = json.loads(line)
                if (pid := os.fork()) == 0:
                    _run(wanted["env"], wanted["log"])
                alive.add(pid)
                _tell(pid=pid)
        while alive:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                break
            alive.discard(pid)
            _tell(pid=pid, code=os.waitstatus_to_exitcode(status))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    serve()
