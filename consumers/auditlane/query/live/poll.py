"""Polls the store for the followed tenants. Each poll selects their rows that became visible since the previous one."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.live import sql
from auditlane.query.live.follow import HOUR_MS
from auditlane.query.live.seen_offsets import MAX_GAPS, OffsetTracker, PartitionPeriod, SeenOffsets
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable

SKEW_MS: Final = 120_000  # how far the worker's clock or the insert may lag without a poll missing events
SWEEP_S: Final = 30.0  # interval of polls that look back one hour for delayed inserts
MARGIN_MS: Final = 300_000
ROWS: Final = 50_000
TENANTS: Final = 250  # maximum number of tenants in one statement
GAPS: Final = 3_000  # maximum number of places and gaps in one statement, unless a single tenant has more
IDLE_S: Final = 7_200.0  # a partition and period without news for longer than a poll looks back is forgotten
_NEWEST: Final = MAX_GAPS + 1  # number of rows with which a tenant's tracking begins

Row: TypeAlias = Mapping[str, Any]
States: TypeAlias = dict[PartitionPeriod, SeenOffsets]


@dataclass(frozen=True, slots=True)
class News:
    """Where a tenant's new events are, and the earliest and latest time at which they occurred, in microseconds."""

    places: set[PartitionPeriod]
    occurred: tuple[int, int]


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of a poll at `at_ms`: what has been seen of each tenant after the poll, and each tenant's new events.

    `more` is true if further rows are already visible.
    """

    at_ms: int
    more: bool
    states: dict[str, States]
    news: dict[str, News]


class Poller:
    """Polls the events table. Not thread-safe."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._trackers: dict[str, dict[PartitionPeriod, OffsetTracker]] = {}
        self._polled_ms = 0  # start time of the latest successful poll
        self._swept = 0.0

    def forget(self) -> None:
        """Discard all state, as if no poll had run."""
        self._trackers = {}
        self._polled_ms = 0

    def poll(self, tenants: Sequence[str]) -> PollResult:
        """Read rows of these tenants that became visible. All rows of a tenant that was not in the previous poll count
        as seen.

        Raises the errors of `QueryExecutor.rows`, except QueryTooLarge, since no tenant could do anything about it.
        """
        now, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        since_ms = self._since(now, now_ms)
        self._trackers = {tenant: self._trackers[tenant] for tenant in tenants if tenant in self._trackers}
        added = [tenant for tenant in tenants if tenant not in self._trackers]
        try:
            # Nothing is taken before every statement has succeeded, since rows that were taken are not read again.
            pages = [self._rows(self._poll(group, since_ms)) for group in self._groups()]
            begun = [self._rows(self._begin(group, now_ms)) for group in _chunks(added, TENANTS)]
        except QueryTooLarge as error:
            raise StoreUnavailable(
                f"Polling for new events failed: {error.message}", fix="Try again in a moment."
            ) from error
        more = any(len(rows) == ROWS for rows in pages)
        if not more:  # otherwise, the rest of this window remains to be read
            self._polled_ms = now_ms
            self._swept = now if since_ms <= now_ms - HOUR_MS else self._swept
        rows = [row for rows in pages for row in rows]
        self._take(rows, now)
        news = self._news(rows)
        self._trackers |= {tenant: {} for tenant in added}
        self._take([row for rows in begun for row in rows], now, begin=True)
        states = {
            tenant: {place: tracker.seen for place, tracker in trackers.items()}
            for tenant, trackers in self._trackers.items()
        }
        return PollResult(now_ms, more, states, news)

    def _poll(self, tenants: Sequence[str], since_ms: int) -> Statement:
        seen = {
            tenant: {place: tracker.seen for place, tracker in self._trackers[tenant].items()} for tenant in tenants
        }
        return sql.compile_poll(self._database, seen, since_ms=since_ms, limit=ROWS)

    def _begin(self, tenants: Sequence[str], now_ms: int) -> Statement:
        since_ms = now_ms - HOUR_MS - MARGIN_MS
        return sql.compile_begin(self._database, tenants, since_ms=since_ms, newest=_NEWEST)

    def _rows(self, statement: Statement) -> list[dict[str, Any]]:
        return self._executor.rows(statement)

    def _groups(self) -> Iterator[list[str]]:
        """Yield the tenants in groups whose offsets fit into the address of one request."""
        group: list[str] = []
        gaps = 0
        for tenant, trackers in self._trackers.items():
            added = sum(1 + len(tracker.seen.gaps) for tracker in trackers.values())
            if group and (gaps + added > GAPS or len(group) == TENANTS):
                yield group
                group, gaps = [], 0
            group.append(tenant)
            gaps += added
        if group:
            yield group

    def _since(self, now: float, now_ms: int) -> int:
        if not self._polled_ms:
            return now_ms - HOUR_MS - MARGIN_MS
        return self._polled_ms - (HOUR_MS if now - self._swept >= SWEEP_S else SKEW_MS)

    def _take(self, rows: Sequence[Row], now: float, *, begin: bool = False) -> None:
        """Record the offsets of these rows as seen. With `begin`, the rows are those of `sql.compile_begin`."""
        found: defaultdict[tuple[str, PartitionPeriod], dict[int, int]] = defaultdict(dict)
        counts: Counter[tuple[str, PartitionPeriod]] = Counter()
        for row in rows:
            key = _text(row["tenant"]), _place(row)
            found[key][int(row["place_offset"])] = int(row["ingested_ms"])
            counts[key] += 1
        for (tenant, place), offsets in found.items():
            trackers = self._trackers[tenant]
            if place not in trackers:
                # If there may be more rows, everything below these counts as seen.
                more = begin and counts[tenant, place] == _NEWEST
                trackers[place] = OffsetTracker(SeenOffsets(min(offsets) - 1 if more else -1))
            trackers[place].observe(offsets, now)
        for tenant, trackers in self._trackers.items():
            if any(now - tracker.changed > IDLE_S for tracker in trackers.values()):
                kept = {place: one for place, one in trackers.items() if now - one.changed <= IDLE_S}
                self._trackers[tenant] = kept

    def _news(self, rows: Sequence[Row]) -> dict[str, News]:
        """Return the new events of each tenant among these rows, except those that do not count as seen yet."""
        found: dict[str, News] = {}
        for row in rows:
            tenant, place, at = _text(row["tenant"]), _place(row), int(row["occurred_us"])
            if self._trackers[tenant][place].seen.contains(int(row["place_offset"])):
                news = found.get(tenant) or News(set(), (at, at))
                first, last = news.occurred
                found[tenant] = News(news.places | {place}, (min(first, at), max(last, at)))
        return found


def _chunks(tenants: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    for first in range(0, len(tenants), size):
        yield tenants[first : first + size]


def _place(row: Row) -> PartitionPeriod:
    return _text(row["topic"]), int(row["partition"]), int(row["period"])


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
