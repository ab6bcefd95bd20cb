"""Reads pages and single events of one tenant, for the API, the pages and the CLI."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from time import monotonic
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.contract.stored_event import Event, SingleEvent
from auditlane.query import sql
from auditlane.query.clickhouse.executor import Limits, Observe, QueryExecutor, TenantConcurrency
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.conflicts import Conflicts, adjacent, key_of
from auditlane.query.filters import Filter
from auditlane.query.sort import NEWEST, Position, Sort
from auditlane.runtime.errors import InvalidCursor, NotFound
from auditlane.runtime.settings import Settings

_PROBE_ROWS: Final = (10_000, 250_000)  # a filter is tried on this many of the nearest events first, then on all
_RESTART = "Restart the list without a cursor."
_MAX_OTHERS: Final = 100  # events with the same id that are returned with an event; the rest are omitted


@dataclass(frozen=True, slots=True)
class Page:
    """Events in the order of the list, with the positions of the next page (`older`) and of the previous page
    (`newer`).
    """

    events: list[Event]
    older: Position | None
    newer: Position | None


class Reader:
    """Reads pages and single events. It connects with the first statement. Thread-safe.

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
        self._conflicts = Conflicts(self.executor, self.database)

    def page(
        self,
        scope: TenantScope,
        filter_: Filter,
        *,
        limit: int,
        position: Position | None = None,
        sort: Sort = NEWEST,
    ) -> Page:
        """Return the page of at most `limit` events next to a position. Without a position, return the first page."""
        ends = monotonic() + self._page_s
        rows = self._page_rows(scope, filter_, limit=limit + 1, position=position, sort=sort, ends=ends)
        conflicting = adjacent(rows, position)
        towards_newer = position is not None and position.newer
        more, rows = len(rows) > limit, rows[:limit]
        if towards_newer:
            rows.reverse()
        if not rows and position is not None and not sort.by_time:
            # A cursor is issued only if there are more events, and it is resolved through the event that it was made
            # from.
            raise InvalidCursor("The event that the cursor points to no longer exists.", field="cursor", fix=_RESTART)
        if not rows:
            return Page([], None, None)
        # The list can only end on the side that the page was read towards.
        older = more or towards_newer
        newer = more if towards_newer else position is not None
        if scope.base_filter or filter_.omits or not sort.by_time:
            conflicting = self._conflicts.among(scope, rows, seconds=_remaining_s(ends))
        return Page(
            [_event(row, conflict=key_of(row) in conflicting) for row in rows],
            Position.of(rows[-1]) if older else None,
            Position.of(rows[0], newer=True) if newer else None,
        )

    def _page_rows(
        self, scope: TenantScope, filter_: Filter, *, limit: int, position: Position | None, sort: Sort, ends: float
    ) -> list[dict[str, Any]]:
        """Return the rows of a page. A filter that has to read every event is tried on the nearest events first, and
        then on all events.

        All its statements share one time limit, which expires at `ends`.
        """

        def rows_of(statement: Statement) -> list[dict[str, Any]]:
            return self.executor.rows(statement, scope.tenant, _remaining_s(ends))

        page = partial(sql.compile_page, self.database, scope, filter_, position=position, limit=limit, sort=sort)
        for near in _PROBE_ROWS if sort.by_time and sql.narrows(scope, filter_) else ():
            edge = rows_of(sql.compile_edge(self.database, scope, filter_, position=position, sort=sort, rows=near))
            if not edge:
                break
            rows = rows_of(page(edge=int(edge[0]["edge"])))
            if len(rows) == limit:
                return rows
        return rows_of(page())

    def event(self, scope: TenantScope, event_id: str, content_hash: str = "") -> SingleEvent:
        """Return the event with this id. Raises NotFound if there is none, or if the event belongs to another tenant.

        If several events have the id, returns the one with this content hash, or by default the first that reached
        Kafka. `others` contains the rest.
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
        """Count the events that the filter matches now."""
        statement = sql.compile_count(self.database, scope, filter_)
        return int(self.executor.rows(statement, scope.tenant)[0]["rows"])

    def ping(self) -> None:
        """Raise StoreUnavailable or StoreRefused unless the view can be read."""
        self.executor.ping(self.database)

    def close(self) -> None:
        """Close the connections."""
        self.executor.close()


def _event(row: dict[str, Any], *, conflict: bool) -> Event:
    event = Event.model_validate_json(row["line"].decode(errors="replace"))
    return event.model_copy(update={"conflict": True}) if conflict else event


def _remaining_s(ends: float) -> float:
    return max(1.0, ends - monotonic())
