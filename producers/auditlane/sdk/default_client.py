"""The client that a process shares by default, imported with `from auditlane.sdk import audit`."""

from __future__ import annotations

import logging
import os
import threading
from typing import Any, Final, cast

from auditlane.contract.event import AuditEvent
from auditlane.sdk.audited import audited
from auditlane.sdk.client import AuditClient
from auditlane.sdk.context import AuditContext
from auditlane.sdk.diff import diff
from auditlane.sdk.logs import log_later

_lock = threading.RLock()  # reentrant, since a signal handler may need the client while it is being created
_client: AuditClient | None = None
_warned = False


def default_client() -> AuditClient:
    """Return the process's default client, which the first call creates from the environment. Raises ConfigError."""
    global _client
    if (client := _client) is not None:
        return client
    with _lock:
        if _client is None:
            created = AuditClient()
            if _client is None:
                _client = created
            else:  # a signal handler created another one in the meantime
                created.close(0)
        return _client


def set_default_client(client: AuditClient | None) -> None:
    """Use this client as the default. None makes the next use create one from the environment."""
    global _client, _warned
    with _lock:
        _client, _warned = client, False


def _available() -> AuditClient | None:
    """Return the default client, or None if it cannot be created, which is logged once."""
    global _warned
    try:
        return default_client()
    except Exception as error:
        if not _warned:
            _warned = True
            log_later(logging.ERROR, "No audit events are recorded. %s", error)
        return None


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()  # another thread of the parent may have held it


os.register_at_fork(after_in_child=_after_fork)


class _DefaultClient:
    """A proxy for the default client. Importing it requires no settings; `record` never raises here either."""

    context = AuditContext
    diff = staticmethod(diff)

    def record(self, event: AuditEvent | None = None, /, **values: Any) -> str | None:
        client = _available()
        return None if client is None else client.record(event, **values)

    def report_unrecorded(self, error: Exception) -> None:
        if (client := _available()) is not None:
            client.report_unrecorded(error)

    def report_resolver(self, error: Exception) -> None:
        if (client := _available()) is not None:
            client.report_resolver(error)

    def audited(self, action: str, **options: Any) -> Any:
        return audited(self.record, action, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(default_client(), name)


audit: Final = cast(AuditClient, _DefaultClient())
