"""The operators' work with dead letters: list, open, replay and close them.

In one process, only one call runs at a time, and each starts by reading the dead-letter topic to its end. A letter that
was replayed or closed is therefore not handled again, however often the button is pressed.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final

from auditlane.access.provenance_secrets import Secrets
from auditlane.contract.dead_letter import Letter
from auditlane.operations.dlq.index import Count, Index, Selection
from auditlane.operations.dlq.topic import Progress
from auditlane.runtime.errors import InvalidInput, MissingExtra, NotFound
from auditlane.runtime.settings import Settings
from auditlane.server.admin.brokers import Letters
from auditlane.server.bounded_call import BoundedCall

PER_PAGE: Final = 50
MOST: Final = 500  # letters of one action
ACTION_S: Final = 60.0  # timeout of an action; it continues in its thread, and is recorded when it ends


@dataclass(frozen=True, slots=True)
class LetterPage:
    """One page of dead letters. `counts` are those of all open letters, and `total` is the number of selected ones."""

    letters: list[Letter]
    total: int
    counts: list[Count]
    page: int
    pages: int
    progress: Progress


@dataclass(frozen=True, slots=True)
class Kept:
    """A letter that stays open, and why."""

    letter: Letter
    code: str
    reason: str


@dataclass(slots=True)
class Handled:
    """The result of an action.

    `tenants` counts the letters that were replayed or closed, by tenant. `before` contains the selected letters that
    were no longer open, `kept` those that stay open, and `gone` counts those that Kafka no longer holds. `dropped`
    counts the events that lost a field, by field. `left` counts the selected letters beyond MOST.
    """

    chosen: int = 0
    tenants: Counter[str | None] = field(default_factory=Counter)
    before: list[Letter] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    gone: int = 0
    left: int = 0
    complete: bool = False

    @property
    def done(self) -> int:
        """The number of letters that were replayed or closed."""
        return self.tenants.total()


Record = Callable[[Handled], None]


class LetterDesk:
    """Handles the dead letters of one process. All methods are async.

    They raise KafkaUnavailable or NotFound, Busy while the topic is being read for the first time, Unavailable on
    timeout, and MissingExtra if the packages that validate events are not installed.
    """

    def __init__(self, settings: Settings, letters: Letters, calls: BoundedCall) -> None:
        """Set the source of the letters, and the bounded calls through which they are read one at a time."""
        self._settings = settings
        self._letters = letters
        self._calls = calls
        self._secrets = Secrets(settings)

    async def page(self, selection: Selection, page: int) -> LetterPage:
        """Return a page of the selected letters, most recently received first. Pages are counted from 1."""
        return await self._calls.run(lambda: page_of(*self._letters.followed(), selection, page))

    async def open(self, identity: str) -> Any:
        """Return a letter with its record, like `operations.dlq.handling.opened`. Raises NotFound."""

        def read() -> Any:
            letter = next(self._letters.caught_up().newest(_named([identity]), 1), None)
            found = letter and handling().opened(self._settings, self._secrets, letter)
            if found is None:
                raise NotFound("Kafka does not hold this dead letter.", field="id")
            return found

        return await self._calls.run(read, timeout_s=ACTION_S)

    async def replay(self, selection: Selection, record: Record) -> Handled:
        """Send the selected open letters again if they are valid now. `record` is called with the result, even after an
        error.
        """

        def act() -> Handled:
            work = handling()
            with self._chosen(selection, record) as (handled, letters):
                report = work.Report()
                try:
                    producer = work.sender(self._settings)
                    work.replay_letters(self._settings, self._secrets, letters, report=report, producer=producer)
                finally:
                    handled.tenants.update(report.tenants)
                    handled.dropped.update(report.dropped)
                    handled.kept += [Kept(one.found.letter, str(one.code), one.reason) for one in report.remaining]
            return handled

        return await self._calls.run(act, timeout_s=ACTION_S)

    async def close(self, selection: Selection, reason: str, record: Record) -> Handled:
        """Close the selected open letters without sending them. `record` is called with the result, even after an
        error.

        Raises InvalidInput if there is no reason.
        """
        if not reason.strip():
            raise InvalidInput("The reason is missing.", field="reason", fix="State why no replay is needed.")

        def act() -> Handled:
            work = handling()
            with self._chosen(selection, record) as (handled, letters):
                work.close_letters(
                    self._settings,
                    letters,
                    reason.strip(),
                    producer=work.sender(self._settings),
                    on_closed=lambda closed: handled.tenants.update(letter.tenant for letter in closed),
                )
            return handled

        return await self._calls.run(act, timeout_s=ACTION_S)

    @contextmanager
    def _chosen(self, selection: Selection, record: Record) -> Iterator[tuple[Handled, list[Letter]]]:
        handled, letters = chosen(self._letters.caught_up(), selection)
        try:
            yield handled, letters
            handled.complete = True
            handled.gone = len(letters) - handled.done - len(handled.kept)
        finally:
            if letters:
                record(handled)


def handling() -> ModuleType:
    """Return the module `operations.dlq.handling`. Raises MissingExtra.

    It validates as a worker does and needs the packages of the extra `worker`, which the server otherwise does without.
    It is therefore imported only once an operator handles a letter.
    """
    try:
        from auditlane.operations.dlq import handling as module

        return module
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("auditlane"):
            raise
        raise MissingExtra(
            f"Dead letters can be handled here only with {error.name}.",
            fix="Install it for `auditlane serve`: pip install 'auditlane[worker]'; or use `auditlane dlq`.",
        ) from error


def page_of(index: Index, progress: Progress, selection: Selection, page: int) -> LetterPage:
    """Return a page of the selected letters. A number beyond the last page means the last page."""
    total = index.count(selection)
    pages = max(1, math.ceil(total / PER_PAGE))
    page = min(max(1, page), pages)
    letters = list(index.newest(selection, PER_PAGE, skip=(page - 1) * PER_PAGE))
    return LetterPage(letters, total, index.counts(Selection()), page, pages, progress)


def chosen(index: Index, selection: Selection) -> tuple[Handled, list[Letter]]:
    """Return the open letters of a selection, at most MOST, in the topic's order. `Handled.before` contains the
    selected letters that are not open.
    """
    total, letters = index.count(selection), list(index.in_topic_order(selection, MOST))
    handled = Handled(chosen=len(letters), left=total - len(letters))
    if selection.names:
        named = index.newest(_named(list(selection.names)), MOST)
        handled.before = [letter for letter in named if letter.state != "open"]
    return handled, letters


def _named(names: list[str]) -> Selection:
    return Selection(names=tuple(names), resolved=True)
