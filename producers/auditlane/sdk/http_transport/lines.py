"""Encodes events as NDJSON lines, the format that `POST /v1/events` accepts. The gateway checks them against the
tenant's contract.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final, NoReturn

from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.json_values import json_text
from auditlane.runtime.errors import EventTooLarge, InvalidEvent

_PLAIN: Final = (str, int, float, bool, type(None))
_FIXED: Final = ("occurred_at", "outcome", "severity")  # a few bytes in Avro
MEMBERS: Final = tuple(name for name in BASE_FIELDS if name not in (*_FIXED, "request_id"))
# Members that are omitted if they have this value. A nullable field is omitted if it is null.
_OMITTED: Final[dict[str, Any]] = dict.fromkeys(("actor_id", "resource", "source"), "") | {"metadata": {}}
encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def line_of(event: AuditEvent, max_event_bytes: int) -> bytes:
    """Return an event as a line of JSON in UTF-8, without a newline.

    Raises InvalidEvent, which names the field, or EventTooLarge if the event in Avro would exceed `max_event_bytes`.
    """
    members: dict[str, Any] = {}
    for name in MEMBERS:
        value = getattr(event, name)
        if value is not None and value != _OMITTED.get(name):
            members[name] = value
    members["request_id"] = event.request_id or ""  # otherwise, the gateway would set that of the HTTP request
    members["occurred_at"] = event.occurred_at.isoformat().replace("+00:00", "Z")
    members["outcome"], members["severity"] = event.outcome.value, event.severity.value
    if own := event.custom_fields():
        members["fields"] = {name: _own_value(name, value) for name, value in own.items()}
    try:
        line = encode(members).encode()
    except (ValueError, RecursionError):
        _explain(members)
    # JSON has the names of the fields and escapes, so the event in Avro is never larger than the line.
    if len(line) > max_event_bytes:
        own = members.pop("fields", {})
        sizes = {name: _size(value) for name, value in (members | own).items() if name not in _FIXED}
        if (size := sum(sizes.values())) > max_event_bytes:
            largest = max(sizes, key=sizes.__getitem__)
            raise EventTooLarge(
                f"The event has {size} bytes (limit {max_event_bytes}); its largest field is {largest}.",
                field=largest,
                fix="Store large objects elsewhere, and put a link to them into the event.",
            )
    return line


def _own_value(name: str, value: Any) -> Any:
    """Return a custom field's value as JSON can represent it. Raises InvalidEvent."""
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidEvent(f"{name} must be a time with a time zone, such as 2024-05-01T12:00:00Z.", field=name)
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict | list):
        try:
            return json.loads(json_text(value))
        except ValueError as error:
            raise InvalidEvent(f"{name} {error}.", field=name) from None
    raise InvalidEvent(
        f"{name} must be text, a number, true or false, a time, a list or an object, not {type(value).__name__}.",
        field=name,
    )


def _explain(members: dict[str, Any]) -> NoReturn:
    """Raise InvalidEvent for the custom field that JSON or UTF-8 cannot represent."""
    for name, value in members.get("fields", {}).items():
        try:
            encode(value).encode()
        except UnicodeEncodeError:
            raise InvalidEvent(f"{name} contains a lone surrogate, which UTF-8 cannot encode.", field=name) from None
        except (ValueError, RecursionError):
            raise InvalidEvent(
                f"{name} must be convertible to JSON, without NaN or infinite numbers.", field=name
            ) from None
    raise InvalidEvent("The name of a custom field contains a lone surrogate, which UTF-8 cannot encode.")


def _size(value: Any) -> int:
    """Return the approximate size of a value in Avro, in bytes."""
    if isinstance(value, str):
        return len(value.encode(errors="replace")) + 2
    if isinstance(value, dict):
        return sum(len(str(name)) + 2 + _size(item) for name, item in value.items())
    return len(encode(value).encode()) if isinstance(value, list) else 8
