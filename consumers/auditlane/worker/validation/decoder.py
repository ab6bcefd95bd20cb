"""Decodes a batch of Avro datums into Arrow columns. A fast decoder decodes all of them, and the suspicious ones are
then decoded strictly.

`read` decodes the messages of one schema. `DecodedBatch` joins the messages of all schemas, since an operation on a
column costs the same few microseconds for ten rows as for thousands.

The fast decoder (pyruhvro) rejects batches as a whole, and silently accepts some bytes that are not a datum.
`avro_binary.find_malformed` finds the suspicious datums in a rejected batch, and `without_malformed` those in an
accepted batch: datums longer than their values need, and values that the fast decoder does not check (UTF-8, the 32-bit
range, duplicate map keys). `avro_binary.read` then decides on each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyruhvro
from pyarrow import DataType, RecordBatch

from auditlane.contract.avro import base_schema
from auditlane.contract.tenant_contract import Field, TenantContract, base_fields
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime._pyarrow import Column, pa, pc
from auditlane.worker.validation import avro_binary
from auditlane.worker.validation.avro_binary import ONE_BYTE, Lengths, encoded_lengths, find_malformed
from auditlane.worker.validation.batch import Indexes, ValidationBatch
from auditlane.worker.validation.checks import Mask

CHUNK_ROWS: Final = 4_096  # number of rows that fit in the CPU cache during decoding

_FEW: Final = 8  # maps with at most this many keys are compared pair by pair
_SLICE: Final = 1_024

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


def arrow_type(field: Field) -> DataType:
    """Return the Arrow type of the decoded column of a field. Ints and times are int64, and enums are strings."""
    return _ARROW[field.kind]


class Decoder:
    """Decodes the datums of one contract into columns, in the order of its fields."""

    def __init__(self, contract: TenantContract) -> None:
        self.fields = contract.fields
        self.at = {one.name: index for index, one in enumerate(contract.fields)}
        self.own = contract.own
        self.own_at = [self.at[one.name] for one in self.own]
        self.ruled = tuple(one for one in contract.fields if one.rules or (one.kind == "timestamp" and one in self.own))
        self.tags = sum(one.union for one in contract.fields)  # number of bytes for tags: each union starts with one
        # Whether the base event's fields have the same encoded length as in the base schema.
        self.regular = all(
            field.name in self.at and len(self.fields[self.at[field.name]].symbols) <= ONE_BYTE
            for field in base_fields().values()
        )
        self._reader_schema = contract.reader_schema()
        self.size = len(self._reader_schema)  # length in characters
        self._maps = [index for index, one in enumerate(contract.fields) if one.kind == "map"]

    def read(self, datums: list[bytes]) -> tuple[list[Column], dict[int, str]]:
        """Return the valid datums as columns, in order, and the reason for each malformed datum, by index.

        An invalid datum never raises an error.
        """
        columns = self._fast(datums)
        if columns is not None:
            return columns, {}
        malformed = self.malformed(datums, np.flatnonzero(find_malformed(self.fields, datums)).tolist())
        valid = [index for index in range(len(datums)) if index not in malformed]
        if not malformed or not valid:
            return self._strict(datums)
        columns, more = self.read([datums[index] for index in valid])
        return columns, malformed | {valid[index]: why for index, why in more.items()}

    def malformed(self, datums: Sequence[bytes], indexes: Sequence[int]) -> dict[int, str]:
        """Decode the datums at `indexes` strictly. Returns the reason for each malformed one, by index."""
        malformed: dict[int, str] = {}
        for index in indexes:
            try:
                avro_binary.read(self.fields, datums[index])
            except avro_binary.Malformed as error:
                malformed[index] = str(error)
        return malformed

    def _fast(self, datums: list[bytes]) -> list[Column] | None:
        try:
            columns: list[Column] = pyruhvro.deserialize_array(datums, self._reader_schema).columns
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:  # a Rust panic derives from it; the strict decoder then finds its cause
            return None
        for index in self._maps:  # with Arrow's usual names for a map's children
            pairs = columns[index]
            columns[index] = pa.MapArray.from_arrays(pairs.offsets, pairs.keys, pairs.items)
        return columns

    def _strict(self, datums: list[bytes]) -> tuple[list[Column], dict[int, str]]:
        rows: list[dict[str, Any]] = []
        malformed: dict[int, str] = {}
        for index, datum in enumerate(datums):
            try:
                rows.append(avro_binary.read(self.fields, datum))
            except avro_binary.Malformed as error:
                malformed[index] = str(error)
        return [pa.array([row[one.name] for row in rows], arrow_type(one)) for one in self.fields], malformed


BASE: Final = pa.schema([pa.field(one.name, arrow_type(one)) for one in base_fields().values()])
_DEFAULTS: Final = {one["name"]: one.get("default") for one in base_schema()["fields"]}


@dataclass(frozen=True, slots=True)
class DecodedGroup:
    """The decoded rows of one schema, in chunks of columns in the order of its fields. `members` contains the indexes
    of the rows.
    """

    schema_id: int
    decoder: Decoder
    members: Indexes
    chunks: Sequence[Sequence[Column]]

    def base(self, name: str) -> list[Column]:
        """Return a base field in chunks. If the contract does not have the field, its default is used."""
        at = self.decoder.at.get(name)
        if at is not None:
            return [chunk[at] for chunk in self.chunks]
        default = [] if _DEFAULTS[name] == {} else _DEFAULTS[name]
        return [pa.array([default] * len(self.members), BASE.field(name).type)]


@dataclass(frozen=True, slots=True)
class SchemaSlice:
    """The rows of one schema in a `DecodedBatch`. `own` contains the columns of the tenant's custom fields."""

    schema_id: int
    decoder: Decoder
    span: slice  # the rows' positions in the batch
    own: list[Column]


