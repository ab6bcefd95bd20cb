"""What to do next with processes that need one another: start, restart, stop, give up. Pure: states and time in,
actions out.

    waiting ──▶ starting ──▶ ready ──▶ stopping ──▶ stopped
                 │   ▲          │
                 ▼   │          │ (it died)          a one-shot ends as `done`
               restarting ◀─────┘

A part starts when all that it needs is ready, at its restarts too. Parts stop tier by tier, the highest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    WAITING = "waiting"  # for a part that it needs
    STARTING = "starting"  # it runs and does not answer yet
    READY = "ready"
    DONE = "done"  # a one-shot that ended well
    RESTARTING = "restarting"  # it died and waits out its backoff
    STOPPING = "stopping"
    STOPPED = "stopped"


_UP = {State.READY, State.DONE}
_RUNNING = {State.STARTING, State.READY, State.STOPPING}


class Verb(StrEnum):
    START = "start"
    TERMINATE = "terminate"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Action:
    verb: Verb
    name: str


@dataclass(frozen=True, slots=True)
class Spec:
    """One part. `once`: it runs to its end and is then done. Times in seconds."""

    name: str
    needs: tuple[str, ...] = ()
    tier: int = 0
    once: bool = False
    start_within: float = 120.0
    give_up: int = 4  # deaths in a row that end the first start
    stop_within: float = 20.0


@dataclass(frozen=True, slots=True)
class Policy:
    """A part that was ready for `stable` seconds has a clean slate: its deaths are counted anew."""

    backoff_first: float = 0.25
    backoff_most: float = 15.0
    stable: float = 10.0

    def backoff(self, deaths: int) -> float:
        """Seconds to wait after that many deaths in a row (at least one)."""
        return min(self.backoff_most, self.backoff_first * 2.0 ** min(deaths - 1, 16))


@dataclass(slots=True)
class Part:
    """What is known of one part. `until` is the end of the state's patience, if it has one."""

    spec: Spec
    state: State = State.WAITING
    since: float = 0.0
    until: float | None = None
    deaths: int = 0
    starts: int = 0

    def become(self, state: State, now: float, until: float | None = None) -> None:
        self.state, self.since, self.until = state, now, until

    def due(self, now: float) -> bool:
        return self.until is not None and now >= self.until


class Plan:
    """Feed it what happened, then ask `decide`. `failed` names the part for which the first start was given up."""

    def __init__(self, specs: Iterable[Spec], policy: Policy | None = None) -> None:
        self.parts = {spec.name: Part(spec) for spec in specs}
        self.policy = policy or Policy()
        self.stopping = False
        self.failed: str | None = None
        self.was_ready = False

    @property
    def ready(self) -> bool:
        """Everything is up."""
        return not self.stopping and all(part.state in _UP for part in self.parts.values())

    @property
    def finished(self) -> bool:
        """A stop was asked for and nothing runs any more."""
        return self.stopping and not any(part.state in _RUNNING for part in self.parts.values())

    def answered(self, name: str, now: float) -> None:
        """A starting part answers."""
        part = self.parts[name]
        if part.state is State.STARTING:
            part.become(State.READY, now)
            self.was_ready = self.was_ready or self.ready

    def exited(self, name: str, code: int, now: float) -> None:
        """A part's process has ended, or could not be started."""
        part = self.parts[name]
        if self.stopping:
            part.become(State.STOPPED, now)
        elif part.spec.once and code == 0:
            part.become(State.DONE, now)
            self.was_ready = self.was_ready or self.ready
        else:
            self._died(part, now)

    def _died(self, part: Part, now: float) -> None:
        was_stable = part.state is State.READY and now - part.since >= self.policy.stable
        part.deaths = 1 if was_stable else part.deaths + 1
        part.become(State.RESTARTING, now, now + self.policy.backoff(part.deaths))
        if part.deaths >= part.spec.give_up and not self.was_ready:
            self.failed = part.spec.name
            self.stop(now)

    def stop(self, now: float) -> None:
        """Stop everything, in order."""
        self.stopping = True
        for part in self.parts.values():
            if part.state not in _RUNNING:
                part.become(State.STOPPED, now)

    def force(self, now: float) -> None:
        """Stop everything at once: what runs is killed by the next `decide`."""
        self.stop(now)
        for part in self.parts.values():
            if part.state in _RUNNING:
                part.become(State.STOPPING, now, until=now)

    def decide(self, now: float) -> list[Action]:
        """What to do now; the plan assumes that it is done. Ask again after each event and at `wake_at`."""
        return self._stop_next(now) if self.stopping else self._start_next(now)

    def wake_at(self) -> float | None:
        """When to ask again even though nothing happened."""
        return min((part.until for part in self.parts.values() if part.until is not None), default=None)

    def _start_next(self, now: float) -> list[Action]:
        actions = []
        for name, part in self.parts.items():
            if part.state is State.STARTING and part.due(now):
                part.until = None  # killed once; its end is reported as any other
                actions.append(Action(Verb.KILL, name))
            elif part.state is State.RESTARTING and part.due(now):
                part.become(State.WAITING, now)
            if part.state is State.WAITING and all(self.parts[need].state in _UP for need in part.spec.needs):
                part.become(State.STARTING, now, now + part.spec.start_within)
                part.starts += 1
                actions.append(Action(Verb.START, name))
        return actions

    def _stop_next(self, now: float) -> list[Action]:
        running = {name: part for name, part in self.parts.items() if part.state in _RUNNING}
        tier = max((part.spec.tier for part in running.values()), default=0)
        actions = []
        for name, part in running.items():
            if part.state is State.STOPPING:
                if part.due(now):
                    part.until = None
                    actions.append(Action(Verb.KILL, name))
            elif part.spec.tier == tier:
                part.become(State.STOPPING, now, now + part.spec.stop_within)
                actions.append(Action(Verb.TERMINATE, name))
        return actions
