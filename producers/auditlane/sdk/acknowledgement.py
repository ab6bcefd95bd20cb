"""Waits until an event is acknowledged, for the delivery mode `sync`."""

from __future__ import annotations

from auditlane.runtime.errors import AuditlaneError, Unavailable
from auditlane.sdk.delivery_tracker import DeliveryTracker


class Acknowledgement:
    """The outcome of one event. Pass it as `on_settled`."""

    def __init__(self, tracker: DeliveryTracker, unavailable: type[Unavailable]) -> None:
        """Create the acknowledgement for one event. `unavailable` is the error after a timeout."""
        self._unavailable = unavailable
        self._tracker = tracker
        self._settled = False
        self._error: AuditlaneError | None = None

    def __call__(self, error: AuditlaneError | None) -> None:
        """Record the outcome. Called on the delivery thread."""
        self._error = error
        self._settled = True
        self._tracker.wake()

    def wait(self, event_id: str, timeout_s: float, *, spooled: bool) -> None:
        """Return once the event is acknowledged.

        Raises the event's error or, if there is no outcome after `timeout_s`, the `unavailable` error. An event that is
        `spooled` is still delivered after a timeout.
        """
        if not self._tracker.wait_until(lambda: self._settled, timeout_s):
            problem = self._tracker.problem
            why = f" {problem.message}" if problem else ""
            if spooled:
                raise self._unavailable(
                    f"Event {event_id} was not acknowledged within {timeout_s:g} s. It is in the spool, and will be "
                    f"delivered.{why}",
                    fix="Do not emit it again, or emit it with the same event_id, occurred_at and content.",
                )
            raise self._unavailable(
                f"Event {event_id} was not acknowledged within {timeout_s:g} s, and may still be delivered.{why}",
                fix="Emit it again with the same event_id, occurred_at and content.",
            )
        if self._error is not None:
            raise self._error
