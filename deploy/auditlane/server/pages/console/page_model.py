"""The data of the console, prepared before rendering."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Generic, TypeVar

import anyio
from markupsafe import Markup

from auditlane.observe.history import Columns
from auditlane.observe.timeline import OperationalEvent
from auditlane.operations.dlq.index import Selection
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.admin.localized import LocalizedText
from auditlane.server.admin.models import DeadLetters, Health, Lag, PartHealth, Rate, Tenants
from auditlane.server.admin.operations import Operations
from auditlane.server.pages.console import charts, operation
from auditlane.server.pages.i18n import Catalogue

T = TypeVar("T")
NEWEST: Final = 20
TENANTS: Final = 50
_STATES: Final = {"up": "success", "stale": "denied", "away": "failure", "off": "unknown"}


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """A section's content, or the reason why it is unavailable."""

    value: T | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """The whole dashboard at one point in time.

    An unavailable section does not affect the others. `span` is the history's period, one of RANGES.
    """

    health: Section[Health]
    rate: Section[Rate]
    lag: Section[Lag]
    dead_letters: Section[DeadLetters]
    tenants: Section[Tenants]
    history: Section[Columns]
    timeline: Section[list[OperationalEvent]]
    span: str
    now: datetime


async def load(operations: Operations, *, prefix: str, after: str, span: str = operation.DEFAULT) -> Board:
    """Load all sections concurrently."""
    span = span if span in operation.RANGES else operation.DEFAULT
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
        "history": lambda: operations.charted(operation.RANGES[span]),
        "timeline": operations.newest_events,
    }
    async with anyio.create_task_group() as group:
        for name, query in queries.items():
            group.start_soon(load_section, name, query)
    return Board(**sections, span=span, now=datetime.now(UTC))  # type: ignore[arg-type]  # the keys are the field names


def state_mark(part: PartHealth) -> str:
    """Return the outcome whose colour in the log's style sheet stands for the state."""
    return _STATES[part.state]


def helpers(words: Catalogue) -> dict[str, Any]:
    """Return the functions that templates call, bound to a language."""
    return {
        "state_mark": state_mark,
        "age": partial(operation.age, words),
        "measured": lambda board: operation.measured(
            words, board.history.value, operation.RANGES[board.span], now=board.now
        ),
        "entries": partial(operation.entries, words),
        "default_span": operation.DEFAULT,
        "drawing": charts,
        "event_rate": partial(event_rate, words),
        "message": partial(message, words),
    }


def event_rate(words: Catalogue, rate: Rate) -> str:
    """Format events per second with at most two decimals, and none from 100 on."""
    value = rate.events_per_second
    return words.number(value, 0 if value >= 100 or value == 0 else 1 if value >= 1 else 2)


def message(words: Catalogue, text: str) -> str:
    """Return a component's message in the page's language. Untranslated messages are marked as English."""
    if isinstance(text, LocalizedText):
        return text.render(words)
    return Markup('<span lang="en">{}</span>').format(text) if text else ""
