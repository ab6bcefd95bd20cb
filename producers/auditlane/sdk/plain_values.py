"""Checks and encodes the values of base fields for `plain_encoding` and `compiled_encoding`.

A function returns Avro's bytes as text with one character per byte (Latin-1), because Python joins text faster than
bytes. It raises an exception if the value is invalid, or of a type that only the model converts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final
from uuid import UUID

from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.json_values import json_text
from auditlane.contract.provenance import is_ours
from auditlane.contract.tenants import OURS, is_tenant
from auditlane.contract.window import NEWEST, OLDEST

NULL: Final = "\x00"  # tags of a union of null and string, in the base schema's order
PRESENT: Final = "\x02"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
_OLDEST_US: Final = OLDEST // MICROSECOND
_NEWEST_US: Final = NEWEST // MICROSECOND
_CACHED: Final = 4_096  # maximum number of entries in a cache
_CACHED_CHARACTERS: Final = 256  # maximum length of a cached string
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch
# The subset of RFC 3339 that Python and pydantic parse alike.
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
).fullmatch


class Unusual(ValueError):
    """Raised for a value that is invalid, or of a type that only the model converts."""


def varint(number: int) -> bytes:
    """Encode an Avro long as bytes."""
    return _groups(number << 1 if number >= 0 else ~(number << 1))


def _groups(bits: int) -> bytes:
    """Encode bits in groups of seven, lowest first."""
    encoded = bytearray()
    while bits > 0x7F:
        encoded.append(bits & 0x7F | 0x80)
        bits >>= 7
    encoded.append(bits)
    return bytes(encoded)


def wire(data: bytes) -> str:
    """Return bytes as text with one character per byte."""
    return data.decode("latin-1")


def utf8(text: str) -> str:
    """Return the UTF-8 encoding of a string as text with one character per byte."""
    return text if text.isascii() else text.encode().decode("latin-1")


class Recurring(dict[str, str]):
    """A cache of encoded recurring strings, whose check may be costly. Missing entries are computed on access. Raises
    ValueError for an invalid string.
    """

    def __init__(self, encode: Callable[[str], str]) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, text: str) -> str:
        encoded = self._encode(text)
        if len(text) <= _CACHED_CHARACTERS:
            if len(self) >= _CACHED:
                self.clear()
            self[text] = encoded
        return encoded


_SHORT: Final = 2_048
# Encoded lengths of strings, by length in bytes. `varint` for each of them would slow down the import of the SDK.
LENGTH: Final = tuple(
    chr(bits) if bits < 0x80 else chr(bits & 0x7F | 0x80) + chr(bits >> 7) for bits in range(0, 2 * _SHORT, 2)
)
PRESENT_LENGTH: Final = tuple(PRESENT + length for length in LENGTH)


def text(value: Any) -> str:
    """Encode a string."""
    if type(value) is not str:
        raise Unusual
    encoded = utf8(value)
    size = len(encoded)
    return (LENGTH[size] if size < _SHORT else wire(varint(size))) + encoded


def present(value: Any) -> str:
    """Encode a string of an optional field."""
    if type(value) is not str:
        raise Unusual
    encoded = utf8(value)
    size = len(encoded)
    return (PRESENT_LENGTH[size] if size < _SHORT else PRESENT + wire(varint(size))) + encoded


def optional(value: Any) -> str:
    """Encode a string or None."""
    return NULL if value is None else present(value)


def _tenant(value: str) -> str:
    if not is_tenant(value) or value == OURS:
        raise Unusual
    return text(value)


def _action(value: str) -> str:
    if not value or value.isspace():
        raise Unusual
    return text(value)


def _source(value: str) -> str:
    if value and is_ours(value):
        raise Unusual
    return text(value)


def _ip(value: str) -> str:
    if not value:
        return NULL
    if parse_ip(value) is None:
        raise Unusual
    return present(value)


TENANTS: Final = Recurring(_tenant)
ACTIONS: Final = Recurring(_action)
SOURCES: Final = Recurring(_source)
IPS: Final = Recurring(_ip)
TEXTS: Final = Recurring(text)
OUTCOMES: Final = {outcome.value: wire(varint(at)) for at, outcome in enumerate(Outcome)}
SEVERITIES: Final = {severity.value: wire(varint(at)) for at, severity in enumerate(Severity)}


def agent(value: Any) -> str:
    """Encode a user agent. An empty one is stored as null."""
    return NULL if value is None or (type(value) is str and not value) else present(value)


def state_text(value: Any) -> str:
    """Return the text of a state before or after a change, not yet encoded."""
    if type(value) is str:
        return value
    if isinstance(value, str):  # the model keeps some of these unchanged
        raise Unusual
    return json_text(value)


def state(value: Any) -> str:
    """Encode a state before or after a change, or None."""
    return NULL if value is None else present(state_text(value))


def id_text(value: Any) -> str:
    """Return the text of an event id, not yet encoded."""
    if type(value) is str and _UUID(value):
        return value
    if type(value) is UUID:
        return str(value)
    raise Unusual


def micros(value: Any, now_us: int) -> int:
    """Return the microseconds since 1970 for a time with a time zone. `now_us` is the current time, also in
    microseconds."""
    if type(value) is str and _TIME(value):
        value = datetime.fromisoformat(value)
    if type(value) is not datetime or (value.tzinfo is not UTC and type(value.tzinfo) is not timezone):
        raise Unusual
    found: int = (value - EPOCH) // MICROSECOND
    if not now_us - _OLDEST_US <= found <= now_us + _NEWEST_US:
        raise Unusual
    return found


class _Seconds(dict[int, str]):
    """A cache of encoded times' last bytes, which stay the same for about a second. Missing entries are computed on
    access.
    """

    def __missing__(self, high: int) -> str:
        if len(self) >= _CACHED:
            self.clear()
        self[high] = encoded = wire(_groups(high))
        return encoded


# The bytes of an encoded time since 1971 by microseconds: the first has six bits, and the next two have seven each.
FIRST: Final = tuple(chr(bits << 1 | 0x80) for bits in range(64))
NEXT: Final = tuple(chr(bits | 0x80) for bits in range(128))
SECONDS: Final = _Seconds()


def time(micros: int) -> str:
    """Encode a time since 1971."""
    return f"{FIRST[micros & 63]}{NEXT[micros >> 6 & 127]}{NEXT[micros >> 13 & 127]}{SECONDS[micros >> 20]}"


def texts(metadata: Any) -> str:
    """Encode the metadata."""
    if type(metadata) is not dict:
        raise Unusual
    if not metadata:
        return "\x00"
    count = len(metadata)
    encoded = LENGTH[count] if count < _SHORT else wire(varint(count))
    for name, value in metadata.items():
        if type(name) is not str or type(value) is not str:
            raise Unusual
        if not value.isascii() or len(value) >= _SHORT:
            encoded += TEXTS[name] + text(value)
        else:
            encoded += f"{TEXTS[name]}{LENGTH[len(value)]}{value}"
    return encoded + "\x00"
