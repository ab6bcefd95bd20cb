"""An event as a JSON object, for imports and for HTTP: null is absent, a tenant's own fields stand anywhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS
from auditlane.runtime.errors import InvalidEvent

_NAMED: Final = frozenset((*BASE_FIELDS, "fields"))


class NoNumber(ValueError):
    """A number in JSON that no event can carry."""


def finite(text: str) -> float:
    """A number with a point or an exponent, for `parse_float`. Raises NoNumber for one beyond a double."""
    number = float(text)
    if math.isfinite(number):
        return number
    raise NoNumber(f"{text[:40]} is beyond the numbers of 64 bits.")


def no_constant(text: str) -> Any:
    """NaN and Infinity, for `parse_constant`. Raises NoNumber."""
    raise NoNumber(f"{text} is no JSON number.")


def problem_of(error: ValueError) -> str:
    """Describe an error of reading JSON other than JSONDecodeError, as a sentence."""
    if isinstance(error, NoNumber):
        return str(error)
    return f"a whole number has more than {sys.get_int_max_str_digits()} digits."  # Python's own limit, in our words


def values_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values for `AuditEvent.checked`: what is null left out, own fields under `fields`, wherever they stood.

    Raises InvalidEvent when `fields` is no object, and when an own field has two values.
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
                f"{name} stands in the event and under fields, with two values.", field=name, fix="Send it once."
            )
    return values | {"fields": fields | own}
