"""What a contract's own field can hold, by its kind, and the value as it is stored."""

from __future__ import annotations

import math
import struct
from typing import Any, Final

from auditlane.contract.rules import storable

# RFC 3339 has the years 0000 to 9999.
TIME_FIRST_US: Final = -62_167_219_200_000_000
TIME_LAST_US: Final = 253_402_300_799_999_999
_RANGES: Final = {
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "timestamp": (TIME_FIRST_US, TIME_LAST_US),
}


def fits(kind: str, symbols: tuple[str, ...], default: Any) -> bool:
    """Whether a default, as a schema's JSON has it, is a value of this kind. Times are microseconds since 1970."""
    if kind in _RANGES:
        low, high = _RANGES[kind]
        return isinstance(default, int) and not isinstance(default, bool) and low <= default <= high
    if kind in ("float", "double"):
        return isinstance(default, int | float) and not isinstance(default, bool) and _is_finite(kind, default)
    if kind == "boolean":
        return isinstance(default, bool)
    if kind == "enum":
        return default in symbols
    return kind == "string" and isinstance(default, str) and storable(default)


def as_stored(kind: str, value: Any) -> Any:
    """The value that a reader gets back: a `float` has 32 bits, and OverflowError is raised where they do not do."""
    if kind == "float":
        return struct.unpack("<f", struct.pack("<f", value))[0]
    return float(value) if kind == "double" else value


def _is_finite(kind: str, number: float) -> bool:
    try:
        return math.isfinite(as_stored(kind, number))
    except OverflowError:
        return False