@dataclass(frozen=True, slots=True)
class DecodedBatch:
    """Decoded rows, schema by schema. `base` contains their values in the columns of `BASE`, and `rows` their indexes
    in the range.
    """

    base: RecordBatch
    rows: Indexes
    groups: tuple[SchemaSlice, ...]

    @classmethod
    def of(cls, reads: Sequence[DecodedGroup]) -> DecodedBatch:
        """Join the rows of all schemas."""
        if not reads:
            return cls(pa.RecordBatch.from_pylist([], schema=BASE), np.zeros(0, dtype=np.int64), ())
        columns = [pa.concat_arrays([chunk for one in reads for chunk in one.base(name)]) for name in BASE.names]
        groups, first = [], 0
        for group in reads:
            own = [pa.concat_arrays([chunk[at] for chunk in group.chunks]) for at in group.decoder.own_at]
            span = slice(first, first := first + len(group.members))
            groups.append(SchemaSlice(group.schema_id, group.decoder, span, own))
        return cls(
            pa.RecordBatch.from_arrays(columns, schema=BASE),
            np.concatenate([one.members for one in reads]),
            tuple(groups),
        )

    def columns(self, group: SchemaSlice, wanted: Sequence[Field]) -> Iterator[tuple[Field, Column]]:
        """Yield the wanted fields of a contract together with their columns."""
        own = dict(zip((one.name for one in group.decoder.own), group.own, strict=True))
        for field in wanted:
            yield field, own[field.name] if field.name in own else self.base.column(field.name)[group.span]

    def only(self, keep: Mask) -> DecodedBatch:
        """Return the batch with only the rows marked in `keep`."""
        groups, first = [], 0
        for group in self.groups:
            kept = keep[group.span]
            own = [column.filter(pa.array(kept)) for column in group.own]
            span = slice(first, first := first + int(kept.sum()))
            groups.append(SchemaSlice(group.schema_id, group.decoder, span, own))
        return DecodedBatch(self.base.filter(pa.array(keep)), self.rows[keep], tuple(groups))


def read(batch: ValidationBatch, schema_id: int, decoder: Decoder, members: Indexes) -> DecodedGroup:
    """Decode the messages at `members`. Messages that are not datums of their schema are rejected."""
    chunks: list[list[Column]] = []
    malformed: dict[int, str] = {}
    for first in range(0, len(members), CHUNK_ROWS):
        chunk = members[first : first + CHUNK_ROWS]
        decoded, bad = decoder.read(batch.values.slices_after(chunk, HEADER_BYTES))
        chunks.append(decoded)
        malformed |= {int(chunk[at]): why for at, why in bad.items()}
    batch.refuse_malformed(malformed)
    return DecodedGroup(schema_id, decoder, members[~batch.refused[members]] if malformed else members, chunks)


