"""Runs the processes of a plan. One loop starts, signals and reaps them, and `Plan` decides what to do next."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf
from queue import Empty, SimpleQueue

from auditlane.runtime import process
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.process_plan import Action, Plan, Verb


class ProcessLoop(ABC):
    """Runs a plan's processes. Use it from the main thread: children are tethered to the thread that starts them, and
    signals arrive there.

    A subclass defines how a service is started and how its exit is handled. Events from other threads and signal
    handlers are posted as callables and run on the loop.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._crashes: dict[str, ProcessExit] = {}  # unexpected exits of processes that have not been restarted
        self._events: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stop_requested = False

    @abstractmethod
    def _start(self, name: str) -> None:
        """Start a service, and pass its process, if any, to `_started`."""

    @abstractmethod
    def _exited(self, name: str, pid: int, code: int) -> None:
        """Report to the plan that a service has exited. `pid` is 0 if the service has no process."""

    def _restarted(self, name: str, ended: ProcessExit) -> None:  # noqa: B027 - nothing, unless it is reported
        """Handle the restart of a process that ended unexpectedly."""

    def _read_output(self, name: str, child: subprocess.Popen[bytes]) -> None:  # noqa: B027 - nothing, unless it is piped
        """Read a child's output until the child closes it. Runs in the child's own thread."""

    def _after_actions(self) -> float:
        """Run after each round of actions. Returns the latest time at which to run again."""
        return inf

    def _loop(self) -> None:
        """Run until the plan is finished. SIGINT, SIGTERM and SIGHUP (a closed terminal) request a stop."""
        with self._signals():
            try:
                while True:
                    actions = self._plan.decide(time.monotonic())
                    for action in actions:
                        self._act(action)
                    again_at = self._after_actions()
                    if self._plan.finished:
                        return
                    if not actions:  # a failed action may have changed the plan
                        self._wait(again_at)
            finally:
                for child in self._running.values():  # only after an unexpected error
                    process.send(child, signal.SIGKILL)

    def _act(self, action: Action) -> None:
        if action.verb is Verb.START:
            self._start(action.name)
        elif child := self._running.get(action.name):
            process.send(child, signal.SIGTERM if action.verb is Verb.TERMINATE else signal.SIGKILL)
        else:
            self._exited(action.name, 0, 1)

    def _started(self, name: str, child: subprocess.Popen[bytes]) -> None:
        self._running[name] = child
        if ended := self._crashes.pop(name, None):
            self._restarted(name, ended)

        def watch() -> None:
            self._read_output(name, child)
            child.wait()
            self._post(self._reap)

        threading.Thread(target=watch, name=f"watch-{name}", daemon=True).start()

    def _post(self, event: Callable[[], None]) -> None:
        """Run `event` on the loop. `SimpleQueue.put` is the only queue operation that is safe in a signal handler."""
        self._events.put(event)

    def _wait(self, again_at: float) -> None:
        """Wait for the next event and run it. Returns without one at the plan's next deadline or at `again_at`."""
        deadline = self._plan.wake_at()
        wake = again_at if deadline is None else min(deadline, again_at)
        try:
            event = self._events.get(timeout=None if wake == inf else max(0.0, wake - time.monotonic()))
        except Empty:
            return
        event()

    def _reap(self) -> None:
        for name, child in list(self._running.items()):
            code = child.poll()
            if code is not None:
                del self._running[name]
                process.end_session(child.pid)
                if not self._plan.stopping:
                    self._crashes[name] = ProcessExit(child.pid, code, datetime.now(UTC))
                self._exited(name, child.pid, code)

    def _stop(self) -> None:
        """Stop every process, or kill them if this is the second request."""
        stop = self._plan.force if self._stop_requested else self._plan.stop
        self._stop_requested = True
        stop(time.monotonic())

    @contextmanager
    def _signals(self) -> Iterator[None]:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            for number, handler in before.items():
                if handler is not signal.SIG_IGN:  # `nohup` ignores SIGHUP
                    signal.signal(number, lambda *_: self._post(self._stop))
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
