"""Tests ClickHouse behavior that the worker's inserts rely on: tokens, the guard, single parts, and the start-up
checks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import StoredOffsetsSummary
from auditlane.runtime.errors import ConfigError
from auditlane.runtime.settings import load
from auditlane.store import event_insert, newest_offsets, preflight
from auditlane.store.client import connect
from auditlane.store.migrate import migrate
from auditlane.worker.protocol.partition_state import Range
from auditlane.worker.validation.event_columns import EVENTS

MONTH = 202611
AT = int(datetime(2026, 11, 3, tzinfo=UTC).timestamp() * 1_000)


class Store:
    def __init__(self, client: Client, database: str) -> None:
        self.client, self.database = client, database
        migrate(client, database)
        client.command(f"SYSTEM STOP MERGES `{database}`.events")
        self.table = preflight.check(client, database, EVENTS.names, parts_per_second=4)
        self.writer = event_insert.Writer(client, self.narrow(self.table))
        self.topic_id = str(uuid.uuid4())

    def narrow(self, table: event_insert.Table) -> event_insert.Table:
        names = self.rows(0, 0).column_names
        return replace(table, columns=tuple(one for one in table.columns if one[0] in names))

    def rows(self, first: int, last: int) -> pa.Table:
        """Return rows with new ids on each call, so that a second insert with the same token differs from the first."""
        count = last + 1 - first
        return pa.table(
            {
                "tenant_id": ["t"] * count,
                "occurred_at": pa.array([AT * 1_000] * count, pa.timestamp("us")),
                "event_id": [str(uuid.uuid4()) for _ in range(count)],
                "kafka_topic_id": [getattr(self, "topic_id", "")] * count,
                "kafka_partition": pa.array([0] * count, pa.uint32()),
                "kafka_offset": pa.array(range(first, last + 1), pa.uint64()),
                "kafka_timestamp": pa.array([AT + one for one in range(first, last + 1)], pa.timestamp("ms")),
            }
        )

    def range(self, first: int, last: int) -> Range:
        offsets = list(range(first, last + 1))
        columns = Columns(offsets, [AT + one for one in offsets], [b""] * len(offsets), [b""] * len(offsets))
        return Range(Partition("t", 0), self.topic_id, first, last, columns, "", assignment_epoch=1)

    def insert(self, first: int, last: int, rows: pa.Table | None = None) -> int:
        return self.write(self.range(first, last), self.rows(first, last) if rows is None else rows)

    def write(self, range_: Range, rows: pa.Table, **seen: Any) -> int:
        return self.writer.insert(
            range_, MONTH, event_insert.EncodedBatch(event_insert.columns_to_send(rows, range_)), **seen
        )

    def one(self, query: str) -> Any:
        return self.client.query(query.replace("events", f"`{self.database}`.events")).result_rows[0][0]

    def count(self) -> int:
        return int(self.one("SELECT count() FROM events"))

    def parts(self) -> int:
        return int(
            self.one(f"SELECT count() FROM system.parts WHERE database = '{self.database}' AND table = 'e' || 'vents'")
        )


@pytest.fixture
def store(clickhouse: str, unique: str) -> Iterator[Store]:
    client = connect(load(clickhouse_url=clickhouse))
    yield Store(client, unique)
    client.command(f"DROP DATABASE `{unique}`")
    client.close()


def test_a_large_range_is_one_part(store: Store) -> None:
    rows = pa.concat_tables([store.rows(first, first + 9_999) for first in range(0, 120_000, 10_000)])
    store.insert(0, 119_999, rows)
    assert (store.count(), store.parts()) == (120_000, 1)


def test_a_repeated_range_adds_nothing_whatever_its_rows(store: Store) -> None:
    store.insert(0, 99)
    store.insert(0, 99)
    store.insert(0, 99, pa.concat_tables([store.rows(0, 49), store.rows(50, 99)]))
    assert store.count() == 100


def test_the_token_protects_where_the_guard_cannot(store: Store) -> None:
    """The rows are removed after the insert, so only the token shows that the insert happened, whatever the chunks
    are.
    """
    chunked = pa.concat_tables([store.rows(first, first + 9) for first in range(0, 100, 10)])
    store.insert(0, 99, chunked)
    store.client.command(f"SYSTEM START MERGES `{store.database}`.events")
    store.client.command(
        f"ALTER TABLE `{store.database}`.events DELETE WHERE kafka_offset < 50 SETTINGS mutations_sync = 1"
    )
    assert store.count() == 50
    store.insert(0, 99)
    assert store.count() == 50


def test_the_guard_protects_where_the_token_differs(store: Store) -> None:
    store.insert(10, 19)
    store.insert(0, 14)
    store.insert(15, 40)
    assert (store.count(), store.one("SELECT uniqExact(kafka_offset) FROM events")) == (41, 41)


def test_a_redo_adds_nothing_if_the_table_has_changed_since_its_check(store: Store) -> None:
    """Another process has stored or removed rows between the check and the insert, so the check must be repeated."""
    store.insert(0, 4)
    for seen in (set(), {0, 1}, set(range(6))):
        store.write(store.range(0, 9), store.rows(0, 9), seen=seen)
        assert store.count() == 5
    store.write(store.range(0, 9), store.rows(0, 9), seen=set(range(5)))
    assert store.count() == 10


def test_a_first_attempt_and_a_redo_that_found_no_rows_exclude_each_other(store: Store) -> None:
    """The two statements have different conditions, but the same token."""
    store.insert(0, 9)
    store.client.command(f"SYSTEM START MERGES `{store.database}`.events")
    store.client.command(f"ALTER TABLE `{store.database}`.events DELETE WHERE 1 SETTINGS mutations_sync = 1")
    assert store.count() == 0
    store.write(store.range(0, 9), store.rows(0, 9), seen=set())
    assert store.count() == 0
    store.write(store.range(0, 9), store.rows(0, 9), seen=set(), again=1)
    assert store.count() == 10


def test_a_first_attempt_adds_all_rows_or_none_and_reports_how_many(store: Store) -> None:
    assert store.write(store.range(0, 9), store.rows(0, 9), seen=()) == 10
    assert store.write(store.range(0, 9), store.rows(0, 9), seen=()) == 0  # repeated
    assert store.write(store.range(5, 14), store.rows(5, 14), seen=()) == 0  # overlaps
    assert store.insert(5, 14) == 5
    assert store.count() == 15


def test_another_topic_id_is_another_topic(store: Store) -> None:
    store.insert(0, 9)
    store.topic_id = str(uuid.uuid4())
    store.insert(0, 9)
    assert store.count() == 20


def test_stored_offsets_of_a_range(store: Store) -> None:
    store.insert(0, 9)
    assert store.writer.stored(store.range(5, 14)) == {MONTH: {5, 6, 7, 8, 9}}


def test_the_newest_stored_offset(store: Store) -> None:
    def newest(low: int = 0) -> StoredOffsetsSummary:
        return newest_offsets.newest(store.client, store.database, store.topic_id, 0, low=low)

    assert newest() == StoredOffsetsSummary(None)
    store.insert(0, 9)
    assert newest() == StoredOffsetsSummary(9)
    store.insert(12, 15)
    assert newest() == StoredOffsetsSummary(15, first_gap=10)
    assert newest(low=12) == StoredOffsetsSummary(15)


def test_columns_that_a_newer_version_added_get_their_defaults(store: Store) -> None:
    for column in ("note String DEFAULT 'x' AFTER action", "region Nullable(String)"):
        store.client.command(f"ALTER TABLE `{store.database}`.events ADD COLUMN {column}")
    assert (
        preflight.check(store.client, store.database, EVENTS.names, parts_per_second=4).columns == store.table.columns
    )
    store.insert(0, 9)
    stored = store.client.query(f"SELECT DISTINCT note, region FROM `{store.database}`.events").result_rows
    assert list(map(tuple, stored)) == [("x", None)]


@pytest.mark.parametrize("newer_first", [True, False])
def test_versions_that_insert_other_columns_exclude_each_other_by_token(store: Store, newer_first: bool) -> None:
    """The first version's rows are deleted before the other version sends the same range, so its guard finds none."""
    store.client.command(f"ALTER TABLE `{store.database}`.events ADD COLUMN note String DEFAULT 'x'")
    columns = (*store.narrow(store.table).columns, ("note", "String"))
    newer = event_insert.Writer(store.client, replace(store.table, columns=columns))
    noted = store.rows(0, 9).append_column("note", pa.array(["y"] * 10))
    first, second = [(newer, noted), (store.writer, store.rows(0, 9))][:: 1 if newer_first else -1]
    store.writer, rows = first
    store.insert(0, 9, rows)
    assert store.count() == 10
    store.client.command(f"SYSTEM START MERGES `{store.database}`.events")
    store.client.command(f"ALTER TABLE `{store.database}`.events DELETE WHERE 1 SETTINGS mutations_sync = 1")
    store.writer, rows = second
    store.insert(0, 9, rows)
    assert store.count() == 0


