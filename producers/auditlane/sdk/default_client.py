"""The client that a process shares by default: `from auditlane.sdk import audit`."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final, cast

from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError
from auditlane.sdk.client import AuditClient
from auditlane.sdk.context import context
from auditlane.sdk.diff import diff
from auditlane.sdk.logs import log_later

_lock: Final = threading.Lock()
_client: AuditClient | None = None
_warned = False


def default_client() -> AuditClient:
    """Return the process's default client, created from the environment at the first call. Raises ConfigError."""
    global _client
    if (client := _client) is not None:
        return client
    with _lock:
        if _client is None:
            _client = AuditClient()
        return _client


def set_default_client(client: AuditClient | None) -> None:
    """Use this client as the default; with None, the next use creates one from the environment."""
    global _client, _warned
    with _lock:
        _client, _warned = client, False


class _DefaultClient:
    """Stands for the default client: importing it needs no settings, and what never raises does not raise here."""

    context = staticmethod(context)
    diff = staticmethod(diff)

    def record(self, event: AuditEvent | None = None, /, **values: Any) -> str | None:
        global _warned
        try:
            client = default_client()
        except AuditlaneError as error:
            if not _warned:
                _warned = True
                log_later(logging.ERROR, "No audit events are recorded. %s", error)
            return None
        return client.record(event, **values)

    def audited(self, action: str, **options: Any) -> Any:
        from auditlane.sdk.audited import audited

        return audited(self.record, action, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(default_client(), name)


audit: Final = cast(AuditClient, _DefaultClient())
