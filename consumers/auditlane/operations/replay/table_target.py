"""Replays messages into a table. Messages that are not stored yet are validated and inserted with the guard, under
tokens that only the replay uses.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.operations.replay.checkpoint import Progress
from auditlane.operations.replay.replay import Announce
from auditlane.operations.selection import Span
from auditlane.operations.span_reader import Chunk
from auditlane.operations.stored_offsets import StoredOffsets
from auditlane.runtime._pyarrow import pa
from auditlane.runtime.errors import ConfigError, StoreRefused, StoreUnavailable
from auditlane.runtime.remedy import Remedy
from auditlane.store.client import store_errors
from auditlane.store.event_insert import EncodedBatch, Table, columns_to_send, offsets_digest, send, statement
from auditlane.store.insert_failures import classify
from auditlane.store.insert_rate import AdaptiveRate
from auditlane.store.partitioning import Partitioning
from auditlane.worker.validation.batch import RawRange
from auditlane.worker.validation.validator import BatchValidator

TRIES: Final = 8
LONGEST_S: Final = 15.0
OURS: Final = frozenset({"events", "link_claims", "log", "log_text", "migrations", "settings"})


@dataclass(frozen=True, slots=True)
class ReplayedRange:
    """The messages of a chunk that have to be stored, from offset `first` to `last`, inclusive."""

    partition: Partition
    topic_id: str
    first: int
    last: int
    columns: Columns


def token(run: str, range_: ReplayedRange, period: int) -> str:
    """Return the deduplication token of an insert.

    It includes the run. ClickHouse remembers the tokens of workers and of earlier replays, and would not store their
    rows again if these had been deleted. It also includes the missing offsets. A later attempt may validate
    differently, and the token of an earlier one must not hide rows that only the later one accepts.
    """
    span = f"{range_.topic_id}:{range_.partition.number}:{range_.first}-{range_.last}"
    return f"replay:{run}:{span}:{period}:{offsets_digest(range_.columns.offsets)}"


class TableTarget:
    """A `replay.Target` that writes to a table. With `dry`, it only counts."""

    def __init__(
        self,
        client: Client,
        table: Table,
        validator: BatchValidator,
        *,
        parts_per_second: float,
        dry: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._validator = validator
        self._budget = AdaptiveRate.of(parts_per_second, _now_ms())
        self._dry = dry
        self._sleep = sleep
        self._stored: StoredOffsets | None = None

    def begin(self, span: Span) -> None:
        """Prepare to read the span's stored offsets."""
        self._stored = (
            None
            if self._dry and not exists(self._client, self._table)
            else StoredOffsets(self._client, self._table.quoted, span)
        )

    def take(self, span: Span, chunk: Chunk, progress: Progress, announce: Announce) -> None:
        """Store the missing messages of a chunk, and return once ClickHouse has acknowledged them.

        Raises StoreRefused, StoreUnavailable and RegistryUnavailable.
        """
        counts = progress.counts
        stored = set(self._stored.between(chunk.first, chunk.end).tolist()) if self._stored else set()
        missing = [one.offset() not in stored for one in chunk.messages]
        counts.already += len(missing) - sum(missing)
        if not any(missing):
            return
        columns = chunk.columns(missing)
        range_ = ReplayedRange(span.partition, span.topic_id, chunk.first, chunk.end - 1, columns)
        raw = RawRange.of(span.topic_id, span.partition, columns)
        # The chunk has no dead letters, so the workers stored all messages that they completed.
        now, already_committed = time.time_ns() // 1_000_000, span.already_committed
        validation = self._validator.validate(raw, ingested_at_ms=now, already_committed=already_committed or 0)
        for rejection in validation.rejected:
            if already_committed is not None and columns.offsets[rejection.index] >= already_committed:
                counts.left_to_workers += 1
            else:
                counts.refuse(rejection.code.value)
        if not self._dry and validation.rows:
            announce()
            for period in sorted(validation.rows):
                self._insert(range_, period, validation.rows[period], progress.run)
        counts.stored += sum(rows.num_rows for rows in validation.rows.values())

    def _insert(self, range_: ReplayedRange, period: int, rows: pa.Table, run: str) -> None:
        settings: dict[str, Any] = {
            **self._table.settings,
            "insert_deduplication_token": token(run, range_, period),
        }
        text, packed = statement(self._table, range_, period), EncodedBatch(columns_to_send(rows, range_))
        for attempt in range(1, TRIES + 1):
            while not self._budget.ready(_now_ms()):
                self._sleep(0.02)
            self._budget.spend(1)
            try:
                send(self._client, text, packed, settings)
                return
            except (ClickHouseError, HTTPError, OSError) as error:
                failure = classify(error)
                if failure.remedy is Remedy.halt:
                    raise StoreRefused(failure.message) from error
                if attempt == TRIES:
                    raise StoreUnavailable(failure.message, fix="Run the command again to continue.") from error
                if failure.remedy is not Remedy.wait:
                    self._budget.pushed_back()
                self._sleep(min(LONGEST_S, 0.25 * 2**attempt))


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def exists(client: Client, table: Table) -> bool:
    """Return whether the table exists."""
    with store_errors():
        return bool(client.query(f"EXISTS TABLE {table.quoted}").result_rows[0][0])


def other(client: Client, live: Table, name: str, *, create: bool) -> Table:
    """Return the table `name` in the database of the live table. With `create`, a missing table is created like the
    live table.

    An existing table may have the other partitioning, so that the live table can be rebuilt with it. Raises ConfigError
    if the name is not allowed or the existing table differs.
    """
    if name in OURS or not name.isidentifier() or not name.isascii():
        raise ConfigError(f"{name!r} cannot be the target of a replay.", field="--into-table", fix="Choose a new name.")
    table = replace(live, name=name)
    if not exists(client, table):
        if create:
            with store_errors():
                client.command(f"CREATE TABLE IF NOT EXISTS {table.quoted} AS {live.quoted}")
        return table
    shape, key = _shape(client, table)
    partitioning = Partitioning.of(key)
    if partitioning is None or shape != _shape(client, live)[0]:
        raise ConfigError(
            f"{live.database}.{name} does not have the structure of {live.database}.{live.name}.",
            field="--into-table",
            fix="Name a table that does not exist; it will be created.",
        )
    return replace(table, partitioning=partitioning)


def _shape(client: Client, table: Table) -> tuple[object, str]:
    """Return the properties that both tables must share (columns, engine and sorting key), and the partition key."""
    names = {"database": table.database, "name": table.name}
    with store_errors():
        columns = client.query(
            "SELECT name, type FROM system.columns WHERE database = {database:String} AND table = {name:String} "
            "ORDER BY position",
            parameters=names,
        ).result_rows
        made = client.query(
            "SELECT engine, sorting_key, partition_key FROM system.tables "
            "WHERE database = {database:String} AND name = {name:String}",
            parameters=names,
        ).result_rows
    [(engine, sorting, key)] = made
    return (engine, sorting, tuple(map(tuple, columns))), str(key)
