"""Parses query parameters or command-line options into one typed filter, and describes them in OpenAPI.

`sql.compile_*` turns a filter into parameterized statements.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias

from auditlane.contract.provenance import TRAIL
from auditlane.contract.vocabulary import ACCESS_ACTIONS
from auditlane.query.fields import (
    CHOICES,
    CustomFields,
    check_event_id,
    no_fields,
    parse_address,
    parse_choice,
    parse_time,
    stored_address,
)
from auditlane.query.language import parser
from auditlane.query.language.tree import And, Field, Like, Match, Node, Or, text_of
from auditlane.runtime.errors import InvalidFilter

PartitionKey: TypeAlias = tuple[str, int]  # (topic id, partition)
OffsetRange: TypeAlias = tuple[int, int]  # (first, last), both inclusive

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
INCLUDE_ACCESS: Final = "include_access"
KNOWN: Final = ("from", "to", *COLUMNS, "metadata.<key>", "fields.<key>", "q", "query", INCLUDE_ACCESS)

MAX_VALUES: Final = 100
MAX_VALUE_CHARS: Final = 4_096
MAX_WORDS: Final = 16
DEFAULT_LIMIT: Final = 50  # default number of events per page
MAX_LIMIT: Final = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Selects events that occurred in [since, until) and satisfy every other condition. An empty filter selects all
    events.

    `equals` maps columns, and `metadata` and `fields` map keys, to alternative values. An empty value matches events
    without a value. Each of `words` must occur somewhere in the event's text, ignoring case. `query` is the tree of the
    query-language parameter. Without `include_access`, auditlane's own events about access to the log do not match.
    `offsets` selects the events at these offsets of partitions. No parameter sets it.
    """

    since: datetime | None = None
    until: datetime | None = None
    equals: dict[str, tuple[str, ...]] = field(default_factory=dict)
    metadata: dict[str, tuple[str, ...]] = field(default_factory=dict)
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    query: Node | None = None
    include_access: bool = True
    offsets: Mapping[PartitionKey, Sequence[OffsetRange]] | None = None

    @property
    def narrows(self) -> bool:
        """Whether the filter has conditions beyond a time range and `include_access`."""
        return self != Filter(self.since, self.until, include_access=self.include_access)

    def digest(self) -> bytes:
        """Return a 16-byte digest, equal for equal filters regardless of the order of their conditions."""
        canonical = [
            self.since and self.since.isoformat(),
            self.until and self.until.isoformat(),
            *(
                {key: sorted(values) for key, values in group.items()}
                for group in (self.equals, self.metadata, self.fields)
            ),
            sorted(self.words),
            self.query and text_of(self.query),
            *([] if self.include_access else [f"no {INCLUDE_ACCESS}"]),
        ]
        text = json.dumps(canonical, sort_keys=True)
        return hashlib.blake2b(text.encode(), digest_size=16).digest()


def split(
    pairs: Iterable[tuple[str, str]], route_parameters: Sequence[str], custom: CustomFields = no_fields
) -> tuple[dict[str, str], Filter]:
    """Split the parameters of a request. Returns the route's own parameters by name, and a filter for the rest.

    `custom` looks up the tenant's custom fields. Raises InvalidFilter.
    """
    values: dict[str, str] = {}
    rest: list[tuple[str, str]] = []
    for name, value in pairs:
        if name not in route_parameters:
            rest.append((name, value))
        elif name in values:
            raise InvalidFilter(f"{name!r} appears more than once.", field=name, fix="Pass it only once.")
        else:
            values[name] = value
    return values, parse(rest, custom, route_parameters=route_parameters)


