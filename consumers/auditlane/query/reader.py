"""Reads pages and single events of one tenant, for the API, the pages and the CLI."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event, SingleEvent
from auditlane.query import sql
from auditlane.query.clickhouse.executor import Limits, Observe, QueryExecutor, TenantConcurrency
from auditlane.query.copies import Row, key_of
from auditlane.query.filters import Filter
from auditlane.query.page_rows import PageRequest, PageRowsReader
from auditlane.query.sort import NEWEST, Position, Sort, ascending
from auditlane.runtime.errors import InvalidCursor, NotFound
from auditlane.runtime.settings import Settings

_RESTART = "Restart the list without a cursor."
_MAX_OTHERS: Final = 100  # maximum number of other events with the same id returned with an event


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of the list, and the positions of the next page (`older`) and the previous one (`newer`).

    If a search ended before the page was full, `searched_us` is the time up to which it searched, in microseconds.
    """

    events: list[Event]
    older: Position | None
    newer: Position | None
    searched_us: int | None = None


class Reader:
    """Reads pages and single events. It connects when the first statement is run. Thread-safe.

    It returns a page or raises StoreUnavailable within `page_s` plus one second, even if ClickHouse hangs. Summaries
    and live streams share its `executor`, which `close` closes.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits | None = None,
        concurrency: TenantConcurrency | None = None,
        observe: Observe | None = None,
    ) -> None:
        limits = limits or Limits.of(settings)
        self.database = settings.clickhouse_database
        self.executor = QueryExecutor.for_pages(settings, limits, concurrency, observe)
        self._page_s = limits.page_s
        self._page_rows = PageRowsReader(self.executor, self.database)

    def page(
        self,
        scope: TenantScope,
        filter_: Filter,
        *,
        limit: int,
        position: Position | None = None,
        sort: Sort = NEWEST,
    ) -> Page:
        """Return the page of at most `limit` events next to a position, or the first page.

        All statements for the page share one time limit.
        """
        ends = monotonic() + self._page_s
        found = self._page_rows.read(PageRequest(scope, filter_, limit + 1, position, sort, ends))
        rows = found.rows[:limit]
        if not rows and position is not None and not sort.by_time:
            # A cursor is issued only if there are more events, and it is resolved through the event for which it was
            # made.
            raise InvalidCursor("The event that the cursor points to no longer exists.", field="cursor", fix=_RESTART)
        towards_newer = position is not None and position.newer
        if towards_newer:
            rows.reverse()
        # Where the page continues and, if it is next to a position, where the list came from.
        beyond = before = None
        if found.searched_us is not None:
            beyond = Position.at(found.searched_us, ascending=ascending(sort, position), newer=towards_newer)
            before = replace(beyond, newer=not towards_newer) if position is not None else None
        if rows:
            first, last = Position.of(rows[0], newer=True), Position.of(rows[-1])
            near, far = (last, first) if towards_newer else (first, last)
            beyond = far if len(found.rows) > limit else beyond
            before = near if position is not None else None
        older, newer = (before, beyond) if towards_newer else (beyond, before)
        events = [_event(row, conflict=key_of(row) in found.conflicting) for row in rows]
        return Page(events, older, newer, found.searched_us if len(found.rows) <= limit else None)

    def event(self, scope: TenantScope, event_id: str, content_hash: str = "") -> SingleEvent:
        """Return the event with this id. Raises NotFound if there is no such event, or if it belongs to another
        tenant.

        If several events have the id, the one with this content hash is returned, or the first that reached Kafka if no
        hash is given. `others` contains the rest.
        """
        statement = sql.compile_one(self.database, scope, event_id, content_hash=content_hash, limit=1 + _MAX_OTHERS)
        rows = self.executor.rows(statement, scope.tenant)
        if not rows or (content_hash and Position.of(rows[0]).content_hash != content_hash):
            content = f" with the content hash {content_hash}" if content_hash else ""
            raise NotFound(
                f"There is no event {event_id}{content}.", fix="Check the id. A new event takes a moment to be stored."
            )
        times = Counter(row["occurred_us"] for row in rows)
        event, *others = (_event(row, conflict=times[row["occurred_us"]] > 1) for row in rows)
        return SingleEvent(**event.model_dump(), others=others)

    def count(self, scope: TenantScope, filter_: Filter) -> int:
        """Count the events that match the filter now."""
        statement = sql.compile_count(self.database, scope, filter_)
        return int(self.executor.rows(statement, scope.tenant)[0]["rows"])

    def ping(self) -> None:
        """Raise StoreUnavailable or StoreRefused unless the view can be read."""
        self.executor.ping(self.database)

    def close(self) -> None:
        """Close the connections."""
        self.executor.close()


def _event(row: Row, *, conflict: bool) -> Event:
    event = Event.model_validate_json(row["line"].decode(errors="replace"))
    return event.model_copy(update={"conflict": True}) if conflict else event
