"""Run a plan: start and stop real processes, watch them, keep the state file true. The decisions are `plan`'s."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from auditlane.local.layout import Layout, bound, rotate, tail
from auditlane.local.parts import Part
from auditlane.runtime import process
from auditlane.runtime.errors import AuditlaneError, PartFailed
from auditlane.runtime.process_plan import Action, Plan, Policy, State, Verb

_ASK_EVERY_S = 0.15
_HOUSEKEEPING_S = 30.0


class Observer(Protocol):
    """Who is told what happens; the terminal, in `up`."""

    def changed(self, part: Part, state: State, seconds: float) -> None:
        """A part is in a new state; it was in the old one for so many seconds."""

    def trouble(self, part: Part, deaths: int, log: str) -> None:
        """A part that was up before keeps dying."""

    def remark(self, part: Part, sentence: str) -> None:
        """Something is wrong with a part that is up."""

    def ready(self, state: Mapping[str, Any]) -> None:
        """Everything is up, for the first time."""


@dataclass(frozen=True, slots=True)
class _Event:
    """`number` tells one run of a part from the next."""

    kind: str  # answered, child, signal
    name: str = ""
    number: int = 0
    remarks: Sequence[str] = ()


class Supervisor:
    """One stack's processes. Use from the main thread: children are tied to the thread that starts them."""

    def __init__(
        self,
        parts: Sequence[Part],
        layout: Layout,
        env: Mapping[str, str],
        ports: Mapping[str, int],
        observer: Observer,
        policy: Policy | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """`facts` are further ones for the state file."""
        self._parts = {part.name: part for part in parts}
        self._plan = Plan([part.spec for part in parts], policy)
        self._layout = layout
        self._facts = {"pid": os.getpid(), "env": dict(env), "ports": dict(ports), **(facts or {})}
        self._observer = observer
        self._events: SimpleQueue[_Event] = SimpleQueue()
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._asking: dict[str, threading.Event] = {}
        self._remarks: dict[str, Sequence[str]] = {}
        self._shown: dict[str, tuple[State, float]] = {}
        self._announced = False
        self._stops = 0
        self._failure: AuditlaneError | OSError | None = None

    def run(self) -> None:
        """Until a signal asks to stop. Raises PartFailed when a part could not be brought up the first time, and what
        `Observer.ready` raised of AuditlaneError and OSError, when all parts have stopped in order."""
        for part in self._parts.values():
            for log in part.logs:
                rotate(log)
        with self._signals():
            try:
                self._loop()
            finally:
                for name in list(self._running):  # only after an error of ours
                    process.send(self._running[name], signal.SIGKILL)
        if self._failure:
            raise self._failure

    def _loop(self) -> None:
        housekeeping = time.monotonic() + _HOUSEKEEPING_S
        while not self._plan.finished:
            for action in self._plan.decide(time.monotonic()):
                self._act(action)
            self._show()
            if self._plan.finished:
                break
            now = time.monotonic()
            if now >= housekeeping:
                housekeeping = now + _HOUSEKEEPING_S
                self._bound_logs()
            wake = min(self._plan.wake_at() or housekeeping, housekeeping)
            self._wait(max(0.0, wake - now))
        self._show()

    def _wait(self, seconds: float) -> None:
        try:
            event = self._events.get(timeout=seconds)
        except Empty:
            return
        if event.kind == "signal":
            self._stop()
        elif event.kind == "child":
            self._reap()
        elif event.number == self._plan.parts[event.name].starts:
            self._remarks[event.name] = event.remarks
            for sentence in event.remarks:
                self._observer.remark(self._parts[event.name], sentence)
            self._plan.answered(event.name, time.monotonic())

    def _stop(self) -> None:
        self._stops += 1
        now = time.monotonic()
        if self._stops == 1:
            self._plan.stop(now)
        else:
            self._plan.force(now)

    def _act(self, action: Action) -> None:
        part = self._parts[action.name]
        if action.verb is Verb.START:
            self._start(part)
        elif part.external:
            self._ended(part.name, 1)
        elif action.name in self._running:
            number = signal.SIGTERM if action.verb is Verb.TERMINATE else signal.SIGKILL
            process.send(self._running[action.name], number)

    def _start(self, part: Part) -> None:
        try:
            if part.prepare:
                part.prepare()
            if part.command:
                log = part.logs[-1]
                if self._plan.parts[part.name].starts > 1 and part.spec.name == "demo":
                    rotate(log)  # its log says whether this run is ready
                self._running[part.name] = process.start(part.command, cwd=part.cwd, env=part.env, output=log)
        except (AuditlaneError, OSError) as error:
            self._not_started(part, _as_ours(part, error))
            return
        if part.answers:
            self._ask(part, part.answers, part.remarks or list)

    def _not_started(self, part: Part, error: AuditlaneError) -> None:
        """At first what is wrong is told at once; later it may pass, as a full disk does, and the others go on."""
        now = time.monotonic()
        self._plan.exited(part.name, 1, now)
        if not self._plan.was_ready:
            self._failure = self._failure or error
            self._plan.stop(now)
        elif (deaths := self._plan.parts[part.name].deaths) == part.spec.give_up:
            self._observer.trouble(part, deaths, f"    {error}")

    def _ask(self, part: Part, answers: Callable[[], bool], remarks: Callable[[], list[str]]) -> None:
        number, given_up = self._plan.parts[part.name].starts, threading.Event()
        self._asking[part.name] = given_up

        def ask() -> None:
            while not given_up.is_set():
                if answers():
                    self._events.put(_Event("answered", part.name, number, remarks()))
                    return
                given_up.wait(_ASK_EVERY_S)

        threading.Thread(target=ask, name=f"ask-{part.name}", daemon=True).start()

    def _reap(self) -> None:
        for name, running in list(self._running.items()):
            code = running.poll()
            if code is not None:
                process.end_session(running.pid)
                self._ended(name, code)

    def _ended(self, name: str, code: int) -> None:
        self._running.pop(name, None)
        if asking := self._asking.pop(name, None):
            asking.set()
        self._plan.exited(name, code, time.monotonic())
        part, known = self._parts[name], self._plan.parts[name]
        if self._plan.failed == name:
            self._failure = self._failure or failure(part)
        elif known.state is State.RESTARTING and known.deaths == part.spec.give_up:
            self._observer.trouble(part, known.deaths, last_words(part))

    def _show(self) -> None:
        """Tell the observer and the state file what is new."""
        fresh = False
        for name, known in self._plan.parts.items():
            before, since = self._shown.get(name, (None, known.since))
            if before is not known.state:
                fresh = True
                self._shown[name] = (known.state, known.since)
                if before and not (known.state is State.STOPPED and before is not State.STOPPING):
                    self._observer.changed(self._parts[name], known.state, known.since - since)
        if not fresh:
            return
        state = self.state()
        with suppress(OSError):  # a full disk: the parts may still be able to go on
            self._layout.write_state(state)
        if self._plan.ready and not self._announced:
            self._announced = True
            try:
                self._observer.ready(state)
            except (AuditlaneError, OSError) as error:  # what is ready cannot be told
                self._failure = error
                self._plan.stop(time.monotonic())

    def state(self) -> dict[str, Any]:
        """As in the state file: the five parts, the others under `extras`, and what the next start wants to know."""
        rows = {name: self._row(name) for name in self._parts}
        return {
            "ready": self._plan.ready,
            "phase": "stopped" if self._plan.finished else "stopping" if self._plan.stopping else "running",
            "parts": [row for name, row in rows.items() if self._parts[name].listed],
            "extras": [row for name, row in rows.items() if not self._parts[name].listed],
            **self._facts,
        }

    def _row(self, name: str) -> dict[str, Any]:
        part, known, running = self._parts[name], self._plan.parts[name], self._running.get(name)
        state = "external" if part.external and known.state is State.READY else known.state.value
        return {
            "name": name,
            "pid": running.pid if running else None,
            "url": part.url,
            "state": state,
            "external": part.external,
            "starts": known.starts,
            "log": str(part.logs[0]) if part.logs else "",
            **({"native": part.native} if part.native else {}),
            **({"remarks": list(self._remarks[name])} if self._remarks.get(name) else {}),
        }

    def _bound_logs(self) -> None:
        for part in self._parts.values():
            if part.name != "demo":
                for log in part.logs:
                    bound(log)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT, SIGTERM and a closed terminal ask to stop; SIGCHLD says that a part ended. `SimpleQueue.put` is
        the one queue operation that a signal handler may use."""
        kinds = {signal.SIGINT: "signal", signal.SIGTERM: "signal", signal.SIGHUP: "signal", signal.SIGCHLD: "child"}
        before = {number: signal.getsignal(number) for number in kinds}
        try:
            for number, kind in kinds.items():
                if before[number] is signal.SIG_IGN:  # as `nohup` asks for
                    continue
                signal.signal(number, lambda *_, kind=kind: self._events.put(_Event(kind)))
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _as_ours(part: Part, error: AuditlaneError | OSError) -> AuditlaneError:
    if isinstance(error, AuditlaneError):
        return error
    return PartFailed(f"{part.name} could not be started: {error}.", fix="Free some space, or correct permissions.")


def failure(part: Part) -> PartFailed:
    """What to say when a part could not be brought up."""
    if part.external:
        return PartFailed(
            f"{part.name} does not answer at {part.url}.",
            fix=f"Start it, or correct its AUDITLANE_* variables, or unset them to run the embedded {part.name}."
            " `auditlane doctor` says more.",
        )
    return PartFailed(
        f"{part.name} ended {part.spec.give_up} times before it was ready. The end of its log:\n{last_words(part)}",
        fix=f"All of it: {' and '.join(map(str, part.logs))}",
    )


def last_words(part: Part) -> str:
    """The end of a part's logs, each line indented."""
    text = "\n".join(filter(None, (tail(log) for log in part.logs))) or "(nothing)"
    return "\n".join(f"    {line}" for line in text.splitlines())
