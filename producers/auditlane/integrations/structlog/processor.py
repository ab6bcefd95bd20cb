"""A structlog processor that records log entries."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from typing import Any

from auditlane.integrations.logging.records import KEY, event_of, is_internal
from auditlane.sdk import AuditClient, audit


class AuditProcessor:
    """Records log entries that carry `audit`, and removes `audit` from them. Other entries stay unchanged.

        structlog.configure(processors=[AuditProcessor(), structlog.processors.JSONRenderer()])
        log.info("Jane deleted the draft", audit={"action": "document.deleted", "resource_id": "d-1"})

    `audit` is a mapping of keywords of `AuditClient.emit`, or just the action. The entry's text becomes the description
    unless there is one. Tenant, actor and request come from the context. Recording never raises into the code that
    logs. Place it before processors that format exceptions.
    """

    def __init__(self, client: AuditClient = audit) -> None:
        """Set the client, which defaults to the process's."""
        self._client = client

    def __call__(self, logger: Any, method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Record an entry's event, if it has one, and return the entry."""
        given = entry.pop(KEY, None)
        name = entry.get("logger") or getattr(logger, "name", "")
        if given is None or is_internal(str(name)):
            return entry
        try:
            event = event_of(given, lambda: str(entry.get("event", "")), exception=_exception(entry.get("exc_info")))
        except Exception as error:  # raised by the mapping's own methods
            self._client.report_unrecorded(error)
            return entry
        self._client.record(**event)
        return entry


def _exception(given: Any) -> type[BaseException] | None:
    if isinstance(given, BaseException):
        return type(given)
    if isinstance(given, tuple) and given and isinstance(given[0], type):
        return given[0]
    return sys.exc_info()[0] if given is True else None
