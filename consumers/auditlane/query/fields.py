"""The fields that a filter, query or sort order can name, and how their values are compared and written.

Values (times, ids, choices, addresses) are parsed into the form in which they are stored.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.contract.stored_event import Provenance
from auditlane.query.language.tree import Field, Kind
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.presentation import DisplayType
from auditlane.store.structure_cache import Structure

CustomFields = Callable[[], Mapping[str, Kind]]  # looks up a tenant's custom fields when a query needs them
CustomFieldsOf = Callable[[str], CustomFields]  # takes a tenant, returns its `CustomFields`

BASE: Final[Mapping[str, Kind]] = {
    "occurred_at": Kind.time,
    "action": Kind.text,
    "actor": Kind.text,  # matches the id or the name
    "actor_id": Kind.text,
    "actor_type": Kind.text,
    "actor_name": Kind.text,
    "on_behalf_of": Kind.text,
    "resource": Kind.text,
    "resource_id": Kind.text,
    "outcome": Kind.choice,
    "severity": Kind.ordinal,
    "description": Kind.text,
    "ip": Kind.ip,
    "user_agent": Kind.text,
    "request_id": Kind.text,
    "before": Kind.text,
    "after": Kind.text,
    "source": Kind.text,
    "event_id": Kind.id,
    "ingested_at": Kind.time,
    "provenance": Kind.choice,
    "provenance_id": Kind.text,
    "content_hash": Kind.text,
}
_CUSTOM: Final = {
    DisplayType.Timestamp: Kind.time,
    DisplayType.Number: Kind.number,
    DisplayType.Boolean: Kind.boolean,
    DisplayType.IpAddress: Kind.ip,
}
# Allowed values of the columns that hold choices, in order.
CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "outcome": tuple(choice.value for choice in Outcome),
    "severity": tuple(choice.value for choice in Severity),
    "provenance": get_args(Provenance),
}
# DateTime64 cannot hold times outside this range, so bounds outside it are clamped.
EARLIEST: Final = datetime(1900, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2299, 12, 31, tzinfo=UTC)
_HASH: Final = re.compile(r"[0-9A-Fa-f]{32}")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?")


def kind_of(display: DisplayType) -> Kind:
    """Return how the values of a custom field are compared."""
    return _CUSTOM.get(display, Kind.text)


def no_fields() -> Mapping[str, Kind]:
    """Return an empty mapping. A query can then name a custom field only as `fields.<name>`, without a type."""
    return {}


def none_known(tenant: str) -> CustomFields:
    """Return `no_fields` for every tenant."""
    return no_fields


def from_structure(structure_of: Callable[[str], Structure]) -> CustomFieldsOf:
    """Return a function that looks up custom fields in the tenants' data structures."""
    return lambda tenant: lambda: {view.name: kind_of(view.display_type) for view in structure_of(tenant).custom()}


def find(name: str, custom: Mapping[str, Kind]) -> Field:
    """Return the field with this name. Raises InvalidFilter, listing the known fields."""
    if name in BASE:
        return Field(name, BASE[name])
    group, dot, key = name.partition(".")
    if group == "metadata" and dot and key:
        return Field(key, Kind.untyped, "metadata")
    if group == "fields" and dot and key:
        return Field(key, custom.get(key, Kind.untyped), "fields")
    if name in custom:
        return Field(name, custom[name], "fields")
    known = [*BASE, "metadata.<key>", "fields.<name>", *custom]
    close = difflib.get_close_matches(name.lower(), known, 1)
    meant = f"Did you mean {close[0]}? " if close else ""
    raise InvalidFilter(
        f"there is no field {name[:100]!r}",
        fix=f"{meant}Known fields: {', '.join(known)}.",
        reason="unknown_field",
        arguments={"field": name[:100], "meant": close[0] if close else "", "known": ", ".join(known)},
    )


def parse_time(name: str, text: str) -> datetime:
    """Parse RFC 3339 text to the microsecond. A date means midnight, and a time without an offset is in UTC."""
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
    except OverflowError:  # the offset moves the time outside the calendar
        return EARLIEST if value.year < EARLIEST.year else LATEST


def parse_zone(name: str, text: str | None) -> ZoneInfo:
    """Parse a time zone name (IANA). None means UTC. Raises InvalidFilter, naming the parameter."""
    try:
        return ZoneInfo(text or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidFilter(
            f"There is no time zone {str(text)[:60]!r}.", field=name, fix="Use an IANA name: Europe/Berlin, UTC."
        ) from None


def parse_choice(column: str, value: str) -> str:
    """Return the choice as it is stored. Raises InvalidFilter, listing the choices."""
    known = {choice.lower(): choice for choice in CHOICES[column]}
    if value.lower() not in known:
        raise InvalidFilter(
            f"There is no {column} {value[:60]!r}.",
            field=column,
            fix="Use one of: " + ", ".join(known.values()) + ".",
            reason="not_a_choice",
            arguments={"field": column, "value": value[:60], "known": ", ".join(known.values())},
        )
    return known[value.lower()]


def severity_rank(value: str) -> int:
    """Return the rank of a severity, counted from the least severe."""
    return CHOICES["severity"].index(value)


def parse_address(name: str, value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Parse an address. An IPv4-mapped IPv6 address becomes IPv4. Raises InvalidFilter."""
    address = parse_ip(value)
    if address is None:
        raise InvalidFilter(
            f"{name!r} is not an IP address: {value[:60]!r}.",
            field=name,
            fix="Use an IPv4 or IPv6 address.",
            reason="not_an_address",
            arguments={"field": name, "value": value[:60]},
        )
    return getattr(address, "ipv4_mapped", None) or address


def stored_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Format an address as ClickHouse stores it. IPv4 is mapped to IPv6."""
    return f"::ffff:{address}" if isinstance(address, ipaddress.IPv4Address) else str(address)


def check_event_id(value: str) -> str:
    """Return the id in lower case and with its dashes. Raises InvalidFilter if it is invalid."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise InvalidFilter(
            f"'event_id' is not a UUID: {value[:60]!r}.",
            field="event_id",
            fix="Copy it from the event: 36 characters with dashes.",
            reason="not_an_id",
            arguments={"field": "event_id", "value": value[:60]},
        ) from None


def check_content_hash(value: str) -> str:
    """Return the hash in lower case. Raises InvalidFilter if it is invalid."""
    if not _HASH.fullmatch(value):
        raise InvalidFilter(
            f"'content_hash' is not a content hash: {value[:60]!r}.",
            field="content_hash",
            fix="Copy it from the event: 32 hexadecimal digits.",
        )
    return value.lower()
