"""What a reader asks for: query parameters (or command-line options) as one typed filter.

Nothing here knows SQL: `sql.compile_*` turns a filter into parametrised statements.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from auditlane.query.language import parser, printer
from auditlane.query.language.fields import Own, no_fields
from auditlane.query.language.tree import Node
from auditlane.query.values import CHOICES, check_event_id, parse_address, parse_choice, parse_time, stored_address
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
    "provenance",
    "provenance_id",
)
MAPS: Final = ("metadata", "fields")
KNOWN: Final = ("from", "to", *COLUMNS, "metadata.<key>", "fields.<key>", "q", "query")

MAX_VALUES = 100
MAX_VALUE_CHARS = 4_096
MAX_WORDS = 16


@dataclass(frozen=True, slots=True)
class Filter:
    """Events that occurred in [since, until) and match all the rest; an empty filter is every event of the tenant.

    `equals` maps a column, and `metadata` and `fields` a key, to the values of which any one matches. An empty value
    matches events that have none. Each of `words` occurs in some text of the event, upper and lower case alike. `query`
    is what was said in the query language.
    """

    since: datetime | None = None
    until: datetime | None = None
    equals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metadata: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    query: Node | None = None

    def __bool__(self) -> bool:
        return self != Filter()

    @property
    def narrows(self) -> bool:
        """Whether it asks for more than a stretch of time."""
        return self != Filter(self.since, self.until)

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
            self.query and printer.text_of(self.query),
        ]
        text = json.dumps(canonical, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def parse(pairs: Iterable[tuple[str, str]], own: Own = no_fields, *, route_parameters: Sequence[str] = ()) -> Filter:
    """A filter from (name, value) pairs; a name given several times matches any of its values.

    `own` gives the tenant's own fields, and is called only when there is a query in the query language.

    Raises InvalidFilter that names the parameter. For an unknown one its fix lists the filters, after the
    `route_parameters` that the route takes beside them.
    """
    bounds: dict[str, datetime] = {}
    found: dict[str, dict[str, list[str]]] = {"equals": {}, "metadata": {}, "fields": {}}
    words: list[str] = []
    query: list[str] = []
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
        elif name == "query":
            query.append(value)
        elif name in COLUMNS:
            found["equals"].setdefault(name, []).append(_value(name, value))
        elif group in MAPS and dot and key:
            found[group].setdefault(key, []).append(value)
        else:
            kind = "parameters" if route_parameters else "filters"
            fix = f"Known {kind}: {', '.join((*route_parameters, *KNOWN))}."
            raise InvalidFilter(f"There is no filter {name[:100]!r}.", field=name[:100], fix=fix)
    if len(query) > 1:
        raise InvalidFilter("'query' is given more than once.", field="query", fix="Join the queries with a space.")
    tree = parser.parse(query[0], own()) if query and query[0].strip() else None
    return _filter(bounds, found, words, tree)


def _filter(
    bounds: dict[str, datetime], found: dict[str, dict[str, list[str]]], words: list[str], query: Node | None
) -> Filter:
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
    equals, metadata, fields = (unique[group] for group in ("equals", "metadata", "fields"))
    return Filter(since, until, equals, metadata, fields, tuple(dict.fromkeys(words)), query)


def _value(column: str, value: str) -> str:
    """The value in the form that the column holds it in. An empty text stays: it means 'has none'."""
    if column == "event_id":
        return check_event_id(value)
    if column in CHOICES:
        return parse_choice(column, value)
    if value and column == "ip":
        return stored_address(parse_address("ip", value))
    return value


def _check_text(name: str, value: str) -> None:
    if len(value) > MAX_VALUE_CHARS or len(name) > MAX_VALUE_CHARS:
        raise InvalidFilter(
            f"{name[:100]!r} is longer than {MAX_VALUE_CHARS} characters.",
            field=name[:100],
            fix="Search for a part of it.",
            reason="too_long",
            arguments={"field": name[:100], "most": str(MAX_VALUE_CHARS)},
        )
    try:
        (name + value).encode()
    except UnicodeEncodeError:
        raise InvalidFilter(f"{name[:100]!r} is not valid UTF-8.", field=name[:100], fix="Send it as UTF-8.") from None
