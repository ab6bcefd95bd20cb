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
from auditlane.operations.dlq.to_json import time_of
from auditlane.runtime.errors import AuditlaneError
from auditlane.server.admin.localized import LocalizedText
from auditlane.server.admin.models import DeadLetters, Health, Lag, Letter, PartHealth, Rate
from auditlane.server.admin.operations import Operations
from auditlane.server.pages.console import charts, operation
from auditlane.server.pages.console import problems as problems_
from auditlane.server.pages.i18n import N_, Catalogue

T = TypeVar("T")
NEWEST: Final = 20
_LETTER_STATES: Final = {"open": N_("open"), "replayed": N_("replayed"), "discarded": N_("closed")}
_KEY_STATES: Final = {"active": N_("active"), "expired": N_("expired"), "revoked": N_("revoked")}
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
    history: Section[Columns]
    timeline: Section[list[OperationalEvent]]
    span: str
    now: datetime


async def load(operations: Operations, *, span: str = operation.DEFAULT) -> Board:
    """Load all sections concurrently."""
    span = span if span in operation.RANGES else operation.DEFAULT
    sections: dict[str, Section[object]] = {}

    async def load_section(name: str, query: Callable[[], Awaitable[object]]) -> None:
        sections[name] = await section(query)

    queries: dict[str, Callable[[], Awaitable[object]]] = {
        "health": operations.health,
        "rate": operations.rate,
        "lag": operations.lag,
        "dead_letters": lambda: operations.dead_letters(Selection(), NEWEST),
        "history": lambda: operations.charted(operation.RANGES[span]),
        "timeline": operations.newest_events,
    }
    async with anyio.create_task_group() as group:
        for name, query in queries.items():
            group.start_soon(load_section, name, query)
    return Board(**sections, span=span, now=datetime.now(UTC))  # type: ignore[arg-type]  # the keys are the field names


async def section(query: Callable[[], Awaitable[T]]) -> Section[T]:
    """Return the result of a query as a section, or the reason why it failed."""
    try:
        return Section(await query())
    except AuditlaneError as error:
        return Section(None, str(error))


def state_mark(part: PartHealth) -> str:
    """Return the outcome whose colour in the log's style sheet represents this state."""
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
        "partition_problem": problems_.partition_problem,
        "problems": problems_.problems,
        "lag_column": lambda lag, late_s: any(problems_.partition_problem(one, late_s) for one in lag.partitions),
        "identity_of": identity_of,
        "time_of": time_of,
        "letter_state": lambda state: words.gettext(_LETTER_STATES[state]),
        "key_state": lambda state: words.gettext(_KEY_STATES[state]),
        "default_span": operation.DEFAULT,
        "drawing": charts,
        "event_rate": partial(event_rate, words),
        "message": partial(message, words),
    }


def identity_of(letter: Letter) -> str:
    """Return the identity of a letter: topic id, partition and offset."""
    return f"{letter.topic_id}:{letter.id.split(':', 1)[1]}"


def event_rate(words: Catalogue, rate: Rate) -> str:
    """Format the number of events per second, with at most two decimals, and none from 100 on."""
    value = rate.events_per_second
    return words.number(value, 0 if value >= 100 or value == 0 else 1 if value >= 1 else 2)


def message(words: Catalogue, text: str) -> str:
    """Return a component's message in the page's language. Untranslated messages are marked as English."""
    if isinstance(text, LocalizedText):
        return text.render(words)
    return Markup('<span lang="en">{}</span>').format(text) if text else ""
