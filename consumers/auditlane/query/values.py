"""Values of filters as they are written: times, ids, choices, addresses; each in the form that the store holds."""

from __future__ import annotations

import ipaddress
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, get_args

from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.stored_event import Provenance
from auditlane.runtime.errors import InvalidFilter

# Outside of what DateTime64 holds no event can be, so a bound there is the bound at its edge.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2299, 12, 31, tzinfo=UTC)
_HASH = re.compile(r"[0-9A-Fa-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?")


def parse_time(name: str, text: str) -> datetime:
    """RFC 3339, to the microsecond; a date is its midnight, and without an offset the time is UTC."""
    text = text.strip()
    try:
        if not _TIME.fullmatch(text):
            raise ValueError("not in the form of a time")
        value = datetime.fromisoformat(text.upper())
    except ValueError:
        raise InvalidFilter(
            f"{name!r} is not a time: {text[:60]!r}.",
            field=name,
            fix="Write it as RFC 3339, such as 2026-01-31T13:45:00Z or 2026-01-31; in a URL, write + as %2B.",
            reason="not_a_time",
            arguments={"field": name, "value": text[:60]},
        ) from None
    if value.tzinfo is None:
        return min(max(value.replace(tzinfo=UTC), EARLIEST), LATEST)
    try:
        return min(max(value.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:  # an offset that leads out of the calendar
        return EARLIEST if value.year < EARLIEST.year else LATEST


# The values of columns that hold choices, in their order.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "outcome": tuple(one.value for one in Outcome),
    "severity": tuple(one.value for one in Severity),
    "provenance": get_args(Provenance),
}


def choices(column: str) -> tuple[str, ...]:
    """The values of a column of CHOICES."""
    return CHOICES[column]


def parse_choice(column: str, value: str) -> str:
    """The choice as it is stored, or InvalidFilter that lists them."""
    known = {one.lower(): one for one in choices(column)}
    if value.lower() not in known:
        raise InvalidFilter(
            f"There is no {column} {value[:60]!r}.",
            field=column,
            fix="Use one of: " + ", ".join(known.values()) + ".",
            reason="not_a_choice",
            arguments={"field": column, "value": value[:60], "known": ", ".join(known.values())},
        )
    return known[value.lower()]


def parse_address(name: str, value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The address; an IPv4 one that is written as IPv6 is IPv4. Raises InvalidFilter."""
    address = parse_ip(value)
    if address is None:
        raise InvalidFilter(
            f"{name!r} is not an address: {value[:60]!r}.",
            field=name,
            fix="Write IPv4 or IPv6.",
            reason="not_an_address",
            arguments={"field": name, "value": value[:60]},
        )
    return getattr(address, "ipv4_mapped", None) or address


def stored_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As ClickHouse holds it: IPv4 mapped into IPv6."""
    return f"::ffff:{address}" if isinstance(address, ipaddress.IPv4Address) else str(address)


def check_event_id(value: str) -> str:
    """The id in lower case with its dashes, or InvalidFilter."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise InvalidFilter(
            f"'event_id' is not a UUID: {value[:60]!r}.",
            field="event_id",
            fix="Write it as the event shows it: 36 characters with dashes.",
            reason="not_an_id",
            arguments={"field": "event_id", "value": value[:60]},
        ) from None


def check_content_hash(value: str) -> str:
    """The hash in lower case, or InvalidFilter."""
    if not _HASH.fullmatch(value):
        raise InvalidFilter(
            f"'content_hash' is not one: {value[:60]!r}.",
            field="content_hash",
            fix="Write it as the event shows it: 32 hexadecimal digits.",
        )
    return value.lower()
