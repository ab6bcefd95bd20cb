"""What the console shows, worked out before any HTML."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import urlencode

import anyio

from auditlane.runtime.errors import AuditlaneError
from auditlane.server.admin.models import DeadLetters, Health, Lag, PartHealth, Rate, Tenants
from auditlane.server.admin.operations import Operations
from auditlane.worker.letters.index import Selection

T = TypeVar("T")
NEWEST: Final = 20
TENANTS: Final = 50
_STATES: Final = {"up": "success", "stale": "denied", "away": "failure", "off": "unknown"}


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """A section: what it shows, or why it cannot."""

    value: T | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """The whole page. Each part stands alone: that one is away hides nothing of the others."""

    health: Told[Health]
    rate: Told[Rate]
    lag: Told[Lag]
    letters: Told[DeadLetters]
    tenants: Told[Tenants]


async def look(operations: Operations, *, prefix: str, after: str) -> Board:
    """Ask every part at once."""
    found: dict[str, Told[object]] = {}

    async def ask(name: str, question: Callable[[], Awaitable[object]]) -> None:
        try:
            found[name] = Told(await question())
        except AuditlaneError as error:
            found[name] = Told(None, str(error))

    questions: dict[str, Callable[[], Awaitable[object]]] = {
        "health": operations.health,
        "rate": operations.rate,
        "lag": operations.lag,
        "letters": lambda: operations.dead_letters(Selection(), NEWEST),
        "tenants": lambda: operations.tenants(after=after, prefix=prefix, limit=TENANTS),
    }
    async with anyio.create_task_group() as group:
        for name, question in questions.items():
            group.start_soon(ask, name, question)
    return Board(**found)  # type: ignore[arg-type]  # by the names of the questions


def mark(part: PartHealth) -> str:
    """The colour of a state, by the name that the log's style sheet has for it."""
    return _STATES[part.state]


def next_tenants(tenants: Tenants, prefix: str) -> str:
    """The address of the tenants behind these; empty where there are none."""
    if tenants.next is None:
        return ""
    given = {"prefix": prefix, "after": tenants.next}
    return "/console?" + urlencode({name: value for name, value in given.items() if value}) + "#tenants"


def seconds(age: float | None) -> str:
    """An age with one unit: 0.4 s, 12 s, 5 min, 3.2 h, 2.1 d."""
    if age is None:
        return ""
    for size, unit, digits in ((86_400, "d", 1), (3_600, "h", 1), (60, "min", 0)):
        if age >= size:
            return f"{age / size:.{digits}f} {unit}"
    return f"{age:.1f} s" if age < 10 else f"{age:.0f} s"


def pace(rate: Rate) -> str:
    """Events a second with three digits, fewer where they would claim more than was counted."""
    value = rate.events_per_second
    return f"{value:,.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def moment(text: str | None) -> str:
    """RFC 3339 to the second, for a table; a dash where there is none."""
    return text[:19].replace("T", " ") if text else "–"
