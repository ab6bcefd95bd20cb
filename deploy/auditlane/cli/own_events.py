"""What an operator does from the command line, as events of our own: best effort, and only where Kafka is in the
settings."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from typing import Final

from auditlane.access.trail import Deed
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.settings import load

_WAIT_S: Final = 5.0


def record(action: str, **facts: str | None) -> None:
    """Emit one event and wait for Kafka a little. `tenant`, `resource` and `resource_id` are the event's, the rest its
    metadata. What goes wrong is said on stderr: the command has done its work already."""
    try:
        settings = load()
        if not (settings.kafka_bootstrap and settings.registry_url):
            return
        from auditlane.server.own_client import client, event_of
        from auditlane.server.tally import Dated

        own = {name: facts.pop(name, None) or "" for name in ("tenant", "resource", "resource_id")}
        deed = Deed(
            action=action,
            tenant=own["tenant"] or None,
            actor_id=operator(),
            actor_type="system",
            resource=own["resource"],
            resource_id=own["resource_id"] or None,
            metadata={"via": "command line"} | {name: value for name, value in facts.items() if value},
        )
        emitter = client(settings, lambda error, event_id: None, delivery_timeout_ms=int(_WAIT_S * 1_000))
        try:
            emitter.emit(**event_of(Dated(deed, datetime.now(UTC))))
            emitter.flush(_WAIT_S).raise_for_failure()
        finally:
            emitter.close(0)
    except AuditlaneError as error:
        _complain(error)
    except ModuleNotFoundError as error:  # an installation that only has the keys' commands
        _complain(ConfigError(f"{error.name} is not installed.", fix="pip install 'auditlane[serve]'"))


def operator() -> str:
    """Who runs the command, by the name that the system has for them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "operator"


def _complain(error: AuditlaneError) -> None:
    print(f"This is not in the audit trail: {error}", file=sys.stderr)
