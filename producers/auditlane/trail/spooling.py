"""Spools audit events to files, so that any process whose sink uses the same folder can send them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from auditlane.contract.event import AuditEvent
from auditlane.runtime.settings import Settings
from auditlane.runtime.spool import FileSpool, NoSpool, Spool


def spool_folder(settings: Settings) -> Path | None:
    """Return the folder for spooled events, or None if no setting determines it."""
    if settings.trail_spool_dir:
        return settings.trail_spool_dir
    return settings.signing_keys_file.parent / "trail" if settings.signing_keys_file else None


def spool_of(settings: Settings, *, beyond: int = 0) -> Spool:
    """Return the spool in the settings' folder, with the settings' limit plus `beyond` bytes."""
    folder = spool_folder(settings)
    return FileSpool(folder, most_bytes=settings.trail_spool_bytes + beyond) if folder else NoSpool()


def spool_events(settings: Settings, events: Sequence[AuditEvent]) -> int:
    """Spool events, which a process with a sink, such as `serve`, sends later. Returns the number of events that fit.
    Raises OSError.
    """
    spool = spool_of(settings)
    try:
        return spool.append([record_of(event) for event in events])
    finally:
        spool.release()


def record_of(event: AuditEvent) -> bytes:
    """Serialize an event for the spool."""
    return event.model_dump_json(exclude={"fields"}).encode()
