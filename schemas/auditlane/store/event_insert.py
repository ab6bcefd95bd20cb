"""The INSERT for a range's rows: a statement that skips stored offsets, followed by the rows.

Sending the rows of a range and period again, by any process and however late, adds nothing, for two reasons. The
deduplication token covers an insert that is still in flight. ClickHouse forgets tokens past a window, and tracks
`INSERT … FORMAT` and `INSERT … SELECT` separately, so every insert has the same form. The guard inside the statement
skips the offsets that are stored when it runs, even if the token is forgotten.

A range that may have been attempted before is read back first. Its token names the offsets found stored, and its
statement adds nothing unless they are still the same: then nothing was stored under the token before the statement
started. Attempts that found the same offsets therefore exclude each other, even if they validated differently, and a
token that an earlier attempt has used never hides rows that only a later one accepts. A first attempt expects that
nothing is stored. If that is wrong, it adds nothing, and continues as a range that may have been attempted before.

One record batch per statement: ClickHouse derives a deduplication token's identity from the blocks it reads, and the
same rows in two different batches were stored twice under one token.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
from clickhouse_connect.driver.client import Client
from xxhash import xxh64_hexdigest

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.runtime import tracing
from auditlane.runtime._pyarrow import pa
from auditlane.store.partitioning import Partitioning

_ROOM: Final = 16 << 10  # bytes reserved for the statement, which takes up about 3,000
_SMALL: Final = 64 << 10  # bytes up to which a batch is copied behind its statement, since a range may have thousands
_HUGE: Final = 1_000_000_000  # rows or bytes: far above any range, and servers clamp larger values
# Exactly-once relies on these. `preflight.check` proves at start-up that the server accepts them.
PINNED: Final[dict[str, int | str]] = {
    "async_insert": 0,
    "deduplicate_insert": "enable",
    "deduplicate_insert_select": "force_enable",
    "insert_deduplicate": 1,
    "input_format_arrow_allow_missing_columns": 0,
    "max_insert_block_size": _HUGE,
    "max_insert_threads": 1,
    "min_insert_block_size_bytes": _HUGE * 100,
    "min_insert_block_size_rows": _HUGE,
    "optimize_on_insert": 0,
}
# Servers before version 26 have only `insert_deduplicate`, and do not distinguish the forms of INSERT.
OPTIONAL: Final = frozenset({"deduplicate_insert", "deduplicate_insert_select", "insert_deduplicate"})
# On replicas, an insert is acknowledged once a majority has it, and the guard reads rows that a majority has, on any
# replica. ClickHouse supports the latter only for sequential quorum inserts; an insert that has to wait is retried.
REPLICATED: Final[dict[str, int | str]] = {
    "insert_quorum": "auto",
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
}


_DAY_MS: Final = 86_400_000
_CURRENT: Final = frozenset({"select_sequential_consistency"})


class OffsetRange(Protocol):
    """One partition's messages from offset `first` to `last`, inclusive."""

    @property
    def partition(self) -> Partition: ...
    @property
    def topic_id(self) -> str: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def columns(self) -> Columns: ...


@dataclass(frozen=True, slots=True)
class Table:
    """The worker's table. `columns` contains the inserted columns' names and types, and `settings` apply to every
    insert.

    It remembers the deduplication tokens of its newest `window` inserts.
    """

    database: str
    columns: tuple[tuple[str, str], ...]
    settings: dict[str, int | str]
    partitioning: Partitioning
    name: str = "events"
    window: int = 0

    @property
    def quoted(self) -> str:
        return f"`{self.database}`.`{self.name}`"


def offsets_digest(offsets: Iterable[int]) -> str:
    """Return a digest of the offsets for the deduplication token."""
    return xxh64_hexdigest(",".join(map(str, offsets)).encode())


