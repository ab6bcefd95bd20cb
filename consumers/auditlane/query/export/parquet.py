"""Writes Parquet files in row groups as the rows arrive."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from auditlane.query.export.columns import Column

# A row group is closed at either limit. Larger groups compress slightly better but stay in memory.
GROUP_ROWS: Final = 50_000
GROUP_BYTES: Final = 16 << 20
_TEXT_MAP: Final = pa.map_(pa.string(), pa.string())
_TYPES: Final[dict[str, pa.DataType]] = {
    "occurred_at": pa.timestamp("us", "UTC"),
    "ingested_at": pa.timestamp("ms", "UTC"),
    "conflict": pa.bool_(),
}


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Return the schema. The metadata of each column contains its display name under `title`."""
    return pa.schema([pa.field(column.name, _type(column), metadata={"title": column.title}) for column in columns])


def _type(column: Column) -> pa.DataType:
    if column.is_map:
        return _TEXT_MAP
    return pa.string() if column.custom else _TYPES.get(column.name, pa.string())


class Parquet:
    """An `Encoder` for typed cells. The index of the file comes last, so an incomplete file cannot be opened."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._schema = schema_of(columns)
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(pa.PythonFile(self._sink, "w"), self._schema, compression="zstd")
        self._held: list[pa.RecordBatch] = []
        self._rows = 0
        self._bytes = 0

    def begin(self) -> bytes:
        return self._sink.taken()

    def add(self, batch: pa.RecordBatch) -> bytes:
        cells = [batch.column(place).cast(field.type) for place, field in enumerate(self._schema)]
        self._held.append(pa.RecordBatch.from_arrays(cells, schema=self._schema))
        self._rows += batch.num_rows
        self._bytes += self._held[-1].nbytes
        if self._rows >= GROUP_ROWS or self._bytes >= GROUP_BYTES:
            self._close_group()
        return self._sink.taken()

    def end(self) -> Iterable[bytes]:
        self._close_group()
        self._writer.close()
        return (self._sink.taken(),)

    def close(self) -> None:
        self._held = []

    def _close_group(self) -> None:
        if self._held:
            self._writer.write_table(pa.Table.from_batches(self._held, self._schema), row_group_size=self._rows)
        self._held = []
        self._rows = 0
        self._bytes = 0


class _Sink(io.RawIOBase):
    """Collects the bytes that pyarrow writes until `taken` returns them."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        piece = bytes(memoryview(data))  # type: ignore[arg-type]
        self._pieces.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        piece = b"".join(self._pieces)
        self._pieces.clear()
        return piece
