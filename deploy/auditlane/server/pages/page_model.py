"""The plain page's data, prepared before rendering: the submitted form, filter chips, rows and links."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from auditlane.contract.event import Severity
from auditlane.contract.stored_event import Event

Pair = tuple[str, str]
Address = Callable[[Iterable[Pair]], str]  # returns the page's address with these parameters

FORM_FIELDS: Final = ("from", "to", "actor", "action", "outcome", "severity", "q", "include_access")
_LEVELS: Final = {severity.value: level for level, severity in enumerate(Severity)}
# Fields whose values in an event's details link to all events with the same value.
_SHARED: Final = (
    *("actor_id", "action", "resource", "resource_id", "ip", "request_id", "source"),
    *("provenance", "provenance_id"),
)
_IN_ROW: Final = frozenset(
    {"tenant_id", "occurred_at", "outcome", "severity", "before", "after", "metadata", "fields", "conflict"}
)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter without an input in the form. `without` is the page's address without this filter."""

    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of an event's details. `link` leads to all events with the same value, or is empty."""

    name: str
    value: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One event: its table row, its further `details`, and both sides of its change."""

    event: Event
    level: int
    details: list[Detail]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Form:
    """The filter form: the values of its inputs, and the filters without an input."""

    values: dict[str, str]
    chips: list[Chip]
    hidden: list[Pair]


def non_empty(pairs: Iterable[Pair]) -> list[Pair]:
    """Return the parameters with a value, since browsers also submit empty inputs."""
    return [(name, value) for name, value in pairs if value.strip()]


def address(pairs: Iterable[Pair], path: str = "/plain") -> str:
    """Return the path with these parameters."""
    query = urlencode(list(pairs))
    return f"{path}?{query}" if query else path


def form_of(pairs: Sequence[Pair], to: Address = address) -> Form:
    """Return the form for a filter. Parameters without an input, or with several values, become chips."""
    names = [name for name, _ in pairs]
    fits = [name in FORM_FIELDS and names.count(name) == 1 for name in names]
    return Form(
        values={name: value for (name, value), fit in zip(pairs, fits, strict=True) if fit},
        chips=[
            Chip(f"{name}: {value}", to([*pairs[:place], *pairs[place + 1 :]]))
            for place, ((name, value), fit) in enumerate(zip(pairs, fits, strict=True))
            if not fit
        ],
        hidden=[pair for pair, fit in zip(pairs, fits, strict=True) if not fit],
    )


def row_of(event: Event, to: Address = address) -> Row:
    """Return the row of an event."""
    details = [
        Detail(name, str(value), to([(name, str(value))]) if name in _SHARED else "")
        for name, value in event
        if name not in _IN_ROW and value not in (None, "")
    ]
    details.insert(0, Detail("occurred_at", event.occurred_at))
    for group in ("fields", "metadata"):
        details += [
            Detail(f"{group}.{key}", value, to([(f"{group}.{key}", value)]) if value else "")
            for key, value in getattr(event, group).items()
        ]
    level = _LEVELS[event.severity.value]
    return Row(event, level, details, _pretty(event.before), _pretty(event.after))


def _pretty(text: str | None) -> str:
    """Return JSON with one line per member. Any other text is returned unchanged."""
    if not text:
        return ""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
