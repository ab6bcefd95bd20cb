"""Code shared by the methods for known actions: conversion of metadata to text, and defaults that the caller's fields
override.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from auditlane.sdk.masking import masked, masked_state

if TYPE_CHECKING:
    from auditlane.contract.event import OutcomeName, SeverityName
    from auditlane.sdk.client import AuditClient
    from auditlane.sdk.event_fields import EventFields

Number = int | float
Time = datetime | str
Texts = Iterable[str]  # a string counts as one item


class KnownActions:
    """The actions on one noun, whose methods emit through a client."""

    __slots__ = ("_client",)

    def __init__(self, client: object) -> None:
        self._client = cast("AuditClient", client)

    def _emit(
        self,
        action: str,
        outcome: OutcomeName,
        severity: SeverityName,
        resource: str,
        metadata: Mapping[str, object],
        event: Mapping[str, Any],
        masks: tuple[str, ...] = (),
    ) -> str:
        """Emit an event. The caller's fields take precedence over the defaults, and its metadata over the keywords.

        `masks` names metadata keys to mask. Keys that the client hashes are not masked, since many masked values would
        have the same hash.
        """
        given = event.get("metadata", {})
        if isinstance(given, Mapping):  # otherwise, emit rejects it
            texts = {name: metadata_text(value) for name, value in metadata.items() if value is not None}
            for name in masks:
                if name in texts and f"metadata.{name}" not in self._client.config.hash_values:
                    texts[name] = masked(texts[name])
            given = texts | dict(given)
        defaults = {"outcome": outcome, "severity": severity, "resource": resource}
        return self._client.emit(action=action, **{**defaults, **event, "metadata": given})


def masked_changes(event: EventFields) -> EventFields:
    """Return the event with its states before and after the change masked."""
    changed = event.copy()
    if "before" in event:
        changed["before"] = masked_state(event["before"])
    if "after" in event:
        changed["after"] = masked_state(event["after"])
    return changed


def metadata_text(value: object) -> object:
    """Return a number, a time or a list of strings as metadata text, and any other value unchanged."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat().replace("+00:00", "Z")
    if isinstance(value, Iterable):
        items = list(value)
        return ",".join(items) if all(isinstance(item, str) for item in items) else value
    return value
