"""Avro datums of one schema into Arrow columns: fast for all, exact for the doubtful, no neighbour lost.

The fast decoder (pyruhvro) raises for a whole batch, and accepts bytes after the datum in silence. So each row's
canonical encoded length is computed from the columns and compared with the datum's: no encoding of the same values is
shorter, hence equality proves that the datum was read to its end. Rows that differ are read again, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyruhvro

from auditlane.contract.structure import Field, TenantContract
from auditlane.worker import exact
from auditlane.worker.measure import encoded_lengths

_SINGLE_ROWS = 32  # a failing batch of this many rows is read exactly
_PARTS = 8  # a larger one is cut into this many

_ARROW = {
    "string": pa.string(),
    "enum": pa.string(),
    "boolean": pa.bool_(),
    "int": pa.int64(),
    "long": pa.int64(),
    "timestamp": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "map": pa.map_(pa.string(), pa.string()),
}


@dataclass(frozen=True, slots=True)
class Decoded:
    """`batch` has a row for each datum that could be read; `rows` are their indexes among the datums, ascending."""

    batch: pa.RecordBatch
    rows: npt.NDArray[np.int64]
    malformed: dict[int, str]  # index among the datums -> why


class Decoder:
    """Decodes datums written with one contract. Columns have the fields' names; ints and times are int64."""

    def __init__(self, contract: TenantContract) -> None:
        self._fields = contract.fields
        self._reader_schema = contract.reader_schema()
        self._arrow = pa.schema([pa.field(one.name, _ARROW[one.kind]) for one in contract.fields])

    def decode(self, datums: list[bytes]) -> Decoded:
        """Never raises for what a datum holds."""
        malformed: dict[int, str] = {}
        batches = self._decode(datums, 0, malformed)
        batch = batches[0] if len(batches) == 1 else pa.concat_batches(batches)
        rows = np.arange(len(datums), dtype=np.int64)
        return Decoded(batch, np.delete(rows, list(malformed)) if malformed else rows, malformed)

    def _decode(self, datums: list[bytes], first: int, malformed: dict[int, str]) -> list[pa.RecordBatch]:
        """Batches of the good rows in order; puts the others into `malformed` under `first` + index."""
        batch = self._fast(datums)
        if batch is None:
            if len(datums) <= _SINGLE_ROWS:
                return [self._exact(datums, first, malformed)]
            step = -(-len(datums) // _PARTS)
            parts = range(0, len(datums), step)
            return [one for at in parts for one in self._decode(datums[at : at + step], first + at, malformed)]
        good = np.ones(len(datums), dtype=bool)
        for row in np.flatnonzero(self._doubtful(batch, datums)).tolist():
            try:
                exact.read(self._fields, datums[row])
            except exact.Malformed as error:
                malformed[first + row] = str(error)
                good[row] = False
        return [batch if good.all() else batch.filter(pa.array(good))]

    def _fast(self, datums: list[bytes]) -> pa.RecordBatch | None:
        try:
            batch = pyruhvro.deserialize_array(datums, self._reader_schema)
            batch.validate(full=True)  # UTF-8, which the decoder leaves unchecked
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic of the decoder is no Exception
            return None
        return pa.RecordBatch.from_arrays(_plain_maps(batch), schema=self._arrow)

    def _exact(self, datums: list[bytes], first: int, malformed: dict[int, str]) -> pa.RecordBatch:
        rows: list[dict[str, Any]] = []
        for index, datum in enumerate(datums):
            try:
                rows.append(exact.read(self._fields, datum))
            except exact.Malformed as error:
                malformed[first + index] = str(error)
        return pa.RecordBatch.from_pylist(rows, schema=self._arrow)

    def _doubtful(self, batch: pa.RecordBatch, datums: list[bytes]) -> npt.NDArray[np.bool_]:
        lengths = np.fromiter(map(len, datums), dtype=np.int64, count=len(datums))
        doubtful = encoded_lengths(self._fields, batch) != lengths
        for index, field in enumerate(self._fields):
            if field.kind == "int":
                doubtful |= _beyond_int32(batch.column(index))
            elif field.kind == "map":
                doubtful |= _repeats_key(batch.column(index))
        return doubtful


def _plain_maps(batch: pa.RecordBatch) -> list[pa.Array]:
    """The columns, maps with Arrow's usual names for their children."""
    return [
        pa.MapArray.from_arrays(column.offsets, column.keys, column.items) if pa.types.is_map(column.type) else column
        for column in batch.columns
    ]


def _beyond_int32(column: pa.Array) -> npt.NDArray[np.bool_]:
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray((values < -(2**31)) | (values >= 2**31))


def _repeats_key(column: pa.MapArray) -> npt.NDArray[np.bool_]:
    """Rows of a map whose keys are not all different."""
    repeats = np.zeros(len(column), dtype=bool)
    keys = column.keys.dictionary_encode()
    if len(keys) == 0:
        return repeats
    counts = np.diff(column.offsets.to_numpy())
    rows = np.repeat(np.arange(len(column), dtype=np.int64), counts)
    pairs = rows * len(keys.dictionary) + keys.indices.to_numpy()
    if pc.count_distinct(pa.array(pairs)).as_py() < len(pairs):
        ordered = np.sort(pairs)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        repeats[twice // len(keys.dictionary)] = True
    return repeats


def arrow_type(field: Field) -> pa.DataType:
    """The Arrow type of a field's decoded column."""
    return _ARROW[field.kind]
