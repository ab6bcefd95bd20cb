"""What CloudTrail's records come in: lists of several services, and what is wrapped around a single one. Pure."""

from __future__ import annotations

from typing import Any, Final

from auditlane.importer.json_stream import members

# CloudTrail's files; `lookup-events`; `filter-log-events`; a subscription of CloudWatch Logs.
LISTS: Final = frozenset({"Records", "Events", "events", "logEvents"})
_RECORDS_OWN: Final = ("eventTime", "eventName", "eventID")
# `lookup-events`; CloudWatch Logs; SQS as a Lambda function and as the command line get it; SNS.
_TEXTS: Final = ("CloudTrailEvent", "message", "body", "Body", "Message")
_CONTROL: Final = "CWL CONTROL MESSAGE"


def is_record(value: Any) -> bool:
    """Whether a value is a record of its own, whatever else it holds."""
    if not isinstance(value, dict):
        return False
    own = sum(name in value for name in _RECORDS_OWN)
    return own > 1 or (own == 1 and not any(isinstance(value.get(name), list) for name in LISTS))


def holds_records(value: Any, deepest: int = 5) -> bool:
    """Whether an object or array that is no record holds some, in further objects, arrays or texts."""
    if not deepest or is_record(value):
        return False
    if isinstance(value, list):
        return any(is_record(one) or holds_records(one, deepest - 1) for one in value)
    if not isinstance(value, dict):
        return False
    return bool(within(value)) or any(
        (name in LISTS and isinstance(one, list)) or holds_records(one, deepest - 1) for name, one in value.items()
    )


def within(value: Any) -> str:
    """The text that a value is or holds, if it is to be read as JSON of its own; else empty."""
    if isinstance(value, dict) and not is_record(value):
        value = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return _escaped(value)
    return ""


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
