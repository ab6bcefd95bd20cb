"""A client that records events into a list. The context, the checks and the repairs are real, but there is no Kafka."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from auditlane.contract.event import AuditEvent
from auditlane.sdk.context import context
from auditlane.sdk.diff import diff
from auditlane.sdk.recording import Recorder


class RecordingClient:
    """Stands in for an AuditClient. `events` contains the checked events, and `errors` contains what `on_error` would
    receive.
    """

    context = staticmethod(context)
    diff = staticmethod(diff)

    def __init__(self, *, knows: bool = True) -> None:
        """Create the client. With `knows=False`, it behaves as if every event had to wait for the registry."""
        self.events: list[AuditEvent] = []
        self.errors: list[Exception] = []
        self.flushes = 0
        self.config = SimpleNamespace(catch_all_tenant="unassigned", close_timeout_s=1.0, hash_values=frozenset())
        self._knows = knows
        self._recorder = Recorder(self._emit, lambda error, _: self.errors.append(error), "unassigned")

    def record(self, event: AuditEvent | None = None, /, **values: Any) -> str | None:
        return self._recorder.record(values, event)

    def report_unrecorded(self, error: Exception) -> None:
        self._recorder.report_unrecorded(error)

    def report_resolver(self, error: Exception) -> None:
        self._recorder.report_resolver(error)

    def knows(self, tenant: str) -> bool:
        return self._knows

    async def aflush(self, timeout: float) -> bool:
        self.flushes += 1
        return True

    @property
    def unassigned(self) -> int:
        return self._recorder.unassigned

    @property
    def only(self) -> AuditEvent:
        [event] = self.events
        return event

    def _emit(self, values: dict[str, Any]) -> str:
        event = AuditEvent.checked(values)
        self.events.append(event)
        return str(event.event_id)
