"""Runs a stack: starts the services in order, maintains the state file, and notifies an observer."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from auditlane.local.layout import Layout, bound, rotate, tail
from auditlane.local.services import Service
from auditlane.runtime import process
from auditlane.runtime.errors import AuditlaneError, PartFailed
from auditlane.runtime.process import ProcessExit
from auditlane.runtime.process_loop import ProcessLoop
from auditlane.runtime.process_plan import Plan, Policy, State

_READINESS_INTERVAL_S = 0.15
_HOUSEKEEPING_S = 30.0


class Observer(Protocol):
    """Receives a stack's events, which `up` shows on the terminal."""

    def changed(self, service: Service, state: State, seconds: float) -> None:
        """Handle a service's new state, after `seconds` in the previous one."""

    def trouble(self, service: Service, failures: int, log: str) -> None:
        """Handle repeated failures of a service that was ready before."""

    def remark(self, service: Service, sentence: str) -> None:
        """Handle a problem of a service that is ready."""

    def ready(self, state: Mapping[str, Any]) -> None:
        """Handle the first time that every service is ready."""


class Supervisor(ProcessLoop):
    """Runs one stack's processes. Use it from the main thread."""

    def __init__(
        self,
        services: Sequence[Service],
        layout: Layout,
        env: Mapping[str, str],
        ports: Mapping[str, int],
        observer: Observer,
        policy: Policy | None = None,
        facts: Mapping[str, Any] | None = None,
        on_restart: Callable[[str, ProcessExit], None] = lambda name, ended: None,
    ) -> None:
        """Prepare the services.

        `facts` are additional entries for the state file. `on_restart` is called with the name of each service whose
        process ended unexpectedly and was restarted.
        """
        super().__init__(Plan([service.spec for service in services], policy))
        self._services = {service.name: service for service in services}
        self._layout = layout
        self._facts = {"pid": os.getpid(), "env": dict(env), "ports": dict(ports), **(facts or {})}
        self._observer = observer
        self._on_restart = on_restart
        self._checks: dict[str, threading.Event] = {}  # set to end a service's readiness check
        self._remarks: dict[str, Sequence[str]] = {}
        self._published: dict[str, tuple[State, float]] = {}
        self._announced = False
        self._housekeeping_at = 0.0
        self._failure: AuditlaneError | OSError | None = None

    def run(self) -> None:
        """Run until a stop signal. Once all services have stopped in order, raises PartFailed if one could not be
        started the first time, or the AuditlaneError or OSError that `Observer.ready` raised.
        """
        for service in self._services.values():
            for log in service.logs:
                rotate(log)
        self._housekeeping_at = time.monotonic() + _HOUSEKEEPING_S
        self._loop()
        if self._failure:
            raise self._failure

    def _after_actions(self) -> float:
        self._publish()
        now = time.monotonic()
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + _HOUSEKEEPING_S
            self._bound_logs()
        return self._housekeeping_at

    def _start(self, name: str) -> None:
        service, starts = self._services[name], self._plan.services[name].starts
        try:
            if service.prepare:
                service.prepare()
            if service.command:
                log = service.logs[-1]
                if starts > 1 and name == "demo":
                    rotate(log)  # the ready line must come from this run
                self._started(name, process.start(service.command, cwd=service.cwd, env=service.env, output=log))
        except (AuditlaneError, OSError) as error:
            self._start_failed(service, _as_auditlane_error(service, error))
            return
        if service.is_ready:
            self._check_readiness(name, starts, service.is_ready, service.remarks or list)

    def _start_failed(self, service: Service, error: AuditlaneError) -> None:
        """Stop the stack if a service fails during the first start.

        After the first start, the cause may be temporary, such as a full disk, and the other services keep running.
        """
        now = time.monotonic()
        self._plan.exited(service.name, 1, now)
        if not self._plan.was_ready:
            self._failure = self._failure or error
            self._plan.stop(now)
        elif (failures := self._plan.services[service.name].failures) == service.spec.max_failures:
            self._observer.trouble(service, failures, f"    {error}")

    def _check_readiness(
        self, name: str, starts: int, is_ready: Callable[[], bool], remarks: Callable[[], list[str]]
    ) -> None:
        ended = self._checks[name] = threading.Event()

        def check() -> None:
            while not ended.is_set():
                if is_ready():
                    self._post(partial(self._became_ready, name, starts, remarks()))
                    return
                ended.wait(_READINESS_INTERVAL_S)

        threading.Thread(target=check, name=f"check-{name}", daemon=True).start()

    def _became_ready(self, name: str, starts: int, remarks: Sequence[str]) -> None:
        """Record that a service is ready. `starts` identifies this run of the service."""
        if starts != self._plan.services[name].starts:
            return
        self._remarks[name] = remarks
        for sentence in remarks:
            self._observer.remark(self._services[name], sentence)
        self._plan.became_ready(name, time.monotonic())

    def _restarted(self, name: str, ended: ProcessExit) -> None:
        self._on_restart(name, ended)

    def _exited(self, name: str, pid: int, code: int) -> None:
        if ended := self._checks.pop(name, None):
            ended.set()
        self._plan.exited(name, code, time.monotonic())
        service, known = self._services[name], self._plan.services[name]
        if self._plan.failed == name:
            self._failure = self._failure or start_failure(service)
        elif known.state is State.RESTARTING and known.failures == service.spec.max_failures:
            self._observer.trouble(service, known.failures, log_tail(service))

    def _publish(self) -> None:
        fresh = False
        for name, known in self._plan.services.items():
            before, since = self._published.get(name, (None, known.since))
            if before is not known.state:
                fresh = True
                self._published[name] = (known.state, known.since)
                if before and not (known.state is State.STOPPED and before is not State.STOPPING):
                    self._observer.changed(self._services[name], known.state, known.since - since)
        if not fresh:
            return
        state = self.state()
        with suppress(OSError):  # a full disk, which the services may survive
            self._layout.write_state(state)
        if self._plan.ready and not self._announced:
            self._announced = True
            try:
                self._observer.ready(state)
            except (AuditlaneError, OSError) as error:  # the ready block cannot be printed
                self._failure = error
                self._post(lambda: self._plan.stop(time.monotonic()))

    def state(self) -> dict[str, Any]:
        """Return the content of the state file: the five services, others under `extras`, and facts for the next
        start.
        """
        rows = {name: self._row(name) for name in self._services}
        return {
            "ready": self._plan.ready,
            "phase": "stopped" if self._plan.finished else "stopping" if self._plan.stopping else "running",
            "parts": [row for name, row in rows.items() if self._services[name].listed],
            "extras": [row for name, row in rows.items() if not self._services[name].listed],
            **self._facts,
        }

    def _row(self, name: str) -> dict[str, Any]:
        service, known, child = self._services[name], self._plan.services[name], self._running.get(name)
        state = "external" if service.external and known.state is State.READY else known.state.value
        return {
            "name": name,
            "pid": child.pid if child else None,
            "url": service.url,
            "state": state,
            "external": service.external,
            "starts": known.starts,
            "log": str(service.logs[0]) if service.logs else "",
            **({"native": service.native} if service.native else {}),
            **({"remarks": list(self._remarks[name])} if self._remarks.get(name) else {}),
        }

    def _bound_logs(self) -> None:
        for service in self._services.values():
            if service.name != "demo":
                for log in service.logs:
                    bound(log)


def _as_auditlane_error(service: Service, error: AuditlaneError | OSError) -> AuditlaneError:
    if isinstance(error, AuditlaneError):
        return error
    return PartFailed(f"{service.name} could not be started: {error}.", fix="Free disk space, or correct permissions.")


def start_failure(service: Service) -> PartFailed:
    """Return the error for a service that could not be started."""
    if service.external:
        return PartFailed(
            f"{service.name} is unreachable at {service.url}.",
            fix=f"Start it, or correct its AUDITLANE_* variables, or unset them to run the embedded {service.name}."
            " Run auditlane doctor for details.",
        )
    return PartFailed(
        f"{service.name} exited {service.spec.max_failures} times before it was ready. The end of its log:\n"
        f"{log_tail(service)}",
        fix=f"Read the whole log: {' and '.join(map(str, service.logs))}",
    )


def log_tail(service: Service) -> str:
    """Return the end of a service's logs, with each line indented."""
    text = "\n".join(filter(None, (tail(log) for log in service.logs))) or "(empty)"
    return "\n".join(f"    {line}" for line in text.splitlines())
