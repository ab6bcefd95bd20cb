"""Records events without ever failing the application. Integrations and decorators use this instead of `emit`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError, EventTooLarge, InvalidEvent
from auditlane.sdk.context import fill, text_of, texts_of
from auditlane.sdk.diff import plain_value
from auditlane.sdk.logs import log_later
from auditlane.sdk.typed_events import keywords

_STATES: Final = ("before", "after")
_LEFT_OUT: Final = "unrecorded_fields"  # metadata key that lists invalid fields
_MOST_REPAIRS: Final = 30
_IDS: Final = ("actor_id", "on_behalf_of", "resource_id", "request_id", "tenant_id")
_ID_TYPES: Final = (int, UUID)

Emit = Callable[[dict[str, Any]], str]  # emits an event from keywords; raises as `AuditClient.emit` does
Report = Callable[[AuditlaneError, str | None], None]  # passes an error to `on_error`, or logs it; never raises


class Recorder:
    """Records one client's events, and counts events that were not recorded or had no tenant."""

    def __init__(self, emit: Emit, report: Report, catch_all_tenant: str) -> None:
        self.unrecorded = 0
        self.unassigned = 0
        self._emit = emit
        self._report = report
        self._catch_all = catch_all_tenant
        # whether this thread is recording; events logged in the meantime are not recorded
        self._thread = threading.local()

    def record(self, values: dict[str, Any], event: AuditEvent | None = None) -> str | None:
        """Emit an event from `event` and the keywords. If that is impossible, count the event and report the error.

        Never raises an Exception.
        """
        if getattr(self._thread, "busy", False):
            self.unrecorded += 1
            return None
        self._thread.busy = True
        try:
            return self._recorded(values if event is None else keywords(event) | values)
        except Exception as error:
            self.unrecorded += 1
            known = error if isinstance(error, AuditlaneError) else _unexpected(error)
            self._report(known, None)
            return None
        finally:
            self._thread.busy = False

    def report_unrecorded(self, error: Exception) -> None:
        """Count an event that an integration failed to create, and report the error."""
        self.unrecorded += 1
        missing = InvalidEvent(
            f"An event could not be created: {type(error).__name__} was raised.",
            fix="See the traceback of the original error (`__cause__`).",
        )
        missing.__cause__ = error
        self._report(error if isinstance(error, AuditlaneError) else missing, None)

    def report_resolver(self, error: Exception) -> None:
        """Report an error raised by a resolver of the context."""
        self._report(
            InvalidEvent(
                f"A resolver of the audit context raised {type(error).__name__}; the event lacks its values.",
                fix="Change the resolver to leave unknown values unset instead of raising.",
            ),
            None,
        )

    def _recorded(self, values: dict[str, Any]) -> str:
        left_out: list[str] = []
        self._read_metadata(values, left_out)
        fill(values, self.report_resolver)
        for name in _IDS:  # applications often use numbers and UUIDs as ids
            if (value := values.get(name)) is None or type(value) is str:
                continue
            if isinstance(value, _ID_TYPES) and not isinstance(value, bool):
                values[name] = str(value)
        if not values.get("tenant_id"):
            self._assign(values, "")
        for _ in range(_MOST_REPAIRS):
            try:
                return self._emit(values)
            except EventTooLarge as error:
                self._leave_out(values, error.field, left_out, error)
            except InvalidEvent as error:
                self._repair(values, error.field.partition(".")[0], left_out, error)
        return self._emit(values)

    def _read_metadata(self, values: dict[str, Any], left_out: list[str]) -> None:
        """Convert the metadata's names and values to text, or omit the metadata if it cannot be read."""
        if (given := values.pop("metadata", None)) is None:
            return
        try:
            values["metadata"] = texts_of(given)
        except Exception:  # it has no items, or its own code raises
            _note(values, "metadata", left_out)

    def _repair(self, values: dict[str, Any], field: str, left_out: list[str], error: InvalidEvent) -> None:
        """Correct or omit the invalid field. Raises the error if neither is possible."""
        value = values.get(field)
        if field == "tenant_id" and value != self._catch_all:
            self._assign(values, text_of(value)[:100])
        elif field in _STATES and field not in left_out:
            values[field] = plain_value(value)
            left_out.append(field)  # omitted on the second failure
        elif isinstance(value, str) and text_of(value) != value:
            values[field] = text_of(value)
        else:
            self._leave_out(values, field, left_out, error)

    def _leave_out(self, values: dict[str, Any], field: str, left_out: list[str], error: InvalidEvent) -> None:
        if field in ("action", "tenant_id") or not _take_out(values, field):
            raise error
        _note(values, field, left_out)

    def _assign(self, values: dict[str, Any], given: str) -> None:
        """Assign the event to the catch-all tenant, with one warning per client."""
        if self.unassigned == 0:
            log_later(
                logging.WARNING,
                "An event of action %r has no valid tenant, so it is recorded for the tenant %r, like all later ones. "
                "Set the tenant in the context, or correct the tenant resolver of the integration.",
                text_of(values.get("action")),
                self._catch_all,
            )
        self.unassigned += 1
        values["tenant_id"] = self._catch_all
        if given:
            values["metadata"] = {**values.get("metadata", {}), "tenant": given}


def _take_out(values: dict[str, Any], field: str) -> bool:
    if field in values:
        del values[field]
        return True
    custom = values.get("fields")
    if isinstance(custom, Mapping) and field in custom:
        values["fields"] = {name: value for name, value in custom.items() if name != field}
        return True
    return False


def _note(values: dict[str, Any], field: str, left_out: list[str]) -> None:
    """List an omitted field in the event's metadata."""
    left_out.append(field)
    values["metadata"] = {**values.get("metadata", {}), _LEFT_OUT: ", ".join(dict.fromkeys(left_out))}


def _unexpected(error: Exception) -> AuditlaneError:
    return InvalidEvent(
        f"An event could not be recorded: one of its values raised {type(error).__name__}.",
        fix="Pass values of plain types, such as text and numbers.",
    )
