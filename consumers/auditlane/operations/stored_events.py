"""Queries the stored events by identity, to find duplicates and conflicts, and by the origin recorded in their rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.external import ExternalData

from auditlane.operations.selection import Span
from auditlane.operations.verify.reconcile import Origin
from auditlane.runtime._pyarrow import pa
from auditlane.store.client import store_errors
from auditlane.store.event_insert import arrived, travelling

_IDS: Final = 500  # number of identities per query
_BUCKET_ROWS: Final = 5_000_000  # maximum number of ids that ClickHouse groups in one pass
_LONG: Final = {"max_query_size": 64 << 20}  # in bytes: a query may name thousands of dedicated topics


@dataclass(frozen=True, slots=True)
class TwoTimes:
    """An event id that a tenant used with more than one `occurred_at`. The times are RFC 3339 text."""

    tenant: str
    event_id: str
    times: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Events with the same tenant, id and time but different content. `contents` is the number of variants.

    `origins` lists where their rows came from: `gateway <client id>` or `kafka <topic>`. The time is RFC 3339 text.
    """

    tenant: str
    event_id: str
    occurred_at: str
    contents: int
    origins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """The number of conflicts, and the first of them."""

    count: int = 0
    listed: tuple[Conflict, ...] = ()


class StoredEvents:
    """Queries the events in `table`, which is quoted. Every method raises StoreUnavailable or StoreRefused."""

    def __init__(self, client: Client, table: str) -> None:
        self._client = client
        self._table = table

    def offsets_of_known(self, rows: pa.Table) -> list[int]:
        """Return the offsets of rows whose event is already in the table, no matter which message it came from.

        `rows` contains the columns of `event_columns.EVENTS`.
        """
        found: list[int] = []
        for first in range(0, rows.num_rows, _IDS):
            found += self._known(rows.slice(first, _IDS))
        return found

    def _known(self, rows: pa.Table) -> list[int]:
        """Look up one batch. ClickHouse hashes the sent rows with the table's own expression, in the same way as stored
        rows.
        """
        made = self._columns()
        names = [name for name in rows.column_names if name in made]
        asked = ExternalData(
            file_name="asked",
            data=_stream(rows.select(names)),
            fmt="ArrowStream",
            structure=[f"{name} {travelling(made[name][0])}" for name in names],
        )
        identity = "tenant_id, occurred_at, event_id"
        arrive = ", ".join(f"{arrived(name, made[name][0])} AS `{name}`" for name in names)
        query = (
            f"WITH arrived AS (SELECT {arrive} FROM asked) "  # noqa: S608 - our table
            f"SELECT kafka_offset FROM arrived WHERE ({identity}, {made['content_hash'][1]}) IN "
            f"(SELECT {identity}, content_hash FROM {self._table} "
            f"WHERE ({identity}) IN (SELECT {identity} FROM arrived))"
        )
        with store_errors():
            found = self._client.query(query, external_data=asked).result_rows
        return [int(offset) for (offset,) in found]

    def _columns(self) -> dict[str, tuple[str, str]]:
        """Return the type and default expression of each table column, by name."""
        with store_errors():
            rows = self._client.query(
                "SELECT name, type, default_expression FROM system.columns "
                "WHERE concat('`', database, '`.`', table, '`') = {table:String}",
                parameters={"table": self._table},
            ).result_rows
        return {str(name): (str(kind), str(expression)) for name, kind, expression in rows}

    def origins(self, topics: Sequence[str] | None) -> list[Origin]:
        """Count the rows of these topics by their recorded origin. Without topics, all rows are counted."""
        where = "1" if topics is None else "kafka_topic IN ({topics:Array(String)})"
        with store_errors():
            rows = self._client.query(
                "SELECT kafka_topic, toString(kafka_topic_id), kafka_partition, count() "  # noqa: S608 - our table
                f"FROM {self._table} WHERE {where} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
                parameters={"topics": list(topics or ())},
            ).result_rows
        return [Origin(*row) for row in rows]

    def conflicts(self, spans: Sequence[Span] | None, limit: int) -> Conflicts:
        """Find the conflicts in the table. If `spans` is given, only conflicts with a row in them are returned.

        Reads the keys of all rows, in order.
        """
        query = (
            f"SELECT count(), groupArray({limit})"  # noqa: S608 - our table
            "((tenant_id, toString(event_id), toString(occurred_at), contents, origins)) "
            "FROM (SELECT tenant_id, event_id, occurred_at, uniqExact(content_hash) AS contents, "
            "arraySort(groupUniqArray(10)(concat(toString(provenance), ' ', provenance_id))) AS origins "
            f"FROM {self._table} GROUP BY tenant_id, occurred_at, event_id "
            f"HAVING contents > 1 AND max({_within(spans)}) ORDER BY tenant_id, occurred_at, event_id)"
        )
        with store_errors():
            [(count, listed)] = self._client.query(
                query, settings=_LONG | {"optimize_aggregation_in_order": 1}
            ).result_rows
        found = (
            Conflict(tenant, event_id, f"{at.replace(' ', 'T')}Z", int(contents), tuple(origins))
            for tenant, event_id, at, contents, origins in listed
        )
        return Conflicts(int(count), tuple(found))

    def two_times(self, spans: Sequence[Span], limit: int) -> list[TwoTimes]:
        """Return the ids in the rows of the spans that a tenant used with more than one time."""
        stored = [span for span in spans if len(span)]
        if not stored:
            return []
        where = _within(stored)
        buckets = 1 + sum(map(len, stored)) // _BUCKET_ROWS
        found = [one for bucket in range(buckets) for one in self._two_times(where, bucket, buckets, limit)]
        return sorted(found, key=lambda one: (one.tenant, one.event_id))[:limit]

    def _two_times(self, where: str, bucket: int, buckets: int, limit: int) -> Iterator[TwoTimes]:
        query = (
            "SELECT tenant_id, toString(event_id), arraySort(groupUniqArray(10)(toString(occurred_at))) "  # noqa: S608 - our table
            f"FROM {self._table} WHERE ({where}) AND cityHash64(event_id) % {buckets} = {bucket} "
            f"GROUP BY tenant_id, event_id HAVING min(occurred_at) != max(occurred_at) LIMIT {limit}"
        )
        with store_errors():
            rows: Sequence[Sequence[Any]] = self._client.query(query, settings=_LONG).result_rows
        for tenant, event_id, times in rows:
            yield TwoTimes(tenant, event_id, tuple(f"{one.replace(' ', 'T')}Z" for one in times))


def _within(spans: Sequence[Span] | None) -> str:
    """Return the SQL condition that a row is in the spans. It is always true if `spans` is None."""
    if spans is None:
        return "1"
    return (
        " OR ".join(
            f"(kafka_topic_id = '{span.topic_id}' AND kafka_partition = {span.partition.number}"
            f" AND kafka_offset >= {span.first} AND kafka_offset < {span.end})"
            for span in spans
        )
        or "0"
    )


def _stream(rows: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return bytes(sink.getvalue())
