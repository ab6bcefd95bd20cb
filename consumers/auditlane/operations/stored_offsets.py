"""Reads the stored offsets of a partition as sorted arrays, one window at a time."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from clickhouse_connect.driver.client import Client

from auditlane.operations.selection import Span
from auditlane.store.client import store_errors

Offsets = npt.NDArray[np.int64]
# The table is not sorted by offset, so each query scans three narrow columns. Large windows (16 MB) save queries.
WINDOW: Final = 2_000_000
_WHOLE: Final = {"wait_end_of_query": 1}  # makes a failure halfway an error instead of a shorter result


class StoredOffsets:
    """The offsets of one span that are stored in `table`, which is quoted.

    Each method raises StoreUnavailable or StoreRefused.
    """

    def __init__(self, client: Client, table: str, span: Span) -> None:
        self._client = client
        self._table = table
        self._span = span
        self._first = self._end = span.first
        self._offsets: Offsets = np.zeros(0, dtype=np.int64)

    def between(self, first: int, end: int) -> Offsets:
        """Return the stored offsets from `first` (inclusive) to `end` (exclusive), in ascending order and with
        duplicates.

        Rows stored after the window was read may be missing.
        """
        if first < self._first or end > self._end:
            self._first, self._end = first, max(end, min(first + WINDOW, self._span.end))
            self._offsets = self.read(self._first, self._end)
        low, high = np.searchsorted(self._offsets, [first, end])
        return self._offsets[low:high]

    def read(self, first: int, end: int | None = None, *, limit: int | None = None) -> Offsets:
        """Query at most `limit` stored offsets, from `first` (inclusive) to `end` (exclusive). There is no upper bound
        if `end` is None.
        """
        upper = "" if end is None else f" AND kafka_offset < {end}"
        query = (
            f"SELECT kafka_offset FROM {self._table} WHERE {self._where()}"  # noqa: S608 - our names and numbers
            f" AND kafka_offset >= {first}{upper} ORDER BY kafka_offset" + (f" LIMIT {limit}" if limit else "")
        )
        with store_errors():
            answer = self._client.raw_query(query, fmt="RowBinary", settings=_WHOLE)
        return np.frombuffer(answer, dtype="<u8").astype(np.int64)

    def count(self, first: int, end: int) -> int:
        """Count the table's rows with these offsets."""
        query = (
            f"SELECT count() FROM {self._table} WHERE {self._where()}"  # noqa: S608 - our names and numbers
            f" AND kafka_offset >= {first} AND kafka_offset < {end}"
        )
        with store_errors():
            return int(self._client.query(query).result_rows[0][0])

    def _where(self) -> str:
        return f"kafka_topic_id = '{self._span.topic_id}' AND kafka_partition = {self._span.partition.number}"
