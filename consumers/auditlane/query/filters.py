"""What a reader asks for: query parameters (or command-line options) as one typed filter.

Nothing here knows SQL: `sql.compile_*` turns a filter into parametrised statements.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from auditlane.contract.event import Outcome, Severity, parse_ip
from auditlane.runtime.errors import InvalidFilter

# Base columns that a filter may name; `actor` finds an actor by id or by name.
COLUMNS: Final = (
    "event_id",
    "action",
    "actor",
    "actor_id",
    "actor_type",
    "actor_name",
    "on_behalf_of",
    "resource",
    "resource_id",
    "outcome",
    "severity",
    "description",
    "ip",
    "user_agent",
    "request_id",
    "source",
)
MAPS: Final = ("metadata", "fields")
KNOWN: Final = ("from", "to", *COLUMNS, "metadata.<key>", "fields.<key>", "q")

MAX_VALUES = 100
MAX_VALUE_CHARS = 4_096
MAX_WORDS = 16
# Outside of what DateTime64 holds no event can be, so a bound there is the bound at its edge.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LATEST = datetime(2299, 12, 31, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)?)?")


@dataclass(frozen=True, slots=True)
class Filter:
    """Events that occurred in [since, until) and match all the rest; an empty filter is every event of the tenant.

    `equals` maps a column, and `metadata` and `fields` a key, to the values of which any one matches. An empty value
    matches events that have none. Each of `words` occurs in some text of the event, upper and lower case alike.
    """

    since: datetime | None = None
    until: datetime | None = None
    equals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metadata: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return self != Filter()

    def digest(self) -> bytes:
        """16 bytes that are equal for equal filters, in whatever order they were written."""
        canonical = [
            self.since and self.since.isoformat(),
            self.until and self.until.isoformat(),
            *(
                {key: sorted(values) for key, values in one.items()}
                for one in (self.equals, self.metadata, self.fields)
            ),
            sorted(self.words),
        ]
        text = json.dumps(canonical, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def parse(pairs: Iterable[tuple[str, str]]) -> Filter:
    """A filter from (name, value) pairs; a name given several times matches any of its values.

    Raises InvalidFilter that names the parameter, and for an unknown one those that there are.
    """
    bounds: dict[str, datetime] = {}
    found: dict[str, dict[str, list[str]]] = {"equals": {}, "metadata": {}, "fields": {}}
    words: list[str] = []
    for count, (name, value) in enumerate(pairs, start=1):
        _check_text(name, value)
        if count > MAX_VALUES:
            raise InvalidFilter(f"The filter has more than {MAX_VALUES} values.", fix="Ask for fewer at once.")
        group, dot, key = name.partition(".")
        if name in ("from", "to"):
            if name in bounds:
                raise InvalidFilter(f"{name!r} is given more than once.", field=name, fix="Give it once.")
            bounds[name] = parse_time(name, value)
        elif name == "q":
            words += value.split()
        elif name in COLUMNS:
            found["equals"].setdefault(name, []).append(_value(name, value))
        elif group in MAPS and dot and key:
            found[group].setdefault(key, []).append(value)
        else:
            raise InvalidFilter(
                f"There is no filter {name[:100]!r}.", field=name[:100], fix="Known filters: " + ", ".join(KNOWN) + "."
            )
    return _filter(bounds, found, words)


def _filter(bounds: dict[str, datetime], found: dict[str, dict[str, list[str]]], words: list[str]) -> Filter:
    since, until = bounds.get("from"), bounds.get("to")
    if since and until and since >= until:
        raise InvalidFilter(
            "'from' is not before 'to'.", field="from", fix="Swap them: 'from' is included, 'to' is not."
        )
    if len(words) > MAX_WORDS:
        raise InvalidFilter(f"'q' has more than {MAX_WORDS} words.", field="q", fix="Search for fewer words.")
    unique = {
        group: {key: tuple(dict.fromkeys(values)) for key, values in keys.items()} for group, keys in found.items()
    }
    return Filter(since, until, unique["equals"], unique["metadata"], unique["fields"], tuple(dict.fromkeys(words)))


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
        ) from None
    if value.tzinfo is None:
        return min(max(value.replace(tzinfo=UTC), EARLIEST), LATEST)
    try:
        return min(max(value.astimezone(UTC), EARLIEST), LATEST)
    except OverflowError:  # an offset that leads out of the calendar
        return EARLIEST if value.year < EARLIEST.year else LATEST


def _value(column: str, value: str) -> str:
    """The value in the form that the column holds it in. An empty text stays: it means 'has none'."""
    if column == "event_id":
        return check_event_id(value)
    if column in ("outcome", "severity"):
        known = {one.value.lower(): one.value for one in (Outcome if column == "outcome" else Severity)}
        if value.lower() not in known:
            raise InvalidFilter(
                f"There is no {column} {value[:60]!r}.",
                field=column,
                fix="Use one of: " + ", ".join(known.values()) + ".",
            )
        return known[value.lower()]
    if value and column == "ip":
        address = parse_ip(value)
        if address is None:
            raise InvalidFilter(f"'ip' is not an address: {value[:60]!r}.", field="ip", fix="Write IPv4 or IPv6.")
        return f"::ffff:{address}" if isinstance(address, ipaddress.IPv4Address) else str(address)
    return value


def check_event_id(value: str) -> str:
    """The id in lower case with its dashes, or InvalidFilter."""
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise InvalidFilter(
            f"'event_id' is not a UUID: {value[:60]!r}.",
            field="event_id",
            fix="Write it as the event shows it: 36 characters with dashes.",
        ) from None


def _check_text(name: str, value: str) -> None:
    if len(value) > MAX_VALUE_CHARS or len(name) > MAX_VALUE_CHARS:
        raise InvalidFilter(
            f"{name[:100]!r} is longer than {MAX_VALUE_CHARS} characters.",
            field=name[:100],
            fix="Search for a part of it.",
        )
    try:
        (name + value).encode()
    except UnicodeEncodeError:
        raise InvalidFilter(
            f"{ascii(name)[:100]} is not valid UTF-8.", field=ascii(name)[:100], fix="Send it as UTF-8."
        ) from None
