"""Runs several processes of one command. They start and stop together, and each is restarted with backoff."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Any, Final

from auditlane.runtime import process
from auditlane.runtime.errors import ConfigError, PortInUse, exit_code
from auditlane.runtime.log import get
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.process_loop import ProcessLoop
from auditlane.runtime.process_plan import Plan, Policy, ServiceSpec

if TYPE_CHECKING:
    from auditlane.trail.lifecycle import Lifecycle

POLICY: Final = Policy(backoff_initial_s=0.5, backoff_max_s=30.0, stable_after_s=60.0)
GRACE_S: Final = 5.0  # time beyond the processes' own shutdown timeout before they are killed
# Exit codes for a wrong configuration, which would make another start fail too.
PERMANENT_FAILURES: Final = frozenset({exit_code(ConfigError), exit_code(PortInUse)})


def is_permanent_failure(code: int, *, was_ready: bool) -> bool:
    """Return whether a restart would fail in the same way.

    If a process has ever been ready, its configuration is valid.
    """
    return code in PERMANENT_FAILURES and not was_ready


def cpu_count() -> int:
    """Return the number of CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ProcessGroup(ProcessLoop):
    """Runs `count` copies of `command` in parallel, the i-th with the environment `env(i)`. Use it from the main
    thread.

    A child prints one JSON line with its `url` and `pid` when it is ready. `on_ready` is called once, with all lines.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        env: Callable[[int], Mapping[str, str]],
        *,
        shutdown_timeout_s: float,
        on_ready: Callable[[list[dict[str, Any]]], None],
        lifecycle: Lifecycle,
        pass_fds: Sequence[int] = (),
        on_exit: Callable[[int], None] = lambda number: None,
    ) -> None:
        """Store the options. `on_exit` is called with the number of an exited process before it is restarted."""
        endless = partial(
            ServiceSpec, start_timeout_s=inf, max_failures=sys.maxsize, stop_timeout_s=shutdown_timeout_s + GRACE_S
        )
        super().__init__(Plan((endless(str(number)) for number in range(count)), POLICY))
        self._command = command
        self._env = env
        self._on_ready = on_ready
        self._lifecycle = lifecycle
        self._pass_fds = tuple(pass_fds)
        self._on_exit = on_exit
        self._ready: dict[str, dict[str, Any]] = {}  # the last ready line of each process that was ever ready
        self._announced = False
        self._log = get("worker")
        self._code = 0
        self._failure: ProcessExit | None = None  # the first failure to stop a process

    def run(self) -> int:
        """Run until a stop signal or a permanent failure of a process. Returns the exit code."""
        self._loop()
        failure = self._failure or next(iter(self._crashes.values()), None)
        self._lifecycle.stopped(failure.cause if failure else "")
        return self._code

    def _restarted(self, name: str, ended: ProcessExit) -> None:
        self._lifecycle.restarted(ended)

    def _start(self, name: str) -> None:
        child = process.start(
            self._command,
            env=dict(self._env(int(name))),
            inherit_errors=True,
            pipe_output=True,
            pass_fds=self._pass_fds,
        )
        self._started(name, child)

    def _read_output(self, name: str, child: subprocess.Popen[bytes]) -> None:
        """Read the ready line, then drain the output until the process closes it."""
        assert child.stdout is not None
        with child.stdout:
            line = child.stdout.readline()
            if line:
                self._post(partial(self._became_ready, name, json.loads(line) | {"pid": child.pid}))
            for _ in child.stdout:  # drained, so that unexpected output cannot block the process
                pass

    def _became_ready(self, name: str, ready_line: dict[str, Any]) -> None:
        self._plan.became_ready(name, time.monotonic())
        self._ready[name] = ready_line
        if not self._announced and len(self._ready) == len(self._plan.services):
            self._announced = True
            self._lifecycle.started(processes=len(self._ready))
            self._on_ready([self._ready[name] for name in self._plan.services])

    def _exited(self, name: str, pid: int, code: int) -> None:
        stopping, now = self._plan.stopping, time.monotonic()
        self._plan.exited(name, code, now)
        self._on_exit(int(name))
        if stopping:
            if code != -signal.SIGTERM:  # a process that has not yet installed its handler has nothing to store
                self._code = self._code or (1 if code < 0 else code)
                if code and not self._failure:
                    self._failure = ProcessExit(pid, code, datetime.now(UTC))
        elif is_permanent_failure(code, was_ready=name in self._ready):
            self._code = code
            self._plan.stop(now)
        else:
            again = round((self._plan.services[name].deadline or now) - now, 1)
            self._log.warning("process.ended", number=int(name), pid=pid, code=code, again_in_s=again)


def command_line(*arguments: str) -> list[str]:
    """Return the command line that runs this `auditlane` with these arguments."""
    return [sys.executable, "-m", "auditlane.cli", *arguments]
