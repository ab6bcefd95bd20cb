"""Sends canary events one at a time, and waits until each is visible, lost or rejected."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Final

from auditlane.access.audit import Action, AuditRecord
from auditlane.access.provenance_keys import path_of
from auditlane.contract.event import AuditEvent
from auditlane.observe.canary import trip as trips
from auditlane.observe.canary.metrics import CanaryMetrics
from auditlane.observe.canary.sight import NAME, Sight
from auditlane.observe.canary.trip import Limits, Outcome, Status, Trip
from auditlane.runtime.errors import AuditlaneError, ConfigError, KafkaUnavailable
from auditlane.runtime.ids import uuid7
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.trail.client import AuditProducer
from auditlane.trail.events import events_of
from auditlane.trail.lifecycle import instance_name

_TURN_S: Final = 0.2  # interval for checking whether Kafka is done
_GRACE_S: Final = 5.0  # time for librdkafka to report that an event has timed out
_IDLE_S: Final = 1.0
_STOP_S: Final = 7.0  # time within which a read in progress ends


def check(settings: Settings) -> None:
    """Raise ConfigError, naming the missing settings, if events cannot be sent with these settings."""
    missing = [variable(name) for name in ("kafka_bootstrap", "registry_url") if not getattr(settings, name)]
    if path_of(settings) is None:
        missing.append(variable("provenance_keys_file"))
    if missing:
        raise ConfigError(
            f"The canary cannot send events. Not set: {', '.join(missing)}.",
            fix="Set them as for `serve`. For the embedded stack of `auditlane up`, `auditlane env` prints them.",
        )


def canary_event(at: datetime, instance: str) -> AuditEvent:
    """Return an event for the log of `_auditlane`. `instance` names the process that sends it."""
    record = AuditRecord(
        action=Action.canary_sent, actor_id=NAME, actor_type="system", resource=NAME, resource_id=instance
    )
    return events_of(record, at=at, event_id=uuid7())[0]


class Canary:
    """Sends one event at a time. One thread calls `trip` or `run`. Any thread may read `status`."""

    def __init__(self, settings: Settings, sight: Sight, metrics: CanaryMetrics | None = None) -> None:
        """Prepare the canary without connecting.

        Without `metrics`, failures are neither counted nor logged. Raises ConfigError, naming the missing settings.
        """
        check(settings)
        self.limits = Limits.of(settings)
        self._settings = settings
        self._sight = sight
        self._metrics = metrics
        self._producer: AuditProducer | None = None
        self._instance = instance_name(socket.gethostname(), os.getpid())
        self._status: Status | None = None
        self._complained = False
        self._log = get("canary")

    @property
    def status(self) -> Status | None:
        """The current status, or None if this process sends no events."""
        return self._status

    def complaint(self) -> str:
        """Return the reason why the installation is not healthy, or an empty string if it is. See `trip.complaint`."""
        status = self._status
        return trips.complaint(status, monotonic(), self.limits) if status else ""

    def measure(self) -> None:
        """Set the gauges. Call this before each scrape."""
        if self._metrics:
            self._metrics.measure(self._status, monotonic(), self.limits)

    def run(self, stop: threading.Event, active: Callable[[], bool] = lambda: True) -> None:
        """Send events until `stop` is set, but only while `active` returns True."""
        while not stop.is_set():
            if not active():
                self._status = None
                stop.wait(_IDLE_S)
                continue
            sent_s = monotonic()
            self.trip(stop)
            stop.wait(trips.rest_s(sent_s, monotonic(), self.limits))

    def trip(self, stop: threading.Event) -> Outcome | None:
        """Send one event and wait for it. Returns None if `stop` is set before the outcome is known."""
        event = canary_event(datetime.now(UTC), self._instance)
        sent_s = monotonic()
        status = self._status or Status(sent_s)
        self._status = replace(status, trip=Trip(event.event_id, sent_s))
        outcome = self._sent(event, sent_s, stop)
        if outcome is None:
            return None
        now_s = monotonic()
        success_s = now_s if outcome.result == "visible" else status.success_s
        self._status = Status(success_s, last=outcome)
        if self._metrics:
            self._metrics.ended(outcome)
            self._report(outcome)
        return outcome

    def close(self) -> None:
        """Close the connections. An event that has not been acknowledged is abandoned."""
        if self._producer is not None:
            self._producer.close(0)
        self._sight.close()

    def _sent(self, event: AuditEvent, sent_s: float, stop: threading.Event) -> Outcome | None:
        settled: SimpleQueue[AuditlaneError | None] = SimpleQueue()
        try:
            if self._producer is None:
                timeout_ms = int(self.limits.late_s * 1_000)
                self._producer = AuditProducer(self._settings, _ignore, delivery_timeout_ms=timeout_ms)
            self._producer.send(event, settled.put)
        except AuditlaneError as error:
            return Outcome("refused", event.event_id, problem=str(error), error=error)
        refusal: AuditlaneError | None = KafkaUnavailable("Kafka has neither acknowledged nor refused the event.")
        while monotonic() - sent_s < self.limits.late_s + _GRACE_S:
            with suppress(Empty):
                refusal = settled.get(timeout=_TURN_S)
                break
            if stop.is_set():
                return None
            self._watch(sent_s)
        if refusal is not None:
            return Outcome("refused", event.event_id, problem=str(refusal), error=refusal)
        return self._seen(event, sent_s, monotonic() - sent_s, stop)

    def _seen(self, event: AuditEvent, sent_s: float, acknowledged_s: float, stop: threading.Event) -> Outcome | None:
        trip = Trip(event.event_id, sent_s, acknowledged=True)
        while True:
            problem = ""
            try:
                seen = self._sight.sees(event.event_id, event.occurred_at)
            except AuditlaneError as error:
                seen, problem = False, str(error)
            waited_s = monotonic() - sent_s
            if seen:
                return Outcome(trips.arrived(waited_s, self.limits), event.event_id, acknowledged_s, waited_s)
            trip = replace(trip, problem=problem)
            if trips.given_up(waited_s, self.limits):
                problem = problem or f"The event was acknowledged, but not visible within {self.limits.lost_s:g} s."
                return Outcome("lost", event.event_id, acknowledged_s, problem=problem)
            if self._status:
                self._status = replace(self._status, trip=trip)
            self._watch(sent_s)
            if stop.wait(trips.look_again_s(waited_s)):
                return None

    def _watch(self, sent_s: float) -> None:
        """Log once that the event in flight can no longer arrive in time."""
        if self._metrics and not self._complained and monotonic() - sent_s > self.limits.late_s:
            self._complained = True
            self._log.warning("canary.overdue", problem=self.complaint())

    def _report(self, outcome: Outcome) -> None:
        """Log the first of several consecutive failures, and the success that ends them."""
        if outcome.result == "visible":
            if self._complained:
                self._log.info("canary.recovered", visible_s=round(outcome.visible_s or 0.0, 2))
            self._complained = False
        elif outcome.result != "late":
            if not self._complained:
                self._log.warning("canary.failed", result=outcome.result, problem=outcome.problem)
            self._complained = True


class CanaryThread:
    """Runs a canary in a separate thread."""

    def __init__(self, canary: Canary, active: Callable[[], bool] = lambda: True) -> None:
        """Create a thread that sends events while `active` returns True."""
        self.canary = canary
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(active,), name="canary", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread is running."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread, which closes its connections. Waits for a few seconds at most."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _run(self, active: Callable[[], bool]) -> None:
        try:
            self.canary.run(self._stop, active)
        except Exception:
            get("canary").exception("canary.unforeseen")
        finally:
            self.canary.close()


def _ignore(_error: AuditlaneError, _event_id: str | None) -> None:
    """Ignore the client's errors. An error about an event is reported as the result of that event."""
