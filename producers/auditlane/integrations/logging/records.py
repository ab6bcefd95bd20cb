"""Converts a log record that carries `audit` to arguments of `AuditClient.record`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

KEY: Final = "audit"
_MOST_CHARACTERS: Final = 1_000  # maximum length of a description
_INTERNAL: Final = ("auditlane", "confluent_kafka")  # whatever recording itself logs must not be recorded


def is_internal(logger: str) -> bool:
    """Return whether a logger belongs to the SDK or to a library that it uses."""
    return logger.split(".", 1)[0] in _INTERNAL


def event_of(
    given: object, message: Callable[[], str], *, at: float | None = None, exception: type[BaseException] | None = None
) -> dict[str, Any]:
    """Return the event as keywords of `emit`. `given` is a mapping of such keywords, or just the action.

    The message becomes the description. An exception sets the outcome to `failure` and adds its type to the metadata.
    Invalid values are kept: `record` corrects them, or counts and reports the event.
    """
    if not isinstance(given, Mapping):
        given = {"action": given}
    event: dict[str, Any] = {str(name): value for name, value in given.items()}
    if "description" not in event and (text := _text(message)):
        event["description"] = text[:_MOST_CHARACTERS]
    if at is not None:
        event.setdefault("occurred_at", datetime.fromtimestamp(at, UTC))
    if exception is not None:
        event.setdefault("outcome", "failure")
        metadata = event.get("metadata")
        if metadata is None or isinstance(metadata, Mapping):
            event["metadata"] = {"exception": exception.__name__, **(metadata or {})}
    return event


def _text(message: Callable[[], str]) -> str:
    try:
        return message()
    except Exception:  # the arguments do not fit the message; `logging` itself reports that
        return ""
