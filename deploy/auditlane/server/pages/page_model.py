"""What the page shows, worked out before any HTML: the form as it was filled in, chips, rows, links."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from auditlane.contract.event import Severity
from auditlane.query.models import Event

Pair = tuple[str, str]
Address = Callable[[Iterable[Pair]], str]  # of the page with these parameters

FORM_FIELDS: Final = ("from", "to", "actor", "action", "outcome", "severity", "q")
_LEVELS: Final = {severity.value: level for level, severity in enumerate(Severity)}
# In the details of an event, each of these leads to the events that share it.
_SHARED: Final = (
    *("actor_id", "action", "resource", "resource_id", "ip", "request_id", "source"),
    *("provenance", "provenance_id"),
)
_IN_ROW: Final = frozenset(
    {"tenant_id", "occurred_at", "outcome", "severity", "before", "after", "metadata", "fields", "conflict"}
)


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that the form has no input for; `without` is the address of the page without it."""

    text: str
    without: str


@dataclass(frozen=True, slots=True)
class Detail:
    """One line of an event's details; `link` leads to the events that share it, or is empty."""

    name: str
    value: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One event as the table shows it; the rest of it are `details` and the two sides of a change."""

    event: Event
    level: int
    details: list[Detail]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Form:
    """The filter form: its inputs' values, and what else is filtered by."""

    values: dict[str, str]
    chips: list[Chip]
    hidden: list[Pair]


def given(pairs: Iterable[Pair]) -> list[Pair]:
    """What a form really said: a browser also sends the inputs that were left empty."""
    return [(name, value) for name, value in pairs if value.strip()]


def address(pairs: Iterable[Pair], path: str = "/plain") -> str:
    """The path with these parameters."""
    query = urlencode(list(pairs))
    return f"{path}?{query}" if query else path


def form_of(pairs: Sequence[Pair], to: Address = address) -> Form:
    """Put a filter's pairs back into the form; what does not fit there (or is given twice) becomes a chip."""
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
    """An event as a row."""
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
    """JSON with a line for each member; anything else as it is."""
    if not text:
        return ""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
