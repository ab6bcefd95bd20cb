"""Records operators' commands as auditlane's own audit events, if Kafka is configured."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from auditlane.access.audit import AuditRecord
from auditlane.contract.event import AuditEvent
from auditlane.runtime.errors import AuditlaneError, ConfigError
from auditlane.runtime.ids import uuid7
from auditlane.runtime.settings import Settings, load

_WAIT_S: Final = 5.0


def record(action: str, **facts: str | None) -> None:
    """Record one event of a command, like `record_all`."""
    record_all([(action, facts)])


def record_all(events: Iterable[tuple[str, Mapping[str, str | None]]]) -> None:
    """Emit audit events, each given as an action and its facts, and wait up to five seconds for Kafka.

    The facts `tenant`, `resource`, `resource_id` and `outcome` become fields of the event, and all others its metadata.
    An event that Kafka does not acknowledge is spooled, and the service sends it. Failures are only printed to stderr,
    because the command itself has already succeeded.
    """
    try:
        settings = load()
        every = list(events)
        if not (every and settings.kafka_bootstrap and settings.registry_url):
            return
        from auditlane.trail.client import send_now
        from auditlane.trail.events import bounded, events_of

        now, made = datetime.now(UTC), list[AuditEvent]()
        for action, facts in every:
            made += events_of(bounded(_record(action, dict(facts)), settings.max_event_bytes), at=now, event_id=uuid7())
        left, problem = send_now(settings, made, _WAIT_S)
        if left:
            _spool(settings, left, problem)
    except AuditlaneError as error:
        _warn(error)


def _record(action: str, facts: dict[str, str | None]) -> AuditRecord:
    own = {name: facts.pop(name, None) or "" for name in ("tenant", "resource", "resource_id")}
    return AuditRecord(
        action=action,
        tenant=own["tenant"] or None,
        actor_id=operator_name(),
        actor_type="system",
        resource=own["resource"],
        resource_id=own["resource_id"] or None,
        outcome="failure" if facts.pop("outcome", None) == "failure" else "success",
        metadata={"via": "command line"} | {name: value for name, value in facts.items() if value},
    )


def _spool(settings: Settings, events: list[AuditEvent], problem: str) -> None:
    """Append the events to the spool of `auditlane serve`. Raises ConfigError if some could not be written."""
    from auditlane.trail.spooling import spool_events, spool_folder

    try:
        kept = spool_events(settings, events)
    except OSError as error:
        kept, problem = 0, f"{problem} {spool_folder(settings)} cannot be written: {error.strerror or error}."
    if kept < len(events):
        raise ConfigError(problem or "Kafka did not acknowledge it in time.")
    where = f"It is spooled in {spool_folder(settings)}; `auditlane serve` will send it."
    _warn(ConfigError(problem or "Kafka did not acknowledge it in time.", fix=where), " yet")


def operator_name() -> str:
    """Return the login name of the user running the command, or "operator"."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # in a container, the user may have no name
        return "operator"


def _warn(error: AuditlaneError, yet: str = "") -> None:
    print(f"This change is not in the audit log{yet}: {error}", file=sys.stderr)
