"""Decides a canary event's outcome, when to look for it again, and whether the installation is healthy. This module
performs no I/O.

Times are in seconds of a monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.settings import Settings

Result = Literal["visible", "late", "lost", "refused"]
RESULTS: Final[tuple[Result, ...]] = get_args(Result)
_SOONEST_S: Final = 0.05
_LATEST_S: Final = 2.0
_OF_THE_WAIT: Final = 0.1  # fraction of the time waited so far, which bounds the measurement error


@dataclass(frozen=True, slots=True)
class Limits:
    """A canary's limits, in seconds: the interval between events, and the ages at which an event is late or lost."""

    every_s: float
    late_s: float
    lost_s: float

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Read the limits from the settings. An event is never considered lost before it is late."""
        late_s = settings.canary_late_s
        return cls(settings.canary_every_s, late_s, max(late_s, settings.canary_lost_s))


@dataclass(frozen=True, slots=True)
class Trip:
    """A canary event in flight. `problem` is the last error from reading the log, or an empty string."""

    event_id: str
    sent_s: float
    acknowledged: bool = False
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of an event.

    `acknowledged_s` and `visible_s` are seconds since the event was sent, or None if it was never acknowledged or
    visible. `error` is the reason for a rejection.
    """

    result: Result
    event_id: str
    acknowledged_s: float | None = None
    visible_s: float | None = None
    problem: str = ""
    error: AuditlaneError | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a canary: the event in flight, the last outcome, and the time at which an event was last visible in
    time. Initially, that is the start time.
    """

    success_s: float
    trip: Trip | None = None
    last: Outcome | None = None


def arrived(waited_s: float, limits: Limits) -> Result:
    """Return the result of an event that became visible after `waited_s`."""
    return "visible" if waited_s <= limits.late_s else "late"


def given_up(waited_s: float, limits: Limits) -> bool:
    """Return whether an event that is not visible after `waited_s` is lost."""
    return waited_s >= limits.lost_s


def look_again_s(waited_s: float) -> float:
    """Return the pause in seconds before the next look at the log: a tenth of the time waited so far, within bounds."""
    return min(_LATEST_S, max(_SOONEST_S, waited_s * _OF_THE_WAIT))


def rest_s(sent_s: float, now_s: float, limits: Limits) -> float:
    """Return the pause in seconds before the next event. There is at most one event in flight, and at most one per
    interval.
    """
    return max(0.0, sent_s + limits.every_s - now_s)


def overdue(trip: Trip | None, now_s: float, limits: Limits) -> bool:
    """Return whether it is too late for an event in flight to arrive in time."""
    return trip is not None and now_s - trip.sent_s > limits.late_s


def complaint(status: Status, now_s: float, limits: Limits) -> str:
    """Return a sentence about why the installation is not healthy, or an empty string if it is.

    It is healthy if the last event was visible in time, and an event in flight can still be visible in time.
    """
    trip, last = status.trip, status.last
    if trip is not None and overdue(trip, now_s, limits):
        where = "acknowledged by Kafka, but it is not visible" if trip.acknowledged else "not acknowledged by Kafka"
        reason = f": {trip.problem}" if trip.problem else "."
        return f"An event that was sent {now_s - trip.sent_s:.0f} s ago is {where}{reason}"
    if last is None:
        return "No event has completed its way yet."
    if last.result == "visible":
        return ""
    return f"The last event was {last.result}." if not last.problem else last.problem
