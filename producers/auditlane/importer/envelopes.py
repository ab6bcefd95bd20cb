"""What CloudTrail's records come in: lists of several services, and what is wrapped around a single one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.importer.json_stream import members

# CloudTrail's files; `lookup-events`; `filter-log-events`; a subscription of CloudWatch Logs.
LISTS: Final = frozenset({"Records", "Events", "events", "logEvents"})
_RECORDS_OWN: Final = ("eventTime", "eventName", "eventID")
_CONTROL: Final = "CWL CONTROL MESSAGE"


def is_record(value: Mapping[str, Any]) -> bool:
    """Whether an object is a record of its own, whatever else it holds."""
    return any(name in value for name in _RECORDS_OWN)


def unwrapped(value: Any, text: str) -> tuple[str, str]:
    """(the text of the record that this value is or holds, why it is passed over; empty when it is not)."""
    if not isinstance(value, dict) or is_record(value):
        return text, ""
    if "digestStartTime" in value or "digestEndTime" in value:
        return text, "is a digest file of CloudTrail, which holds no events"
    if isinstance(inner := value.get("CloudTrailEvent"), str):
        return _escaped(inner), ""
    if isinstance(inner := value.get("message"), str) and "timestamp" in value:
        control = inner.startswith(_CONTROL)
        return _escaped(inner), "is a control message of CloudWatch Logs, which holds no event" if control else ""
    if isinstance(value.get("detail"), dict) and "detail-type" in value:
        places = [(start, end) for name, start, end in members(text, 0) if name == "detail"]
        return (text[places[-1][0] : places[-1][1]] if places else text), ""
    return text, ""


def _escaped(inner: str) -> str:
    """Text that was in a text: half a surrogate pair stands in it as a character, and goes back to its escape."""
    return inner.encode("utf-8", "backslashreplace").decode("utf-8", "surrogateescape")