def stored(table: Table, range_: OffsetRange, columns: str = "kafka_offset") -> str:
    """Return a query for the range's stored offsets.

    The bounds on Kafka timestamps follow from the range, and let ClickHouse skip all parts from other times.
    """
    times = np.asarray(range_.columns.timestamps_ms)
    earliest, latest = (f"fromUnixTimestamp64Milli({at})" for at in (times.min(), times.max()))
    return (
        f"SELECT {columns} FROM {table.quoted} WHERE kafka_topic_id = '{range_.topic_id}'"  # noqa: S608 - our names
        f" AND kafka_partition = {range_.partition.number} AND kafka_offset BETWEEN {range_.first} AND {range_.last}"
        f" AND kafka_timestamp BETWEEN {earliest} AND {latest}"
    )


def statement(table: Table, range_: OffsetRange, period: int, *, expected_rows: int | None = None) -> str:
    """Build the INSERT for a range's rows in one period. The rows follow it as one ArrowStream of `columns_to_send`.

    With `expected_rows`, it adds no rows unless exactly that many offsets of the range and period are stored. Raises
    ValueError if the period does not fit the table's partitioning.
    """
    constant = _constant_columns(range_)
    names = ", ".join(f"`{name}`" for name, _ in table.columns)
    read = ", ".join(constant.get(name) or arrived(name, kind) for name, kind in table.columns)
    structure = _escaped(
        ", ".join(f"`{name}` {travelling(kind)}" for name, kind in table.columns if name not in constant)
    )
    of_period = f" AND {table.partitioning.condition(period)}"
    conditions = []
    if expected_rows != 0:  # if no rows are stored, there are none to skip
        conditions.append(f"kafka_offset NOT IN ({stored(table, range_)}{of_period})")
    if expected_rows is not None:
        conditions.append(f"({stored(table, range_, 'uniqExact(kafka_offset)')}{of_period}) = {expected_rows}")
    return (
        f"INSERT INTO {table.quoted} ({names})"  # noqa: S608 - names and types are the table's own
        f" SELECT {read} FROM input('{structure}')"
        f" WHERE {' AND '.join(conditions)} FORMAT ArrowStream"
    )


def travelling(kind: str) -> str:
    """Return a column's type for sending.

    IPv6 addresses are sent as text, since ClickHouse would read a column in which all strings have 16 bytes as binary
    addresses.
    """
    return kind.replace("IPv6", "String")


def arrived(name: str, kind: str) -> str:
    """Return the expression that converts a sent column back to its type."""
    return f"`{name}`" if travelling(kind) == kind else f"toIPv6(`{name}`)"


def _constant_columns(range_: OffsetRange) -> dict[str, str]:
    """Return expressions for columns that are not sent, since they have the same value in all of a range's rows."""
    return {
        "kafka_topic": f"toLowCardinality('{_escaped(range_.partition.topic)}')",
        "kafka_topic_id": f"toUUID('{range_.topic_id}')",
        "kafka_partition": f"toUInt32({range_.partition.number})",
    }


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def columns_to_send(rows: pa.Table, range_: OffsetRange) -> pa.Table:
    """Return the columns to send with the statement, for `EncodedBatch`."""
    return rows.drop_columns([name for name in _constant_columns(range_) if name in rows.column_names])


class EncodedBatch:
    """One insert's rows as they are sent: an Arrow stream of one record batch, with space for the statement in front.

    The source columns can then be released, so that a range waiting for its insert is in memory only once.
    """

    __slots__ = ("_buffer", "_offsets", "_room")

    def __init__(self, rows: pa.Table) -> None:
        self._offsets = rows.column("kafka_offset")
        batch = rows.combine_chunks()
        size = pa.MockOutputStream()
        _write(size, batch, 0)
        self._room = 0 if size.size() <= _SMALL else _ROOM
        # the final size, since a growing buffer copies itself repeatedly
        self._buffer = pa.allocate_buffer(self._room + size.size())
        _write(pa.FixedSizeBufferWriter(self._buffer), batch, self._room)

    def __len__(self) -> int:
        return len(self._offsets)

    @property
    def offsets(self) -> list[int]:
        """Each row's Kafka offset."""
        offsets: list[int] = self._offsets.to_pylist()
        return offsets

    def with_statement(self, text: str) -> memoryview:
        """Return the body to POST: the statement, then the rows. Valid until the next call."""
        head, whole = text.encode() + b"\n", memoryview(self._buffer).cast("B")
        room = self._room
        if len(head) > room:
            return memoryview(head + whole[room:])
        whole[room - len(head) : room] = head
        return whole[room - len(head) :]