@pytest.mark.parametrize(
    ("change", "because"),
    [
        ("ALTER TABLE events MODIFY SETTING non_replicated_deduplication_window = 10", "the tokens of 10 inserts"),
        ("DROP TABLE events", "has no table"),
        ("ALTER TABLE events DROP COLUMN schema_id", "lacks columns that this worker writes: schema_id"),
        (", event_id, content_hash) -> , event_id)", r"is sorted by \(tenant_id, occurred_at, event_id\)"),
        ("ENGINE = ReplacingMergeTree(first_wins) -> ENGINE = MergeTree", "has the engine MergeTree"),
    ],
)
def test_a_table_that_cannot_keep_the_promise_is_refused(store: Store, change: str, because: str) -> None:
    table = f"`{store.database}`.events"
    if "->" in change:  # the same table, except for this difference
        [[made]] = store.client.query(f"SHOW CREATE TABLE {table}").result_rows
        old, new = change.split(" -> ")
        assert old in made
        store.client.command(f"DROP TABLE {table}")
        store.client.command(made.replace(old, new))
    else:
        store.client.command(change.replace("events", table))
    with pytest.raises(ConfigError, match=because) as raised:
        preflight.check(store.client, store.database, EVENTS.names, parts_per_second=4)
    assert raised.value.fix