def parse(
    pairs: Iterable[tuple[str, str]], custom: CustomFields = no_fields, *, route_parameters: Sequence[str] = ()
) -> Filter:
    """Parse (name, value) pairs into a filter. A name that occurs several times matches any of its values.

    `custom` looks up the tenant's custom fields. It is called only for a `query`. Events about access to the log match
    only if the pairs include or name them.

    Raises InvalidFilter, naming the parameter. For an unknown parameter, the fix lists the route's own
    `route_parameters` and the filters.
    """
    bounds: dict[str, datetime] = {}
    found: dict[str, dict[str, list[str]]] = {"equals": {}, "metadata": {}, "fields": {}}
    words: list[str] = []
    query: list[str] = []
    access: list[str] = []
    for count, (name, value) in enumerate(pairs, start=1):
        _check_text(name, value)
        if count > MAX_VALUES:
            raise InvalidFilter(f"The filter has more than {MAX_VALUES} values.", fix="Use fewer values.")
        group, dot, key = name.partition(".")
        if name in ("from", "to"):
            if name in bounds:
                raise InvalidFilter(f"{name!r} appears more than once.", field=name, fix="Pass it only once.")
            bounds[name] = parse_time(name, value)
        elif name == "q":
            words += value.split()
        elif name == "query":
            query.append(value)
        elif name == INCLUDE_ACCESS:
            access.append(one_of(name, value, ("true", "false")))
        elif name in COLUMNS:
            found["equals"].setdefault(name, []).append(_value(name, value))
        elif group in MAPS and dot and key:
            found[group].setdefault(key, []).append(value)
        else:
            kind = "parameters" if route_parameters else "filters"
            fix = f"Known {kind}: {', '.join((*route_parameters, *KNOWN))}."
            raise InvalidFilter(f"There is no filter {name[:100]!r}.", field=name[:100], fix=fix)
    if len(query) > 1:
        raise InvalidFilter("'query' appears more than once.", field="query", fix="Join the queries with a space.")
    if len(access) > 1:
        raise InvalidFilter(
            f"{INCLUDE_ACCESS!r} appears more than once.", field=INCLUDE_ACCESS, fix="Pass it only once."
        )
    tree = parser.parse(query[0], custom()) if query and query[0].strip() else None
    filter_ = _filter(bounds, found, words, tree)
    return replace(filter_, include_access=access == ["true"] or names_access(filter_))


def names_access(filter_: Filter) -> bool:
    """Return whether the filter asks for an action of access to the log, or for auditlane as the source. Excluding them
    does not count.

    Such a filter includes the events about access even without `include_access`.
    """
    equals = filter_.equals
    return (
        not ACCESS_ACTIONS.isdisjoint(equals.get("action", ()))
        or TRAIL in equals.get("source", ())
        or (filter_.query is not None and _names_access(filter_.query))
    )


def _names_access(node: Node) -> bool:
    match node:
        case And(items) | Or(items):
            return any(map(_names_access, items))
        case Match(Field("action", group=""), value):
            return value in ACCESS_ACTIONS
        case Match(Field("source", group=""), value):
            return value == TRAIL
        case Like(Field("action", group=""), pieces):
            return any(_is_like(action, pieces) for action in ACCESS_ACTIONS)
        case Like(Field("source", group=""), pieces):
            return _is_like(TRAIL, pieces)
    return False


def _is_like(text: str, pieces: tuple[str, ...]) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pieces)), text) is not None


def _filter(
    bounds: dict[str, datetime], found: dict[str, dict[str, list[str]]], words: list[str], query: Node | None
) -> Filter:
    since, until = bounds.get("from"), bounds.get("to")
    if since and until and since >= until:
        raise InvalidFilter(
            "'from' must be before 'to'.", field="from", fix="Swap them; 'from' is inclusive and 'to' is exclusive."
        )
    if len(words) > MAX_WORDS:
        raise InvalidFilter(f"'q' has more than {MAX_WORDS} words.", field="q", fix="Search for fewer words.")
    unique = {
        group: {key: tuple(dict.fromkeys(values)) for key, values in keys.items()} for group, keys in found.items()
    }
    equals, metadata, fields = (unique[group] for group in ("equals", "metadata", "fields"))
    return Filter(since, until, equals, metadata, fields, tuple(dict.fromkeys(words)), query)


