"""Polls the store for all tenants, with one statement per interval. The statement selects rows that became visible
since the previous poll.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from auditlane.query.clickhouse.executor import QueryExecutor
from auditlane.query.filters import PartitionKey
from auditlane.query.live import sql
from auditlane.query.live.follow import HOUR_MS
from auditlane.query.live.seen_offsets import PartitionTracker, SeenOffsets
from auditlane.runtime.errors import QueryTooLarge, StoreUnavailable

SKEW_MS: Final = 120_000  # how far the worker's clock or the insert may lag without a poll missing events
SWEEP_S: Final = 30.0  # interval of polls that look back one hour for delayed inserts
MARGIN_MS: Final = 300_000
ROWS: Final = 50_000


@dataclass(frozen=True, slots=True)
class PollResult:
    """The result of a poll at `at_ms`: the state of every partition after the poll, and the new events of each tenant.

    `more` is true if further rows are already visible. `by_tenant` contains the partitions with new events, and the
    earliest and latest time at which these occurred, in microseconds.
    """

    at_ms: int
    more: bool
    states: dict[PartitionKey, SeenOffsets]
    by_tenant: dict[str, tuple[set[PartitionKey], tuple[int, int]]]


class Poller:
    """Polls the events table. Not thread-safe."""

    def __init__(self, executor: QueryExecutor, database: str) -> None:
        self._executor = executor
        self._database = database
        self._trackers: dict[PartitionKey, PartitionTracker] = {}
        self._polled_ms = 0  # start time of the latest successful poll
        self._swept = 0.0

    def forget(self) -> None:
        """Discard all state, as if no poll had run."""
        self._trackers = {}
        self._polled_ms = 0

    def poll(self, tenants: Sequence[str]) -> PollResult:
        """Read rows that became visible, and return these tenants' new events.

        Raises the errors of `QueryExecutor.rows`, except QueryTooLarge, since no tenant could do anything about it.
        """
        now, now_ms = time.monotonic(), time.time_ns() // 1_000_000
        since_ms = self._since(now, now_ms)
        try:
            rows = self._rows(tenants, since_ms)
        except QueryTooLarge as error:
            raise StoreUnavailable(
                f"Polling for new events failed: {error.message}", fix="Try again in a moment."
            ) from error
        self._take(rows, now)
        if len(rows) < ROWS:  # otherwise, the rest of this window remains to be read
            self._polled_ms = now_ms
            self._swept = now if since_ms <= now_ms - HOUR_MS else self._swept
        states = {place: tracker.seen for place, tracker in self._trackers.items()}
        return PollResult(now_ms, len(rows) == ROWS, states, self._by_tenant(tenants, rows))

    def _rows(self, tenants: Sequence[str], since_ms: int) -> list[dict[str, Any]]:
        seen = {place: tracker.seen for place, tracker in self._trackers.items()}
        return self._executor.rows(sql.compile_poll(self._database, tenants, seen, since_ms=since_ms, limit=ROWS))

    def _since(self, now: float, now_ms: int) -> int:
        if not self._polled_ms:
            return now_ms - HOUR_MS - MARGIN_MS
        return self._polled_ms - (HOUR_MS if now - self._swept >= SWEEP_S else SKEW_MS)

    def _take(self, rows: Sequence[dict[str, Any]], now: float) -> None:
        found: defaultdict[PartitionKey, list[int]] = defaultdict(list)
        for row in rows:
            found[_place(row)].append(int(row["place_offset"]))
        for place in self._trackers.keys() | found.keys():
            self._trackers.setdefault(place, PartitionTracker()).observe(found.get(place, []), now)

    def _by_tenant(
        self, tenants: Sequence[str], rows: Sequence[dict[str, Any]]
    ) -> dict[str, tuple[set[PartitionKey], tuple[int, int]]]:
        """Return the partitions and times of the new events of each tenant."""
        found: dict[str, tuple[set[PartitionKey], tuple[int, int]]] = {}
        for row in rows:
            place, number, at = _place(row), int(row["tenant"]), int(row["occurred_us"])
            if number and self._trackers[place].seen.contains(int(row["place_offset"])):
                partitions, (first, last) = found.get(tenants[number - 1], (set(), (at, at)))
                found[tenants[number - 1]] = (partitions | {place}, (min(first, at), max(last, at)))
        return found


def _place(row: dict[str, Any]) -> PartitionKey:
    topic = row["topic"]
    return topic.decode() if isinstance(topic, bytes) else str(topic), int(row["partition"])
