"""Decides when to start, restart or stop processes that depend on one another, and when to give up.

    waiting ──▶ starting ──▶ ready ──▶ stopping ──▶ stopped
                 │   ▲          │
                 ▼   │          │ (it exited)        a one-shot ends as `done`
               restarting ◀─────┘

The plan is pure: it turns states and the time into actions. A service starts or restarts when all services that it
depends on are ready. Services stop tier by tier, the highest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    WAITING = "waiting"  # until the services that it depends on are ready
    STARTING = "starting"  # running, but not yet ready
    READY = "ready"
    DONE = "done"  # a one-shot that succeeded
    RESTARTING = "restarting"  # exited, waiting for its back-off
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
class ServiceSpec:
    """How to run one service. A `one_shot` service is done when it has exited with code 0."""

    name: str
    depends_on: tuple[str, ...] = ()
    tier: int = 0
    one_shot: bool = False
    start_timeout_s: float = 120.0
    max_failures: int = 4  # number of consecutive failures after which the initial start of all services is abandoned
    stop_timeout_s: float = 20.0


@dataclass(frozen=True, slots=True)
class Policy:
    """When to restart a service, and how often.

    A service's failure count is reset once it has been ready for `stable_after_s` seconds.
    """

    backoff_initial_s: float = 0.25
    backoff_max_s: float = 15.0
    stable_after_s: float = 10.0

    def backoff(self, failures: int) -> float:
        """Return how many seconds to wait after this many consecutive failures (at least one)."""
        return min(self.backoff_max_s, self.backoff_initial_s * 2.0 ** min(failures - 1, 16))


@dataclass(slots=True)
class ServiceState:
    """One service's current state. `deadline` is the time by which this state must end, or None."""

    spec: ServiceSpec
    state: State = State.WAITING
    since: float = 0.0
    deadline: float | None = None
    failures: int = 0
    starts: int = 0

    def enter(self, state: State, now: float, deadline: float | None = None) -> None:
        self.state = state
        self.since = now
        self.deadline = deadline

    def deadline_passed(self, now: float) -> bool:
        return self.deadline is not None and now >= self.deadline


class Plan:
    """A plan for processes. Report events to it, and then call `decide`. `failed` names the service that caused the
    first start to fail.
    """

    def __init__(self, specs: Iterable[ServiceSpec], policy: Policy | None = None) -> None:
        self.services = {spec.name: ServiceState(spec) for spec in specs}
        self.policy = policy or Policy()
        self.stopping = False
        self.failed: str | None = None
        self.was_ready = False

    @property
    def ready(self) -> bool:
        """Whether every service is ready or done."""
        return not self.stopping and all(service.state in _UP for service in self.services.values())

    @property
    def finished(self) -> bool:
        """Whether a stop was requested and no service is running any longer."""
        return self.stopping and not any(service.state in _RUNNING for service in self.services.values())

    def became_ready(self, name: str, now: float) -> None:
        """Record that a starting service is ready."""
        service = self.services[name]
        if service.state is State.STARTING:
            service.enter(State.READY, now)
            self.was_ready = self.was_ready or self.ready

    def exited(self, name: str, code: int, now: float) -> None:
        """Record that a service's process has exited, or could not be started."""
        service = self.services[name]
        if self.stopping:
            service.enter(State.STOPPED, now)
        elif service.spec.one_shot and code == 0:
            service.enter(State.DONE, now)
            self.was_ready = self.was_ready or self.ready
        else:
            self._record_failure(service, now)

    def _record_failure(self, service: ServiceState, now: float) -> None:
        was_stable = service.state is State.READY and now - service.since >= self.policy.stable_after_s
        service.failures = 1 if was_stable else service.failures + 1
        service.enter(State.RESTARTING, now, now + self.policy.backoff(service.failures))
        if service.failures >= service.spec.max_failures and not self.was_ready:
            self.failed = service.spec.name
            self.stop(now)

    def stop(self, now: float) -> None:
        """Request a stop of all services, tier by tier."""
        self.stopping = True
        for service in self.services.values():
            if service.state not in _RUNNING:
                service.enter(State.STOPPED, now)

    def force(self, now: float) -> None:
        """Request an immediate stop of all services: the next `decide` kills the running processes."""
        self.stop(now)
        for service in self.services.values():
            if service.state in _RUNNING:
                service.enter(State.STOPPING, now, deadline=now)

    def decide(self, now: float) -> list[Action]:
        """Return the actions to take now. The plan assumes that they are taken. Call this after each event and at
        `wake_at`.
        """
        return self._stop_next(now) if self.stopping else self._start_next(now)

    def wake_at(self) -> float | None:
        """Return when to call `decide` again without an event, or None if no state has a deadline."""
        return min(
            (service.deadline for service in self.services.values() if service.deadline is not None), default=None
        )

    def _start_next(self, now: float) -> list[Action]:
        actions = []
        for name, service in self.services.items():
            if service.state is State.STARTING and service.deadline_passed(now):
                service.deadline = None  # killed only once; its exit is reported like any other
                actions.append(Action(Verb.KILL, name))
            elif service.state is State.RESTARTING and service.deadline_passed(now):
                service.enter(State.WAITING, now)
            if service.state is State.WAITING and all(
                self.services[need].state in _UP for need in service.spec.depends_on
            ):
                service.enter(State.STARTING, now, now + service.spec.start_timeout_s)
                service.starts += 1
                actions.append(Action(Verb.START, name))
        return actions

    def _stop_next(self, now: float) -> list[Action]:
        running = {name: service for name, service in self.services.items() if service.state in _RUNNING}
        tier = max((service.spec.tier for service in running.values()), default=0)
        actions = []
        for name, service in running.items():
            if service.state is State.STOPPING:
                if service.deadline_passed(now):
                    service.deadline = None
                    actions.append(Action(Verb.KILL, name))
            elif service.spec.tier == tier:
                service.enter(State.STOPPING, now, now + service.spec.stop_timeout_s)
                actions.append(Action(Verb.TERMINATE, name))
        return actions
