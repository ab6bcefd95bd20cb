"""The values of custom fields by kind: which values are valid, how they are stored, and how text from readers is
parsed.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from auditlane.contract.rules import storable

# The range of RFC 3339: the years 0000 to 9999.
TIME_FIRST_US: Final = -62_167_219_200_000_000
TIME_LAST_US: Final = 253_402_300_799_999_999
_YEAR_1_US: Final = -62_135_596_800_000_000  # a default must fit Python's calendar, like one set through the API
_RANGES: Final = {
    "int": (-(2**31), 2**31 - 1),
    "long": (-(2**63), 2**63 - 1),
    "timestamp": (_YEAR_1_US, TIME_LAST_US),
}


def fits(kind: str, symbols: tuple[str, ...], default: Any) -> bool:
    """Return whether a default from a schema's JSON is a value of this kind. Times are microseconds since 1970."""
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
    """Return the value as it is stored. A `float` is rounded to 32 bits. Raises OverflowError if it is outside their
    range.
    """
    if kind == "float":
        return struct.unpack("<f", struct.pack("<f", value))[0]
    return float(value) if kind == "double" else value


class StoredFields(dict[str, Any]):
    """The custom fields of a tenant. A value may be text, as readers receive it. `whole` is true if absent fields are
    null.
    """

    def __init__(self, values: Mapping[str, Any], *, whole: bool) -> None:
        super().__init__(values)
        self.whole = whole


_WHOLE: Final = re.compile(r"-?[0-9]+")
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")
_NO_NUMBERS: Final = ("nan", "inf", "-inf")
_400_YEARS: Final = timedelta(days=146_097)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def from_text(kind: str, text: str) -> Any:
    """Parse a value of this kind from the text that readers receive. Invalid text is returned unchanged."""
    if kind == "boolean":
        return {"true": True, "false": False}.get(text, text)
    with suppress(ValueError):
        if kind in ("int", "long") and _WHOLE.fullmatch(text):
            return int(text)
        if kind in ("float", "double") and (_NUMBER.fullmatch(text) or text in _NO_NUMBERS):
            number = float(text)
            return number if math.isfinite(number) or text in _NO_NUMBERS else text
        if kind == "timestamp" and text.startswith("0000-"):  # Python's calendar has no year 0
            since_1970 = datetime.fromisoformat(f"0400-{text[5:]}") - _EPOCH - _400_YEARS
            return since_1970 // timedelta(microseconds=1)
    return text


def _is_finite(kind: str, number: float) -> bool:
    try:
        return math.isfinite(as_stored(kind, number))
    except OverflowError:
        return False