def _write(sink: Any, batch: pa.Table, room: int) -> None:
    sink.write(bytes(room))
    with pa.ipc.new_stream(sink, batch.schema) as stream:
        stream.write_table(batch, max_chunksize=max(1, batch.num_rows))


def send(client: Client, text: str, rows: EncodedBatch, settings: dict[str, Any]) -> int:
    """Run an INSERT with its rows. Returns the number of rows added, or 0 if the server does not report it.

    The client's own `command` would decode and scan the whole body to classify it.
    """
    data: Any = rows.with_statement(text)  # sent from Arrow's buffer, without a copy
    return client.raw_insert("", insert_block=data, settings=settings).written_rows


def token(range_: OffsetRange, period: int, *, seen: Collection[int] | None = None, again: int = 0) -> str:
    """Return the deduplication token for a range's rows of one period. It differs if the topic was recreated.

    `seen` contains the offsets of the range and period found in the store, if it was queried. `again` counts inserts
    that were acknowledged but stored nothing, because their rows had been stored before and then deleted manually.
    """
    plain = f"{range_.topic_id}:{range_.partition.number}:{range_.first}-{range_.last}:{period}"
    if not seen and not again:
        return plain
    return f"{plain}:{offsets_digest(sorted(seen or ()))}:{again}"


class Writer:
    """Sends a worker's inserts. One client serves all threads. Raises clickhouse-connect's errors."""

    def __init__(self, client: Client, table: Table) -> None:
        self._client = client
        self._table = table

    def insert(
        self,
        range_: OffsetRange,
        period: int,
        rows: EncodedBatch,
        *,
        seen: Collection[int] | None = None,
        again: int = 0,
    ) -> int:
        """Store one period's missing rows. Returns how many were added, once ClickHouse has acknowledged them.

        With `seen`, the statement adds nothing unless exactly these offsets of the period are stored. Pass () for a
        first attempt. For a range that may have been attempted before, pass the offsets found in the store, and `again`
        (see `token`), and read the range back afterwards.
        """
        name = token(range_, period, seen=seen, again=again)
        settings: dict[str, Any] = {**self._table.settings, "insert_deduplication_token": name}
        expected_rows = None if seen is None else len(seen)
        text = statement(self._table, range_, period, expected_rows=expected_rows)
        attributes: dict[str, tracing.Value] = {
            "db.system.name": "clickhouse",
            "db.operation.name": "INSERT",
            "auditlane.insert.token": name,
            "auditlane.insert.period": period,
            "auditlane.insert.rows": len(rows),
        }
        with tracing.span("insert", attributes, kind="client") as span:
            added = send(self._client, text, rows, settings)
            span.set_attribute("auditlane.insert.added", added)
        return added

    def stored(self, range_: OffsetRange) -> dict[int, set[int]]:
        """Return the range's stored offsets by period."""
        period = self._table.partitioning.expression
        query = stored(self._table, range_, f"{period}, groupUniqArray(kafka_offset)") + " GROUP BY 1"
        current = {name: value for name, value in self._table.settings.items() if name in _CURRENT}
        rows = self._client.query(query, settings=current).result_rows
        return {int(of): set(map(int, offsets)) for of, offsets in rows}

    def tenants_served(self, range_: OffsetRange) -> frozenset[str]:
        """Return up to ten tenants with events stored in the partition in the day before the range."""
        earliest = max(0, min(range_.columns.timestamps_ms) - _DAY_MS)
        rows = self._client.query(
            f"SELECT DISTINCT tenant_id FROM {self._table.quoted} WHERE kafka_topic_id = {{topic:UUID}} "  # noqa: S608
            "AND kafka_partition = {partition:UInt32} AND kafka_timestamp >= fromUnixTimestamp64Milli({at:Int64}) "
            "LIMIT 10",
            parameters={"topic": range_.topic_id, "partition": range_.partition.number, "at": earliest},
        ).result_rows
        return frozenset(str(row[0]) for row in rows)
