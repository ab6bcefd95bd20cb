"""Several processes of one command: started together, restarted with back-off, stopped together, none left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, Final

from auditlane.runtime import process
from auditlane.runtime.errors import ConfigError, PortInUse, exit_code
from auditlane.runtime.log import get
from auditlane.runtime.process_plan import Plan, Policy, Spec, Verb

POLICY: Final = Policy(backoff_first=0.5, backoff_most=30.0, stable=60.0)
GRACE_S: Final = 5.0  # past the processes' own bound before they are killed
# Exit codes that another start would repeat: what is configured is wrong.
HOPELESS: Final = frozenset({exit_code(ConfigError), exit_code(PortInUse)})


def is_hopeless(code: int, *, was_ready: bool) -> bool:
    """Whether a process that ended so would end so again. One that was ever ready can work as it is configured."""
    return code in HOPELESS and not was_ready


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Group:
    """Runs `command` `count` times, the i-th with `env(i)`. Use from the main thread: children are tied to the thread.

    A child prints one JSON line with its `url` and `pid` when it is ready; `on_ready` gets all of them, once.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        env: Callable[[int], Mapping[str, str]],
        *,
        shutdown_timeout_s: float,
        on_ready: Callable[[list[dict[str, Any]]], None],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._pass_fds = tuple(pass_fds)
        self._command, self._env, self._on_ready = command, env, on_ready
        self._plan = Plan(
            (
                Spec(str(number), start_within=inf, give_up=sys.maxsize, stop_within=shutdown_timeout_s + GRACE_S)
                for number in range(count)
            ),
            POLICY,
        )
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._ready: dict[str, dict[str, Any]] = {}  # what each said last; who ever was ready can work as configured
        self._announced = False
        self._events: SimpleQueue[tuple[str, str, dict[str, Any]]] = SimpleQueue()
        self._log = get("worker")
        self._code = 0

    def run(self) -> int:
        """Run until a signal asks to stop, or a process says that it can never work; return the exit code."""
        with self._signals():
            try:
                while not self._plan.finished:
                    self._turn()
            finally:
                for running in self._running.values():  # only after an error of ours
                    process.send(running, signal.SIGKILL)
        return self._code

    def _turn(self) -> None:
        for action in self._plan.decide(time.monotonic()):
            if action.verb is Verb.START:
                self._start(action.name)
            elif action.name in self._running:
                number = signal.SIGTERM if action.verb is Verb.TERMINATE else signal.SIGKILL
                process.send(self._running[action.name], number)
        if self._plan.finished:
            return
        wake = self._plan.wake_at()
        waits = None if wake is None or wake == inf else max(0.0, wake - time.monotonic())
        try:
            kind, name, told = self._events.get(timeout=waits)
        except Empty:
            return
        if kind == "stop":
            self._stop()
        elif kind == "ready":
            self._is_ready(name, told)
        else:
            self._reap()

    def _start(self, name: str) -> None:
        child = process.start(
            self._command,
            env=dict(self._env(int(name))),
            inherit_errors=True,
            pipe_output=True,
            pass_fds=self._pass_fds,
        )
        self._running[name] = child
        threading.Thread(target=self._read, args=(name, child), daemon=True).start()

    def _read(self, name: str, child: subprocess.Popen[bytes]) -> None:
        """The first line says that it is ready; the end of its output, that it is about to end."""
        assert child.stdout is not None
        with child.stdout:
            line = child.stdout.readline()
            if line:
                self._events.put(("ready", name, json.loads(line) | {"pid": child.pid}))
            for _ in child.stdout:  # nothing else is printed; if something were, it must not block
                pass
        child.wait()
        self._events.put(("ended", name, {}))

    def _is_ready(self, name: str, told: dict[str, Any]) -> None:
        self._plan.answered(name, time.monotonic())
        self._ready[name] = told
        if not self._announced and len(self._ready) == len(self._plan.parts):
            self._announced = True
            self._on_ready([self._ready[name] for name in self._plan.parts])

    def _reap(self) -> None:
        for name, child in list(self._running.items()):
            code = child.poll()
            if code is None:
                continue
            del self._running[name]
            process.end_session(child.pid)
            stopping, now = self._plan.stopping, time.monotonic()
            self._plan.exited(name, code, now)
            if stopping:
                if code != -signal.SIGTERM:  # one that had only just begun holds nothing, and dies of it
                    self._code = self._code or (1 if code < 0 else code)
            elif is_hopeless(code, was_ready=name in self._ready):
                self._code = code
                self._plan.stop(now)
            else:
                again = round((self._plan.parts[name].until or now) - now, 1)
                self._log.warning("process.ended", number=int(name), pid=child.pid, code=code, again_in_s=again)

    def _stop(self) -> None:
        """Ask all to end; when asked again, kill them."""
        if self._plan.stopping:
            self._plan.force(time.monotonic())
        else:
            self._plan.stop(time.monotonic())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """`SimpleQueue.put` is the one queue operation that a signal handler may use."""
        asked = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, lambda *_: self._events.put(("stop", "", {}))) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def command_line(*arguments: str) -> list[str]:
    """This same `auditlane`, with these arguments."""
    return [sys.executable, "-m", "auditlane.cli", *arguments]
