"""Reads the rows of a page, each event once. The rows are read from the table with all copies, so that only the page is
deduplicated.

`docs/internals/reading.md` explains why this gives the same rows as the view `log`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic
from typing import Any, Final

from auditlane.access.scope import TenantScope
from auditlane.query import sql, windows
from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.conflicts import Conflicts
from auditlane.query.copies import (
    Identity,
    Key,
    Row,
    adjacent,
    first_copies,
    identity_of,
    outranked,
    shared,
    without_last,
)
from auditlane.query.filters import Filter
from auditlane.query.reaches import Reaches
from auditlane.query.sort import Position, Sort
from auditlane.query.windows import PROBE_ROWS, SEARCH_S, Reach, Window
from auditlane.runtime.errors import QueryTooLarge

_SPARE_ROWS: Final = 16  # number of extra rows read per page, since some may be copies
_MORE: Final = 4  # factor on the number of rows if too many of them were copies


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for at least `limit` matching events next to a position, or for all of them, to be answered before
    `ends`.
    """

    scope: TenantScope
    filter_: Filter
    limit: int
    position: Position | None
    sort: Sort
    ends: float

    def remaining_s(self) -> float:
        return max(1.0, self.ends - monotonic())


@dataclass(frozen=True, slots=True)
class PageRows:
    """Rows in the order in which they were read, nearest first, and the keys in conflict.

    If the search ended before it had found enough events, `searched_us` is the time up to which it searched.
    """

    rows: list[Row]
    conflicting: set[Key]
    searched_us: int | None = None


class PageRowsReader:
    """Reads the rows of pages. Thread-safe. Raises the errors of `QueryExecutor.rows`."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._conflicts = Conflicts(executor, database)
        self._reaches = Reaches()

    def read(self, request: PageRequest) -> PageRows:
        """Return the rows of the page."""
        if not request.sort.by_time:
            return self._sorted(request)
        if sql.narrows(request.scope, request.filter_):
            return self._outwards(request)
        return self._unfiltered(request) or self._whole(request)

    def _unfiltered(self, request: PageRequest) -> PageRows | None:
        """Read every event next to the position, so that events in conflict are adjacent.

        Returns None if too many of the events are about access to the log, since these are omitted.
        """
        filter_ = request.filter_
        limit = request.limit * (1 if filter_.include_access else 2) + _SPARE_ROWS
        every = replace(request, filter_=replace(filter_, include_access=True))
        read = self._rows(request, self._page(every, limit=limit, marks_access=True))
        cut = len(read) == limit
        rows = first_copies(without_last(read) if cut else read)
        shown = [row for row in rows if filter_.include_access or not row["access"]]
        if cut and len(shown) < request.limit:
            return None
        return PageRows(shown, adjacent(rows, request.position))

    def _whole(self, request: PageRequest) -> PageRows:
        """Read all matching events of all time in one statement, unless many of them are copies."""
        rows, conflicting = self._matching(request, request.limit)
        return PageRows(rows, conflicting)

    def _sorted(self, request: PageRequest) -> PageRows:
        try:
            return self._whole(request)
        except QueryTooLarge as error:
            raise QueryTooLarge(
                f"There are too many events to sort by {request.sort.field.path}.",
                field="sort",
                fix="Use a shorter time range or more filters, or sort by time.",
            ) from error

    def _outwards(self, request: PageRequest) -> PageRows:
        """Search in time windows, from the position outwards."""
        began = monotonic()
        reach = self._reach(request)
        window = windows.first_window(reach)
        rows: list[Row] = []
        conflicting: set[Key] = set()
        while True:
            started, wanted = monotonic(), request.limit - len(rows)
            try:
                found, keys = self._matching(request, wanted, window)
            except QueryTooLarge:
                if window.near is None:
                    raise
                return PageRows(rows, conflicting, window.near)
            rows += found
            conflicting |= keys
            if len(rows) >= request.limit or window.far is None:
                return PageRows(rows, conflicting)
            now = monotonic()
            left_s = began + SEARCH_S - now
            if left_s <= 0:
                return PageRows(rows, conflicting, window.far)
            window = windows.next_window(
                reach, window, found=len(found), wanted=wanted - len(found), took_s=now - started, left_s=left_s
            )

    def _reach(self, request: PageRequest) -> Reach:
        compiled = sql.compile_reach(
            self._database,
            request.scope,
            request.filter_,
            position=request.position,
            sort=request.sort,
            rows=PROBE_ROWS,
        )
        reach = self._reaches.get(compiled, monotonic())
        if reach is None:
            [row] = self._rows(request, compiled)
            reach = Reach(**{name: int(row[name]) for name in ("rows", "nearest", "edge", "farthest")})
            self._reaches.put(compiled, reach, monotonic())
        return windows.rounded(reach) if request.scope.base_filter else reach

    def _matching(self, request: PageRequest, wanted: int, window: Window | None = None) -> tuple[list[Row], set[Key]]:
        """Return at least `wanted` matching events, nearest first, or all of them, together with the keys in conflict.

        A row is omitted if another copy is the first and does not match. If the first copy matches, it may have been
        stored between the two statements, so rows are then read again.
        """
        limit, known = wanted + _SPARE_ROWS, dict[Identity, int]()
        while True:
            read = self._rows(request, self._page(request, limit=limit, window=window))
            rows = first_copies(read)
            stored = self._conflicts.stored(request.scope, rows, seconds=request.remaining_s())
            later = outranked(rows, stored)
            if not later.items() <= known.items():
                known = later
                continue
            rows = [row for row in rows if identity_of(row) not in later]
            if len(rows) >= wanted or len(read) < limit:
                return rows, shared(stored)
            limit *= _MORE

    def _page(
        self, request: PageRequest, *, limit: int, window: Window | None = None, marks_access: bool = False
    ) -> Statement:
        compiled = partial(
            sql.compile_page,
            self._database,
            request.scope,
            request.filter_,
            position=request.position,
            limit=limit,
            sort=request.sort,
            marks_access=marks_access,
        )
        return compiled(window=window) if window else compiled()

    def _rows(self, request: PageRequest, statement: Statement) -> list[Mapping[str, Any]]:
        return list(self._executor.rows(statement, request.scope.tenant, request.remaining_s()))
