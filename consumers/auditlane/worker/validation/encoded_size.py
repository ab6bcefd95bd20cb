"""How long rows of Arrow columns are in Avro's canonical binary encoding, computed by column.

Canonical: shortest varints, a map in one block with a positive count. Every encoding of the same values is as long or
longer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from auditlane.contract.tenant_contract import Field
from auditlane.runtime._pyarrow import Column, pa, pc

Lengths = npt.NDArray[np.int64]
_WIDTH = {"boolean": 1, "float": 4, "double": 8}
ONE_BYTE = 64  # numbers below this take one byte


def encoded_lengths(fields: Sequence[Field], columns: Sequence[Column], rows: int) -> Lengths:
    """The length in bytes of each row's fields, columns in the fields' order, without the tags of unions."""
    total = np.zeros(rows, dtype=np.int64)
    texts = []
    for field, column in zip(fields, columns, strict=True):
        if column.null_count == rows:
            continue  # the branch of the union is all there is
        if field.kind == "string":
            texts.append(_offsets(column))
            if column.null_count:
                total -= ~_valid(column)  # a null has no length
            continue
        length = _column(field, column)
        total += np.where(_valid(column), length, 0) if column.null_count else length
    for offsets in texts:
        total += _texts(offsets)
    return total


def _column(field: Field, column: Column) -> Lengths | int:
    if field.kind == "map":
        return _maps(column)
    if field.kind == "enum":
        if len(field.symbols) <= ONE_BYTE:
            return 1
        column = pc.index_in(column, value_set=pa.array(field.symbols))
    elif field.kind in _WIDTH:
        return _WIDTH[field.kind]
    return varint_lengths(column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False))


def varint_lengths(numbers: npt.NDArray[np.int64]) -> Lengths | int:
    """The length of each number as a zigzag varint; one int where all are as long."""
    if len(numbers) == 0:
        return 0
    zigzag = (numbers.astype(np.uint64) << np.uint64(1)) ^ (numbers >> np.int64(63)).astype(np.uint64)
    shortest, longest = (max(1, -(-int(bound).bit_length() // 7)) for bound in (zigzag.min(), zigzag.max()))
    if shortest == longest:
        return longest
    lengths = np.full(len(numbers), shortest, dtype=np.int64)
    for size in range(shortest, longest):
        lengths += zigzag >= np.uint64(1 << 7 * size)
    return lengths


def _texts(offsets: npt.NDArray[np.int32]) -> Lengths:
    """The encoded length of each text, also of several columns' at once: offsets run along the last axis."""
    sizes = np.diff(offsets).astype(np.int64)
    longest = int(sizes.max()) if sizes.size else 0
    lengths = sizes + 1
    limit = ONE_BYTE
    while longest >= limit:
        lengths += sizes >= limit
        limit <<= 7
    return lengths


def _maps(column: Column) -> Lengths:
    offsets = column.offsets.to_numpy()
    counts = np.diff(offsets).astype(np.int64)
    entries = np.zeros(len(column.keys) + 1, dtype=np.int64)
    np.cumsum(_texts(_offsets(column.keys)) + _texts(_offsets(column.items)), out=entries[1:])
    # A count, then the entries, then the zero that ends the blocks; without entries the zero alone.
    return np.asarray(entries[offsets[1:]] - entries[offsets[:-1]] + np.where(counts, 1 + varint_lengths(counts), 1))


def _valid(column: Column) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _offsets(column: Column) -> npt.NDArray[np.int32]:
    buffer = column.buffers()[1]
    if buffer is None or len(column) == 0:
        return np.zeros(len(column) + 1, dtype=np.int32)
    return np.frombuffer(buffer, dtype=np.int32, count=len(column) + 1, offset=column.offset * 4)
