"""Reads an event from a JSON object, for imports and HTTP. Null means absent. Custom fields may be inside `fields` or
next to the base fields.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS
from auditlane.runtime.errors import InvalidEvent

_NAMED: Final = frozenset((*BASE_FIELDS, "fields"))


class UnusableNumber(ValueError):
    """A JSON number that an event cannot represent."""


def finite(text: str) -> float:
    """Parse a number with a decimal point or exponent. Use it as `parse_float`. Raises UnusableNumber beyond the range
    of a double.
    """
    number = float(text)
    if math.isfinite(number):
        return number
    raise UnusableNumber(f"{text[:40]} exceeds the range of a 64-bit number.")


def no_constant(text: str) -> Any:
    """Reject NaN and Infinity by raising UnusableNumber. Use it as `parse_constant`."""
    raise UnusableNumber(f"{text} is not a JSON number.")


def problem_of(error: ValueError) -> str:
    """Describe an error from JSON parsing, other than a JSONDecodeError, as a sentence."""
    if isinstance(error, UnusableNumber):
        return str(error)
    return f"a whole number has more than {sys.get_int_max_str_digits()} digits."  # Python's own limit


def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values for `AuditEvent.checked`, without nulls and with all custom fields under `fields`.

    Raises InvalidEvent if `fields` is not an object, or if a custom field has two values.
    """
    values = {name: value for name, value in given.items() if value is not None}
    if values.keys() <= _NAMED and "fields" not in values:
        return values
    own = {name: values.pop(name) for name in list(values) if name not in _NAMED}
    fields = values.get("fields", {})
    if not isinstance(fields, dict):
        raise InvalidEvent("fields must be an object", field="fields")
    for name in fields.keys() & own.keys():
        if fields[name] != own[name]:
            raise InvalidEvent(
                f"{name} has one value in the event and another under `fields`.", field=name, fix="Send it only once."
            )
    return values | {"fields": fields | own}
