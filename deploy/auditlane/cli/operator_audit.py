"""What an operator does from the command line, as events of our own, where Kafka is in the settings."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.ids import uuid7
from auditlane.runtime.settings import Settings, load

_WAIT_S: Final = 5.0


def record(action: str, **facts: str | None) -> None:
    """Emit the record's events and wait for Kafka a little. `tenant`, `resource`, `resource_id` and `outcome` are the
    record's, the rest its metadata.

    What Kafka does not take is left to the service, in the file that it sends. That, and what goes wrong, is said on
    stderr: the command has done its work already.
    """
    try:
        settings = load()
        if not (settings.kafka_bootstrap and settings.registry_url):
            return
        from auditlane.server.audit.client import send_now
        from auditlane.server.audit.events import bounded, events_of

        own = {name: facts.pop(name, None) or "" for name in ("tenant", "resource", "resource_id")}
        record = AuditRecord(
            action=action,
            tenant=own["tenant"] or None,
            actor_id=operator_name(),
            actor_type="system",
            resource=own["resource"],
            resource_id=own["resource_id"] or None,
            outcome="failure" if facts.pop("outcome", None) == "failure" else "success",
            metadata={"via": "command line"} | {name: value for name, value in facts.items() if value},
        )
        events = events_of(bounded(record, settings.max_event_bytes), at=datetime.now(UTC), event_id=uuid7())
        left, problem = send_now(settings, events, _WAIT_S)
        if left:
            _spool(settings, left, problem)
    except AuditlaneError as error:
        _warn(error)
    except ModuleNotFoundError as error:  # an installation that only has the keys' commands
        _warn(ConfigError(f"{error.name} is not installed.", fix="pip install 'auditlane[serve]'"))


def _spool(settings: Settings, events: list[AuditEvent], problem: str) -> None:
    """In the file for the service."""
    from auditlane.server.audit.sink import record_of, spool_folder, spool_of

    try:
        kept = spool_of(settings).append([record_of(one) for one in events])
    except OSError as error:
        kept, problem = 0, f"{problem} {spool_folder(settings)} cannot be written: {error.strerror or error}."
    if kept < len(events):
        raise ConfigError(problem or "Kafka did not acknowledge it in time.")
    where = f"It waits in {spool_folder(settings)} for `auditlane serve`, which sends it."
    _warn(ConfigError(problem or "Kafka did not acknowledge it in time.", fix=where), " yet")


def operator_name() -> str:
    """Who runs the command, by the name that the system has for them."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user without a name
        return "operator"


def _warn(error: AuditlaneError, yet: str = "") -> None:
    print(f"This is not in the audit trail{yet}: {error}", file=sys.stderr)
