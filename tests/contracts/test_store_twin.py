"""Runs the same tests on the simulator's in-memory table and on real ones, by month and by day, to verify that all of
them behave alike.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import pyarrow as pa
import pytest
from simulator.clickhouse import ClickHouse

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime.settings import load
from auditlane.store import event_insert, preflight
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.store.partitioning import Partitioning
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

DAY = datetime(2026, 11, 3, tzinfo=UTC)
AT = int(DAY.timestamp() * 1_000)
WINDOW = 4


class Store(Protocol):
    """A table that remembers the last `WINDOW` tokens. All rows are in the partition `period`."""

    period: int

    def insert(self, token: str, offsets: Sequence[int], partition: int = 0, held: int | None = None) -> None:
        """Insert rows with the worker's statement, which contains the guard."""

    def rows(self, partition: int = 0) -> list[int]:
        """Return the offset of every row, in ascending order."""

    def held(self, first: int, last: int) -> dict[int, set[int]]:
        """Return the stored offsets from `first` to `last`, by period."""

    def remove(self) -> None:
        """Delete all rows, as an operator would by hand."""


class Twin:
    period = 202611

    def __init__(self) -> None:
        self._table = ClickHouse(WINDOW)

    def insert(self, token: str, offsets: Sequence[int], partition: int = 0, held: int | None = None) -> None:
        span, at = (min(offsets), max(offsets)), Partition("t", partition)
        self._table.land(self._table.send(token, at, self.period, offsets, held=held, span=span))

    def rows(self, partition: int = 0) -> list[int]:
        return sorted(
            offset for (at, offset), times in self._table.rows.items() if at.number == partition for _ in range(times)
        )

    def held(self, first: int, last: int) -> dict[int, set[int]]:
        return self._table.held(Partition("t", 0), first, last)

    def remove(self) -> None:
        self._table.rows.clear()
        self._table.periods.clear()


class Real:
    def __init__(self, url: str, database: str, partitioning: Partitioning) -> None:
        self._client, self._topic_id = connect(load(clickhouse_url=url)), str(uuid.uuid4())
        self.period = partitioning.period(DAY)
        migrate(self._client, database, partitioning)
        self._events = f"`{database}`.events"
        table = preflight.check(self._client, database, EVENTS.names, parts_per_second=1)
        names = self._table([0], 0).column_names
        self._made = replace(table, columns=tuple(one for one in table.columns if one[0] in names))
        # Prevents merges but not deletions, unlike SYSTEM STOP MERGES.
        changes = f"non_replicated_deduplication_window = {WINDOW}, max_bytes_to_merge_at_max_space_in_pool = 1"
        self._client.command(f"ALTER TABLE {self._events} MODIFY SETTING {changes}")

    def _table(self, offsets: Sequence[int], partition: int) -> pa.Table:
        """Build a table whose rows differ each time, as they would after another validation."""
        count = len(offsets)
        return pa.table(
            {
                "tenant_id": ["t"] * count,
                "occurred_at": pa.array([AT * 1_000] * count, pa.timestamp("us")),
                "event_id": [str(uuid.uuid4()) for _ in range(count)],
                "kafka_topic_id": [self._topic_id] * count,
                "kafka_partition": pa.array([partition] * count, pa.uint32()),
                "kafka_offset": pa.array(offsets, pa.uint64()),
                "kafka_timestamp": pa.array([AT + one for one in offsets], pa.timestamp("ms")),
            }
        )

    def _range(self, first: int, last: int, partition: int) -> Range:
        columns = Columns([first, last], [AT + first, AT + last], [b""] * 2, [b""] * 2)
        return Range(Partition("t", partition), self._topic_id, first, last, columns, "", assignment_epoch=1)

    def insert(self, token: str, offsets: Sequence[int], partition: int = 0, held: int | None = None) -> None:
        range_ = self._range(min(offsets), max(offsets), partition)
        text = event_insert.statement(self._made, range_, self.period, expected_rows=held)
        settings = {**self._made.settings, "insert_deduplication_token": token}
        event_insert.send(
            self._client,
            text,
            event_insert.EncodedBatch(event_insert.columns_to_send(self._table(offsets, partition), range_)),
            settings,
        )

    def rows(self, partition: int = 0) -> list[int]:
        query = f"SELECT kafka_offset FROM {self._events} WHERE kafka_partition = {partition} ORDER BY 1"
        return [int(row[0]) for row in self._client.query(query).result_rows]

    def held(self, first: int, last: int) -> dict[int, set[int]]:
        return event_insert.Writer(self._client, self._made).stored(self._range(first, last, 0))

    def remove(self) -> None:
        self._client.command(f"ALTER TABLE {self._events} DELETE WHERE 1", settings={"mutations_sync": 2})

    def close(self) -> None:
        self._client.command(f"DROP DATABASE {self._events.partition('.')[0]}")
        self._client.close()


@pytest.fixture(params=["twin", *Partitioning])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "twin":
        yield Twin()
        return
    made = Real(request.getfixturevalue("clickhouse"), request.getfixturevalue("unique"), request.param)
    yield made
    made.close()


def test_a_known_token_drops_the_whole_insert_whatever_its_rows(store: Store) -> None:
    store.insert("a", [1, 2])
    store.insert("a", [1, 2])
    store.insert("a", [1, 2, 3])
    store.insert("a", [7])
    assert store.rows() == [1, 2]


def test_the_guard_omits_stored_offsets_of_that_partition(store: Store) -> None:
    store.insert("a", [1, 2])
    store.insert("b", [1, 2, 3])
    store.insert("c", [1, 2, 3], partition=1)
    assert store.rows() == [1, 2, 3]
    assert store.rows(1) == [1, 2, 3]


def test_a_token_is_forgotten_past_the_window_and_outlives_its_rows(store: Store) -> None:
    store.insert("a", [1, 2])
    store.remove()
    store.insert("a", [1, 2])
    assert store.rows() == []
    for number in range(WINDOW):
        store.insert(f"other{number}", [10 + number], partition=1)
    store.insert("a", [1, 2])
    assert store.rows() == [1, 2]


def test_an_insert_that_adds_nothing_neither_spends_its_token_nor_uses_up_the_window(store: Store) -> None:
    store.insert("a", [1, 2])
    for number in range(2 * WINDOW):
        store.insert("a", [1, 2])
        store.insert(f"guarded{number}", [1, 2])
    store.remove()
    store.insert("a", [1, 2])
    assert store.rows() == []
    store.insert("guarded0", [1, 2])
    assert store.rows() == [1, 2]


def test_an_insert_that_expects_something_else_to_be_stored_adds_nothing(store: Store) -> None:
    store.insert("a", [1, 2], held=1)
    assert store.rows() == []
    store.insert("a", [1, 2], held=0)
    store.insert("b", [1, 2, 3], held=1)
    assert store.rows() == [1, 2]
    store.insert("b", [1, 2, 3], held=2)
    assert store.rows() == [1, 2, 3]


def test_stored_offsets_are_listed_by_period(store: Store) -> None:
    store.insert("a", [1, 2, 5])
    store.insert("b", [2], partition=1)
    assert store.held(2, 9) == {store.period: {2, 5}}
    assert store.held(3, 4) == {}