def _suspects(decoded: DecodedBatch, lengths: Lengths) -> Mask:
    """Return a mask of rows that the fast decoder may have misread. `lengths` are the sizes of the datums in bytes."""
    doubts = np.zeros(len(lengths), dtype=bool)
    base = list(base_fields().values())
    _mark(doubts, base, decoded.base.columns)
    expected = encoded_lengths(base, decoded.base.columns, len(lengths))
    for group in decoded.groups:
        decoder, rows = group.decoder, group.span.stop - group.span.start
        if decoder.regular:
            expected[group.span] += encoded_lengths(decoder.own, group.own, rows)
        else:
            columns = [column for _, column in decoded.columns(group, decoder.fields)]
            expected[group.span] = encoded_lengths(decoder.fields, columns, rows)
        expected[group.span] += decoder.tags
        _mark(doubts[group.span], decoder.own, group.own)
    doubts |= expected != lengths
    return doubts


def _mark(doubts: Mask, fields: Sequence[Field], columns: Sequence[Column]) -> None:
    for field, column in zip(fields, columns, strict=True):
        if field.kind == "int":
            doubts |= _beyond_int32(column)
        elif field.kind == "map":
            doubts |= _repeats_key(column)
        for rows in _invalid(column):
            doubts[rows] |= _not_utf8(column[rows])


def _invalid(column: Column) -> Iterator[slice]:
    """Yield the slices that contain an invalid value. Usually, there are none."""
    if _valid(column):
        return
    for first in range(0, len(column), _SLICE):
        if not _valid(column[first : first + _SLICE]):
            yield slice(first, first + _SLICE)


def _valid(column: Column) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _beyond_int32(column: Column) -> Mask:
    values = column.fill_null(0).to_numpy(zero_copy_only=False)
    return np.asarray((values < -(2**31)) | (values >= 2**31))


def _repeats_key(column: Column) -> Mask:
    """Return a mask of rows whose map contains a key more than once."""
    repeats = np.zeros(len(column), dtype=bool)
    offsets = column.offsets.to_numpy()
    counts = np.diff(offsets)
    most = int(counts.max()) if len(counts) else 0
    if most < 2:
        return repeats
    keys = column.keys.cast(pa.binary()).dictionary_encode()  # may not be UTF-8
    codes = keys.indices.to_numpy()
    rows = np.repeat(np.arange(len(column), dtype=np.int32), counts)
    if most <= _FEW:
        for apart in range(1, most):
            alike = (codes[apart:] == codes[:-apart]) & (rows[apart:] == rows[:-apart])
            repeats[rows[apart:][alike]] = True
        return repeats
    pairs = rows.astype(np.int64) * len(keys.dictionary) + codes
    if pc.count_distinct(pa.array(pairs)).as_py() < len(pairs):
        ordered = np.sort(pairs)
        twice = ordered[1:][ordered[1:] == ordered[:-1]]
        repeats[twice // len(keys.dictionary)] = True
    return repeats


def _not_utf8(column: Column) -> Mask:
    """Return a mask of rows with a string that is not valid UTF-8."""
    if pa.types.is_map(column.type):
        return np.array([any(map(_is_bad, _texts(one))) for one in column.cast(_BYTES).to_pylist()], dtype=bool)
    if not pa.types.is_string(column.type):
        return np.zeros(len(column), dtype=bool)
    return np.array([_is_bad(text) for text in column.cast(pa.binary()).to_pylist()], dtype=bool)


_BYTES: Final = pa.map_(pa.binary(), pa.binary())


def _texts(pairs: list[tuple[bytes, bytes]] | None) -> Iterator[bytes]:
    for pair in pairs or ():
        yield from pair


def _is_bad(text: bytes | None) -> bool:
    try:
        str(text or b"", "utf-8")
    except UnicodeDecodeError:
        return True
    return False


def without_malformed(batch: ValidationBatch, decoded: DecodedBatch) -> DecodedBatch:
    """Strictly decode the rows that the fast decoder may have misread. Rows that are not valid datums are rejected."""
    doubts = _suspects(decoded, batch.lengths[decoded.rows] - HEADER_BYTES)
    if not doubts.any():
        return decoded
    malformed: dict[int, str] = {}
    for group in decoded.groups:
        members = decoded.rows[group.span][doubts[group.span]]
        bad = group.decoder.malformed(batch.values.slices_after(members, HEADER_BYTES), range(len(members)))
        malformed |= {int(members[at]): why for at, why in bad.items()}
    batch.refuse_malformed(malformed)
    return decoded.only(~batch.refused[decoded.rows]) if malformed else decoded
