"""Client methods for integrations and decorators to record events. They never raise errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from auditlane.contract.event import AuditEvent, Severity, SeverityName
from auditlane.sdk.action_properties import ActionProperties
from auditlane.sdk.audited import P, R, audited
from auditlane.sdk.context import AuditContext
from auditlane.sdk.diff import diff
from auditlane.sdk.recording import Recorder


class RecordingMethods(ActionProperties):
    """Base class of AuditClient with the methods that record events."""

    _recorder: Recorder

    def record(self, event: AuditEvent | None = None, /, **values: Any) -> str | None:
        """Emit like `emit`, but never raise. Events that cannot be recorded are counted and reported to `on_error`.

        Takes the arguments of `emit`, and any values in `metadata`. Keywords given together with an event replace its
        fields. Returns the event's id, or None if it was not recorded. A field that is not valid is left out and named
        in the metadata value `unrecorded_fields`. An event without a valid tenant is recorded for `catch_all_tenant`.
        Recording cannot recurse: events that are recorded while `record` runs on the same thread, for example by a
        logging handler, are dropped and counted. `on_error` is called on this thread, so it must not wait.
        """
        return self._recorder.record(values, event)

    def report_unrecorded(self, error: Exception) -> None:
        """Count an event that an integration could not create, and report the error to `on_error`. Never raises."""
        self._recorder.report_unrecorded(error)

    def report_resolver(self, error: Exception) -> None:
        """Report to `on_error` that an integration could not complete an event. Never raises."""
        self._recorder.report_resolver(error)

    context = AuditContext
    diff = staticmethod(diff)

    def audited(
        self,
        action: str,
        *,
        resource: str = "",
        resource_id: str | Callable[..., object] | None = None,
        severity: Severity | SeverityName = Severity.Info,
        metadata: Mapping[str, object] | Callable[..., Mapping[str, object]] | None = None,
        error_text: bool = False,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Return a decorator that records every call of a sync or async function with `record`.

            @audit.audited("document.deleted", resource="document", resource_id="document_id")
            def delete_document(document_id: str) -> None: ...

        The outcome is `success`, `denied` for an exception that means that access was denied (PermissionError, an HTTP
        status of 401 or 403), or `failure` for any other. The exception is raised again. The metadata contains
        `duration_ms` and, as `exception`, the type of the exception.

        Args:
            action: What the function does, such as `document.deleted`.
            resource: Type of the object that it acts on.
            resource_id: Name of the parameter that holds the object's id, or a function of the call's arguments.
            severity: As in `emit`.
            metadata: Further values by name, or a function of the call's arguments that returns them.
            error_text: Whether to record the text of exceptions, which may contain secrets.

        Raises ConfigError for a generator, and for a `resource_id` that is not a parameter.
        """
        return audited(
            self.record,
            action,
            resource=resource,
            resource_id=resource_id,
            severity=severity,
            metadata=metadata,
            error_text=error_text,
        )
