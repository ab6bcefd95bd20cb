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
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

from auditlane.runtime import process
from auditlane.runtime.errors import ConfigError, PortInUse, exit_code
from auditlane.runtime.log import get

BACKOFF_S: Final = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
STEADY_S: Final = 60.0  # who lived this long begins again with the shortest back-off
GRACE_S: Final = 5.0  # past the processes' own bound before they are killed
# Ends that another start would repeat: what is configured is wrong.
HOPELESS: Final = frozenset({exit_code(ConfigError), exit_code(PortInUse)})


@dataclass(slots=True)
class Slot:
    """One of the processes, as the decisions see it. Times are monotonic seconds."""

    number: int
    started: float = 0.0
    deaths: int = 0  # in a row
    not_before: float = 0.0
    was_ready: bool = False  # ever: what is configured works

    def ended(self, code: int, now: float) -> bool:
        """Count a death; whether it may be started again, at `not_before`."""
        if code in HOPELESS and not self.was_ready:
            return False
        self.deaths = 1 if now - self.started >= STEADY_S else self.deaths + 1
        self.not_before = now + BACKOFF_S[min(self.deaths, len(BACKOFF_S)) - 1]
        return True


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
        drain_s: float,
        on_ready: Callable[[list[dict[str, Any]]], None],
        pass_fds: Sequence[int] = (),
    ) -> None:
        self._pass_fds = tuple(pass_fds)
        self._command, self._env, self._drain_s, self._on_ready = command, env, drain_s, on_ready
        self._slots = [Slot(number) for number in range(count)]
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._ready: dict[int, dict[str, Any]] = {}
        self._announced = False
        self._events: SimpleQueue[tuple[str, int, dict[str, Any]]] = SimpleQueue()
        self._log = get("worker")
        self._kill_at: float | None = None  # set once it is to stop
        self._code = 0

    def run(self) -> int:
        """Until a signal asks to stop, or a process says that it can never work; the exit code."""
        with self._signals():
            try:
                while self._kill_at is None or self._running:
                    self._turn()
            finally:
                for running in self._running.values():  # only after an error of ours
                    process.send(running, signal.SIGKILL)
        return self._code

    def _turn(self) -> None:
        now = time.monotonic()
        waiting = [slot for slot in self._slots if slot.number not in self._running]
        if self._kill_at is None:
            for slot in [one for one in waiting if one.not_before <= now]:
                self._start(slot, now)
                waiting.remove(slot)
            wake = min((slot.not_before for slot in waiting), default=None)
        else:
            if now >= self._kill_at:
                self._all(signal.SIGKILL)
            wake = max(self._kill_at, now + 1)
        try:
            kind, number, told = self._events.get(timeout=None if wake is None else max(0.0, wake - now))
        except Empty:
            return
        if kind == "stop":
            self._stop()
        elif kind == "ready":
            self._is_ready(number, told)
        else:
            self._reap()

    def _start(self, slot: Slot, now: float) -> None:
        slot.started = now
        child = process.start(
            self._command,
            env=dict(self._env(slot.number)),
            inherit_errors=True,
            pipe_output=True,
            pass_fds=self._pass_fds,
        )
        self._running[slot.number] = child
        threading.Thread(target=self._read, args=(slot.number, child), daemon=True).start()

    def _read(self, number: int, child: subprocess.Popen[bytes]) -> None:
        """The first line says that it is ready; the end of its output, that it is about to end."""
        assert child.stdout is not None
        with child.stdout:
            line = child.stdout.readline()
            if line:
                self._events.put(("ready", number, json.loads(line) | {"pid": child.pid}))
            for _ in child.stdout:  # nothing else is printed; if something were, it must not block
                pass
        child.wait()
        self._events.put(("ended", number, {}))

    def _is_ready(self, number: int, told: dict[str, Any]) -> None:
        self._slots[number].was_ready = True
        self._ready[number] = told
        if not self._announced and len(self._ready) == len(self._slots):
            self._announced = True
            self._on_ready([self._ready[one.number] for one in self._slots])

    def _reap(self) -> None:
        for number, child in list(self._running.items()):
            code = child.poll()
            if code is None:
                continue
            del self._running[number]
            process.end_session(child.pid)
            slot, now = self._slots[number], time.monotonic()
            if self._kill_at is not None:
                if code != -signal.SIGTERM:  # one that had only just begun holds nothing, and dies of it
                    self._code = self._code or (1 if code < 0 else code)
            elif slot.ended(code, now):
                again = round(slot.not_before - now, 1)
                self._log.warning("process.ended", number=number, pid=child.pid, code=code, again_in_s=again)
            else:
                self._code = code
                self._stop()

    def _stop(self) -> None:
        """First SIGTERM to all; asked again, or past the bound, SIGKILL."""
        if self._kill_at is not None:
            self._all(signal.SIGKILL)
            return
        self._kill_at = time.monotonic() + self._drain_s + GRACE_S
        self._all(signal.SIGTERM)

    def _all(self, number: signal.Signals) -> None:
        for child in self._running.values():
            process.send(child, number)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """`SimpleQueue.put` is the one queue operation that a signal handler may use."""
        asked = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, lambda *_: self._events.put(("stop", 0, {}))) for number in asked}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def command_line(*arguments: str) -> list[str]:
    """This same `auditlane`, with these arguments."""
    return [sys.executable, "-m", "auditlane.cli", *arguments]
