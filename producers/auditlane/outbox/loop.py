"""Runs a relay until it is stopped. It polls faster while rows arrive, and waits longer while something fails."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from auditlane.outbox.metrics import RelayMetrics
from auditlane.outbox.relay import Relay, Step
from auditlane.outbox.store import OutboxStore, problem_of
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.log import get

_SOONEST_S: Final = 0.05
_FAILED_FIRST_S: Final = 1.0
_FAILED_MAX_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The pause before the next step, in seconds. Immutable: `after` returns the next pace."""

    poll_s: float
    pause_s: float = 0.0
    failures: int = 0

    def after(self, step: Step | None) -> Pace:
        """Return the pace after a step. None means that the database failed during the step."""
        if step is None or (step.error is not None and not step.sent):
            pause_s = min(_FAILED_MAX_S, _FAILED_FIRST_S * 2**self.failures)
            return replace(self, pause_s=pause_s, failures=min(self.failures + 1, 10))
        if step.more:
            return Pace(self.poll_s)
        if step.sent:
            return Pace(self.poll_s, min(self.poll_s, _SOONEST_S))
        return Pace(self.poll_s, min(self.poll_s, max(_SOONEST_S, 2 * self.pause_s)))


class RelayLoop:
    """Runs a relay. It logs when failures begin and end, and updates the metrics."""

    def __init__(self, relay: Relay, store: OutboxStore, metrics: RelayMetrics, poll_s: float) -> None:
        self._relay = relay
        self._store = store
        self._metrics = metrics
        self._pace = Pace(poll_s)
        self._log = get("outbox")
        self.problem = ""

    def run(self, stop: threading.Event) -> None:
        """Send rows until `stop` is set."""
        while not stop.wait(self._pace.pause_s):
            self.step()

    def step(self) -> None:
        """Run one step, and set the pause before the next one. Failures are logged and counted, but not raised."""
        step: Step | None = None
        error: AuditlaneError | str | None = None
        try:
            step = self._relay.step()
            error = step.error
        except SQLAlchemyError as failure:
            error = problem_of(failure)
        if step is not None:
            self._metrics.did(step)
            if step.set_aside:
                self._log.error("outbox.set_aside", rows=step.set_aside)
        if error is not None:
            self._metrics.failed("database" if step is None else "kafka")
            if not self.problem:
                self._log.error("outbox.failing", problem=str(error))
            self.problem = str(error)
        elif self.problem:
            self._log.info("outbox.recovered")
            self.problem = ""
        self._pace = self._pace.after(step)

    def measure(self) -> None:
        """Set the gauges. Call this before each scrape. While the database fails, they keep their values."""
        try:
            self._metrics.measure(self._store.backlog(datetime.now(UTC)))
        except SQLAlchemyError as error:
            self._metrics.failed("database")
            self.problem = self.problem or problem_of(error)


def drain(relay: Relay, stop: threading.Event) -> Step:
    """Send rows until none are left, `stop` is set, or a step fails. Returns the combined result. Raises SQLAlchemy's
    errors.
    """
    done = Step()
    while not stop.is_set():
        step = relay.step()
        done = done.followed_by(replace(step, more=False))
        if step.error is not None or not (step.sent or step.set_aside or step.more):
            break
    return done
