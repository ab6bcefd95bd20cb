"""Converts a typed event's field values to values that a contract can carry."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final
from uuid import UUID

from pydantic import AnyUrl

from auditlane.contract.json_values import json_text

_UNCHANGED: Final = frozenset({str, int, float, bool, datetime, type(None)})
_TEXTS: Final = (UUID, IPv4Address, IPv6Address, AnyUrl)


def contract_value(value: object) -> Any:
    """Convert a value to text, a number, a boolean, a datetime or None. Values of these types are returned unchanged.

    Raises ValueError for any other value. The message continues a sentence that starts with the field's name.
    """
    if type(value) in _UNCHANGED:
        return value
    if isinstance(value, Enum):
        return contract_value(value.value)
    if isinstance(value, Decimal):
        return _number(value)
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, str | int | float | datetime):  # a subclass of one of these types
        return value
    return json_text(value)


def _number(value: Decimal) -> float:
    """Convert a decimal to a float. Raises ValueError if the float would be read back as a different number."""
    number = float(value)
    if value.is_finite() and Decimal(repr(number)) == value:
        return number
    raise ValueError("must be a finite number that 64 bits represent exactly; round it, or declare the field as str")
