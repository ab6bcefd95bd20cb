"""Parses the time formats that callers of Frontegg's API use: RFC 3339, JavaScript's `Date()`, RFC 2822 and Unix
time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS: Final = re.compile(r"\d{9,17}(\.\d{1,9})?")
_MILLIS: Final = 1e11  # larger numbers are milliseconds, since as seconds they would be after the year 5000
# Wed Nov 25 2026 10:00:00 GMT+0100 (Central European Standard Time)
_JAVASCRIPT: Final = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d) GMT([+-]\d{4})\b.*", re.DOTALL
)


def parse_time(value: Any) -> datetime | None:
    """Parse a time to UTC, with microseconds. A time without an offset is taken as UTC. Returns None if the format is
    unknown.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _since_epoch(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _DIGITS.fullmatch(text):
        return _since_epoch(float(text))
    for read in (_iso, _javascript, _mail):
        try:
            time = read(text)
            if time is not None:
                return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC)
        except (ValueError, OverflowError, IndexError, TypeError):  # the RFC 2822 parser raises any of these
            continue
    return None


def _since_epoch(number: float) -> datetime | None:
    try:
        micros = round(number * (1_000 if abs(number) >= _MILLIS else 1_000_000))
        return _EPOCH + timedelta(microseconds=micros)
    except (OverflowError, ValueError):
        return None


def _iso(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if re.match(r"\d{4}-\d\d-\d\d", text) else None


def _javascript(text: str) -> datetime | None:
    found = _JAVASCRIPT.fullmatch(text)
    # Reordered to RFC 2822's form, which differs only in the order of the parts and the offset's name.
    return parsedate_to_datetime("{1} {0} {2} {3} {4}".format(*found.groups())) if found else None


def _mail(text: str) -> datetime | None:
    return parsedate_to_datetime(text) if re.match(r"[A-Z][a-z]{2}, \d", text) else None
