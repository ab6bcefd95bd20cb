"""The data of the console, prepared before rendering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

import anyio
from markupsafe import Markup

from auditlane.operations.dlq.index import Selection
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.admin.localized import LocalizedText
from auditlane.server.admin.models import DeadLetters, Health, Lag, PartHealth, Rate, Tenants
from auditlane.server.admin.operations import Operations
from auditlane.server.pages.i18n import N_, Catalogue

T = TypeVar("T")
NEWEST: Final = 20
TENANTS: Final = 50
_STATES: Final = {"up": "success", "stale": "denied", "away": "failure", "off": "unknown"}


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """The content of a section, or why it is unavailable."""

    value: T | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """The whole dashboard. A section that is unavailable does not affect the others."""

    health: Section[Health]
    rate: Section[Rate]
    lag: Section[Lag]
    dead_letters: Section[DeadLetters]
    tenants: Section[Tenants]


async def load(operations: Operations, *, prefix: str, after: str) -> Board:
    """Load all sections concurrently."""
    sections: dict[str, Section[object]] = {}

    async def load_section(name: str, query: Callable[[], Awaitable[object]]) -> None:
        try:
            sections[name] = Section(await query())
        except AuditlaneError as error:
            sections[name] = Section(None, str(error))

    queries: dict[str, Callable[[], Awaitable[object]]] = {
        "health": operations.health,
        "rate": operations.rate,
        "lag": operations.lag,
        "dead_letters": lambda: operations.dead_letters(Selection(), NEWEST),
        "tenants": lambda: operations.tenants(after=after, prefix=prefix, limit=TENANTS),
    }
    async with anyio.create_task_group() as group:
        for name, query in queries.items():
            group.start_soon(load_section, name, query)
    return Board(**sections)  # type: ignore[arg-type]  # the keys are the field names


def state_mark(part: PartHealth) -> str:
    """Return the outcome whose colour in the log's style sheet marks the state."""
    return _STATES[part.state]


def helpers(words: Catalogue) -> dict[str, Any]:
    """Return the functions that templates call, bound to a language."""
    return {
        "state_mark": state_mark,
        "age": partial(age, words),
        "event_rate": partial(event_rate, words),
        "message": partial(message, words),
    }


def age(words: Catalogue, seconds: float | None) -> str:
    """Format an age in one unit: 0.4 s, 12 s, 5 min, 3.2 h, 2.1 d."""
    if seconds is None:
        return ""
    units = ((86_400, N_("%(number)s d"), 1), (3_600, N_("%(number)s h"), 1), (60, N_("%(number)s min"), 0))
    size, unit, digits = next((one for one in units if seconds >= one[0]), (1, N_("%(number)s s"), int(seconds < 10)))
    return words.gettext(unit, number=words.number(seconds / size, digits))


def event_rate(words: Catalogue, rate: Rate) -> str:
    """Format events per second with at most two decimals, and with none from 100 up."""
    value = rate.events_per_second
    return words.number(value, 0 if value >= 100 or value == 0 else 1 if value >= 1 else 2)


def message(words: Catalogue, text: str) -> str:
    """Return a component's message in the page's language; untranslated messages are marked as English."""
    if isinstance(text, LocalizedText):
        return text.render(words)
    return Markup('<span lang="en">{}</span>').format(text) if text else ""
