"""Recognizes envelopes of CloudTrail records: several services' lists, and wrappers of single records. Performs no
I/O.
"""

from __future__ import annotations

from typing import Any, Final

from auditlane.importer.json_stream import members

# Lists in CloudTrail's files, `lookup-events`, `filter-log-events`, and a CloudWatch Logs subscription.
LISTS: Final = frozenset({"Records", "Events", "events", "logEvents"})
_RECORDS_OWN: Final = ("eventTime", "eventName", "eventID")
# Wrappers in `lookup-events`, CloudWatch Logs, SQS (in a Lambda function, and from the command line), and SNS.
_TEXTS: Final = ("CloudTrailEvent", "message", "body", "Body", "Message")
_CONTROL: Final = "CWL CONTROL MESSAGE"


def is_record(value: Any) -> bool:
    """Return whether a value is itself a record, regardless of what else it contains."""
    if not isinstance(value, dict):
        return False
    own = sum(name in value for name in _RECORDS_OWN)
    return own > 1 or (own == 1 and not any(isinstance(value.get(name), list) for name in LISTS))


def holds_records(value: Any, deepest: int = 5) -> bool:
    """Return whether a value that is not a record contains records, in nested objects, arrays or strings."""
    if not deepest or is_record(value):
        return False
    if isinstance(value, list):
        return any(is_record(element) or holds_records(element, deepest - 1) for element in value)
    if not isinstance(value, dict):
        return False
    return bool(within(value)) or any(
        (name in LISTS and isinstance(member, list)) or holds_records(member, deepest - 1)
        for name, member in value.items()
    )


def within(value: Any) -> str:
    """Return the JSON text in a value, which is a string or a known wrapper of one, or "" if the value is neither."""
    if isinstance(value, dict) and not is_record(value):
        value = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), None)
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return _escaped(value)
    return ""


def unwrapped(value: Any, text: str) -> tuple[str, str]:
    """Return the text of the record, which is the value itself or inside it, and the reason to skip it. The reason is
    "" if the record should be imported."""
    if not isinstance(value, dict) or is_record(value):
        return text, ""
    if "digestStartTime" in value or "digestEndTime" in value:
        return text, "is a CloudTrail digest file, which contains no events"
    if isinstance(inner := value.get("CloudTrailEvent"), str):
        return _escaped(inner), ""
    if isinstance(inner := value.get("message"), str) and "timestamp" in value:
        control = inner.startswith(_CONTROL)
        return _escaped(inner), "is a CloudWatch Logs control message, which contains no event" if control else ""
    if isinstance(value.get("detail"), dict) and "detail-type" in value:
        places = [(start, end) for name, start, end in members(text, 0) if name == "detail"]
        return (text[places[-1][0] : places[-1][1]] if places else text), ""
    return text, ""


def _escaped(inner: str) -> str:
    """Restore escapes of lone surrogates in a string that was itself parsed from JSON."""
    return inner.encode("utf-8", "backslashreplace").decode("utf-8", "surrogateescape")
