"""A handler for the standard library's `logging`."""

from __future__ import annotations

import logging
from typing import Any

from auditlane.integrations.logging.records import KEY, event_of, is_internal
from auditlane.sdk import AuditClient, audit


class AuditHandler(logging.Handler):
    """Records log records that carry `audit`, and ignores all others.

        logging.getLogger().addHandler(AuditHandler())
        logger.info("Jane deleted the draft", extra={"audit": {"action": "document.deleted", "resource_id": "d-1"}})

    `audit` is a mapping of keywords of `AuditClient.emit`, or just the action. The record's message becomes the
    description unless there is one. Tenant, actor and request come from the context. Recording never raises into
    the code that logs.
    """

    def __init__(self, client: AuditClient = audit, level: int | str = logging.NOTSET) -> None:
        """Set the client, which defaults to the process's, and the level, as for `logging.Handler`."""
        super().__init__(level)
        self._client = client

    def emit(self, record: logging.LogRecord) -> None:
        """Record the event attached to a log record, if any."""
        given: Any = getattr(record, KEY, None)
        if given is None or is_internal(record.name):
            return
        exception = record.exc_info[0] if record.exc_info else None
        try:
            event = event_of(given, record.getMessage, at=record.created, exception=exception)
        except Exception as error:  # raised by the mapping's own methods
            self._client.report_unrecorded(error)
            return
        self._client.record(**event)
