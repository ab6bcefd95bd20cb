"""Insert the rows of one range and month, so that sending them again, by anyone and however late, adds nothing.

Two things make it so. The deduplication token covers an insert that is still in flight; ClickHouse forgets tokens past
a window, and keeps those of `INSERT … FORMAT` and of `INSERT … SELECT` apart, so every insert has the same form. The
guard inside the statement leaves out the offsets that are stored at the moment it runs, whatever became of the token.

A range that may have been attempted before is read back first. Its token names the offsets found stored, and its
statement adds nothing unless they are still the same: then nothing landed under the token before the statement began.
Attempts that found the same offsets therefore exclude each other, even if they validated differently, and a token that
an earlier attempt has used never hides rows that only a later one accepts.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.store.event_insert import (
    EncodedBatch,
    Table,
    offsets_digest,
    send,
    statement,
    stored,
)
from auditlane.worker.protocol.ranges import Range

_DAY_MS: Final = 86_400_000
_CURRENT: Final = frozenset({"select_sequential_consistency"})


def token(range_: Range, month: int, *, seen: Collection[int] | None = None, again: int = 0) -> str:
    """The deduplication token of a range's rows of one month (yyyymm). The topic's id keeps a recreated topic apart.

    `seen` are the offsets of the range and month that the table was seen to hold, if it was asked; `again` counts
    inserts that were answered and changed nothing of that: their rows had been stored once, and removed by hand.
    """
    plain = f"{range_.topic_id}:{range_.partition.number}:{range_.first}-{range_.last}:{month}"
    if not seen and not again:
        return plain
    return f"{plain}:{offsets_digest(sorted(seen or ()))}:{again}"


class Writer:
    """Sends the inserts. One client serves every insert thread. Its errors are clickhouse-connect's."""

    def __init__(self, client: Client, table: Table) -> None:
        self._client = client
        self._table = table

    def insert(
        self, range_: Range, month: int, rows: EncodedBatch, *, seen: Collection[int] | None = None, again: int = 0
    ) -> None:
        """Store the rows of one month that are not stored yet; returns when ClickHouse says that they are.

        `seen` and `again` are of a range that may have been attempted before: what is stored must be asked again.
        """
        name = token(range_, month, seen=seen, again=again)
        settings: dict[str, Any] = {**self._table.settings, "insert_deduplication_token": name}
        expected_rows = None if seen is None else len(seen)
        send(self._client, statement(self._table, range_, month, expected_rows=expected_rows), rows, settings)

    def stored(self, range_: Range) -> dict[int, set[int]]:
        """The range's offsets that are stored, by month."""
        query = stored(self._table, range_, "toYYYYMM(occurred_at), groupUniqArray(kafka_offset)") + " GROUP BY 1"
        current = {name: value for name, value in self._table.settings.items() if name in _CURRENT}
        rows = self._client.query(query, settings=current).result_rows
        return {int(month): set(map(int, offsets)) for month, offsets in rows}

    def tenants_served(self, range_: Range) -> frozenset[str]:
        """Return up to ten tenants of which the partition had events within a day before the range.

        Raises clickhouse-connect's errors, as an insert does.
        """
        earliest = max(0, min(range_.columns.timestamps_ms) - _DAY_MS)
        rows = self._client.query(
            f"SELECT DISTINCT tenant_id FROM {self._table.quoted} WHERE kafka_topic_id = {{topic:UUID}} "  # noqa: S608
            "AND kafka_partition = {partition:UInt32} AND kafka_timestamp >= fromUnixTimestamp64Milli({at:Int64}) "
            "LIMIT 10",
            parameters={"topic": range_.topic_id, "partition": range_.partition.number, "at": earliest},
        ).result_rows
        return frozenset(str(row[0]) for row in rows)