def _value(column: str, value: str) -> str:
    """Return the value as its column stores it. An empty value stays empty, and matches events without a value."""
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
            fix="Shorten it.",
            reason="too_long",
            arguments={"field": name[:100], "most": str(MAX_VALUE_CHARS)},
        )
    try:
        (name + value).encode()
    except UnicodeEncodeError:
        raise InvalidFilter(f"{name[:100]!r} is not valid UTF-8.", field=name[:100], fix="Send it as UTF-8.") from None


def limit_of(text: str | None) -> int:
    """Return the page size, 1 to 200, or the default. Raises InvalidFilter."""
    fix = "Follow `next` for more events."
    return whole_number("limit", text, default=DEFAULT_LIMIT, maximum=MAX_LIMIT, fix=fix)


def whole_number(name: str, text: str | None, *, default: int, maximum: int, fix: str = "") -> int:
    """Return a number from 1 to `maximum`, or the default if the text is empty. Raises InvalidFilter."""
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= maximum):
        raise InvalidFilter(
            f"{name!r} is not a number from 1 to {maximum}.",
            field=name,
            fix=fix or "Write it in digits, or omit it.",
        )
    return int(text)


def one_of(name: str, text: str | None, choices: Sequence[str], default: str | None = None) -> str:
    """Return the choice, or the default if the text is empty. Raises InvalidFilter for any other value."""
    value = default if text is None else text
    if value is None or value not in choices:
        problem = f"{name!r} is missing." if value is None else f"{name!r} cannot be {value[:60]!r}."
        raise InvalidFilter(problem, field=name, fix="Use one of: " + ", ".join(choices) + ".")
    return value


def openapi_parameters(**route_parameters: dict[str, Any]) -> dict[str, Any]:
    """Describe the parameters of a route in OpenAPI: its own (name to schema with a description), followed by every
    filter.
    """
    parameters = [_parameter(name, schema.pop("description", ""), schema) for name, schema in route_parameters.items()]
    text: dict[str, Any] = {"type": "string"}
    time = {"type": "string", "examples": ["2026-01-31T13:45:00Z", "2026-01-31"]}
    parameters += [
        _parameter("from", "Events that occurred at or after this time: RFC 3339, or a date (UTC).", time),
        _parameter("to", "Events that occurred before this time.", time),
        _parameter(
            "query",
            "The query language: `action:login* -ip:10.0.0.0/8 (outcome:failure OR severity:>=High)`. See the docs.",
            text,
        ),
        _parameter("q", "Words that all occur in some text of the event, in upper or lower case.", text),
        _parameter(
            INCLUDE_ACCESS,
            "Whether auditlane's own events about access to the log (reads, exports, saved views, viewer tokens, "
            "links) match. They also match if a filter names one of their actions, or the source `auditlane`.",
            {"type": "boolean", "default": False},
        ),
    ]
    for column in COLUMNS:
        meaning = "Matches the actor's id or name." if column == "actor" else f"Equals the event's `{column}`."
        parameters.append(_parameter(column, meaning + " Repeat it to match any of several values.", _many()))
    for group in MAPS:
        parameters.append(
            _parameter(group, f"`{group}.<key>=<value>`: equals the value of a key.", {"type": "object"}, free=True)
        )
    return {"parameters": parameters}


def _many() -> dict[str, Any]:
    return {"type": "array", "items": {"type": "string"}}


def _parameter(name: str, description: str, schema: dict[str, Any], *, free: bool = False) -> dict[str, Any]:
    required = bool(schema.pop("required", False))
    parameter = {"name": name, "in": "query", "required": required, "description": description, "schema": schema}
    # The key is part of the name (`metadata.region=eu`), which OpenAPI can only describe as a free-form object.
    return parameter | ({"style": "form", "explode": True} if free else {})
