"""Converts values of custom fields to the form that Avro's encoder accepts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.json_values import json_text
from auditlane.contract.tenant_contract import Field
from auditlane.contract.values import as_stored

_INT_RANGES: Final = {"int": 31, "long": 63}


def converted(field: Field, value: Any) -> Any:
    """Return the value as Avro's encoder accepts it. Raises ValueError with a message that continues a sentence
    starting with the field's name.
    """
    if value is None:
        if field.nullable:
            return None
        raise ValueError("must not be null")
    kind = field.kind
    if kind == "boolean":
        if isinstance(value, bool):
            return value
        raise ValueError("must be true or false")
    if kind in _INT_RANGES:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and -1 << _INT_RANGES[kind] <= value < 1 << _INT_RANGES[kind]
        ):
            return value
        raise ValueError(f"must be a {_INT_RANGES[kind] + 1}-bit integer")
    if kind in ("float", "double"):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return _number(kind, value)
        raise ValueError("must be a number")
    if kind == "enum":
        if isinstance(value, str) and value in field.symbols:
            return str(value)
        raise ValueError("must be one of " + ", ".join(field.symbols))
    if kind == "timestamp":
        return _time(value)
    return _text(value)


def _number(kind: str, value: int | float) -> float:
    """Round the number to its stored precision, since rules apply to the values that readers see."""
    try:
        return float(as_stored(kind, value))
    except OverflowError:
        raise ValueError(f"must fit into a {32 if kind == 'float' else 64}-bit float") from None


def _time(value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else value
        if isinstance(time, datetime) and time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("must be a time with a time zone, such as 2024-05-01T12:00:00Z")


def _text(value: Any) -> str:
    """Return text unchanged, and lists and objects as JSON text, which is how a contract represents them."""
    if isinstance(value, (dict, list)):
        value = json_text(value)
    if not isinstance(value, str):
        raise ValueError("must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("contains a lone surrogate, which UTF-8 cannot encode") from None
    return value
