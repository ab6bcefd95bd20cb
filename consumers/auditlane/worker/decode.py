"""Avro datums of one schema into Arrow columns: fast for all, exact for the doubtful, no neighbour lost.

The fast decoder (pyruhvro) raises for a whole batch, and accepts bytes after the datum in silence. So each row's
canonical encoded length is computed from the columns and compared with the datum's: no encoding of the same values is
shorter, hence equality proves that the datum was read to its end. Rows that differ are read again, exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyruhvro
from pyarrow import DataType, RecordBatch, Schema

from auditlane.contract.structure import Field, TenantContract
from auditlane.contract.wire import HEADER_BYTES
from auditlane.worker import exact
from auditlane.worker.arrow import Column, pa, pc
from auditlane.worker.measure import encoded_lengths
from auditlane.worker.walk import suspects

Mask = npt.NDArray[np.bool_]
CHUNK_ROWS: Final = 4_096  # so many events fit a processor's cache on their way through the steps

_ARROW: Final[dict[str, DataType]] = {
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
    """`batch` has a row for each value that could be read; `rows` are their indexes among the values, ascending."""

    batch: RecordBatch
    rows: npt.NDArray[np.int64]
    malformed: dict[int, str]  # index among the values -> why


def arrow_type(field: Field) -> DataType:
    """The type of a field's decoded column: ints and times are int64, enums are text."""
    return _ARROW[field.kind]


class Decoder:
    """Decodes what was written with one contract. Columns have the fields' names and order."""

    def __init__(self, contract: TenantContract) -> None:
        self._fields = contract.fields
        self._reader_schema = contract.reader_schema()
        self._arrow = pa.schema([pa.field(one.name, arrow_type(one)) for one in contract.fields])
        self._maps = [index for index, one in enumerate(contract.fields) if one.kind == "map"]

    def decode(self, values: Sequence[bytes]) -> Decoded:
        """Never raises for what a value holds after its frame, which is not looked at."""
        malformed: dict[int, str] = {}
        batches = []
        for first in range(0, len(values), CHUNK_ROWS):
            datums = [value[HEADER_BYTES:] for value in values[first : first + CHUNK_ROWS]]
            batch, bad = self._chunk(datums)
            batches.append(batch)
            malformed |= {first + row: why for row, why in bad.items()}
        batch = batches[0] if len(batches) == 1 else concat(batches, self._arrow)
        rows = np.arange(len(values), dtype=np.int64)
        return Decoded(batch, np.delete(rows, list(malformed)) if malformed else rows, malformed)

    def _chunk(self, datums: list[bytes]) -> tuple[RecordBatch, dict[int, str]]:
        """(the good rows in order, the others by index with the reason)."""
        batch = self._fast(datums)
        if batch is not None:
            malformed = self._malformed(datums, self._doubtful(batch, datums))
            return (_without(batch, malformed) if malformed else batch), malformed
        malformed = self._malformed(datums, suspects(self._fields, datums))
        good = [index for index in range(len(datums)) if index not in malformed]
        if not malformed or not good:
            return self._exact(datums)
        batch, more = self._chunk([datums[index] for index in good])
        return batch, malformed | {good[index]: why for index, why in more.items()}

    def _fast(self, datums: list[bytes]) -> RecordBatch | None:
        try:
            batch = pyruhvro.deserialize_array(datums, self._reader_schema)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a panic of the decoder is no Exception
            return None
        decoded = batch.columns
        for index in self._maps:  # Arrow's usual names for a map's children
            column = decoded[index]
            decoded[index] = pa.MapArray.from_arrays(column.offsets, column.keys, column.items)
        named: RecordBatch = pa.RecordBatch.from_arrays(decoded, schema=self._arrow)
        return named

    def _doubtful(self, batch: RecordBatch, datums: list[bytes]) -> Mask:
        """Rows that the fast decoder may have read wrongly: of other length, or beyond what it looks at."""
        lengths = np.fromiter(map(len, datums), dtype=np.int64, count=len(datums))
        doubtful: Mask = encoded_lengths(self._fields, batch) != lengths
        for field, column in zip(self._fields, batch.columns, strict=True):
            if field.kind == "int":
                doubtful |= _beyond_int32(column)
            elif field.kind == "map":
                doubtful |= _repeats_key(column)
        try:
            batch.validate(full=True)
        except pa.ArrowInvalid:
            for column in batch.columns:
                doubtful |= _not_utf8(column)
        return doubtful

    def _malformed(self, datums: list[bytes], doubtful: Mask) -> dict[int, str]:
        malformed: dict[int, str] = {}
        for row in np.flatnonzero(doubtful).tolist():
            try:
                exact.read(self._fields, datums[row])
            except exact.Malformed as error:
                malformed[row] = str(error)
        return malformed

    def _exact(self, datums: list[bytes]) -> tuple[RecordBatch, dict[int, str]]:
        rows: list[dict[str, Any]] = []
        malformed: dict[int, str] = {}
        for index, datum in enumerate(datums):
            try:
                rows.append(exact.read(self._fields, datum))
            except exact.Malformed as error:
                malformed[index] = str(error)
        return pa.RecordBatch.from_pylist(rows, schema=self._arrow), malformed


def concat(batches: list[RecordBatch], schema: Schema) -> RecordBatch:
    """All batches as one."""
    columns = [pa.concat_arrays([batch.column(index) for batch in batches]) for index in range(len(schema))]
    whole: RecordBatch = pa.RecordBatch.from_arrays(columns, schema=schema)
    return whole


def _without(batch: RecordBatch, rows: Iterable[int]) -> RecordBatch:
    keep = np.ones(batch.num_rows, dtype=bool)
    keep[list(rows)] = False
    return batch.filter(pa.array(keep))


def _beyond_int32(column: Column) -> Mask:
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray((values < -(2**31)) | (values >= 2**31))


def _repeats_key(column: Column) -> Mask:
    """Rows of a map whose keys are not all different."""
    repeats = np.zeros(len(column), dtype=bool)
    counts = np.diff(column.offsets.to_numpy())
    if len(counts) == 0 or counts.max() < 2:
        return repeats
    keys = column.keys.cast(pa.binary()).dictionary_encode()  # not known to be UTF-8 yet
    rows = np.repeat(np.arange(len(column), dtype=np.int64), counts)
    pairs = rows * len(keys.dictionary) + keys.indices.to_numpy()
    if pc.count_distinct(pa.array(pairs)).as_py() < len(pairs):
        ordered = np.sort(pairs)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        repeats[twice // len(keys.dictionary)] = True
    return repeats


def _not_utf8(column: Column) -> Mask:
    """Rows that hold a text which is not UTF-8."""
    if pa.types.is_map(column.type):
        entries = np.flatnonzero(_not_utf8(column.keys) | _not_utf8(column.items))
        found = np.zeros(len(column), dtype=bool)
        found[np.searchsorted(column.offsets.to_numpy(), entries, side="right") - 1] = True
        return found
    if not pa.types.is_string(column.type):
        return np.zeros(len(column), dtype=bool)
    return np.array([_is_bad(text) for text in column.cast(pa.binary()).to_pylist()], dtype=bool)


def _is_bad(text: bytes | None) -> bool:
    try:
        str(text or b"", "utf-8")
    except UnicodeDecodeError:
        return True
    return False
