"""Reads Avro's binary encoding where the fast decoder does not check it.

`read` decodes one datum strictly. Since it is slow, two functions that process many datums together select the few that
it has to read. `find_malformed` walks over the lengths and tags of the datums, and `encoded_lengths` computes the
lengths of datums from decoded columns.

It is strict where general readers are lenient: indexes must be in range, booleans 0 or 1, and text UTF-8, and duplicate
map keys and trailing bytes are rejected. Source: "Binary encoding" in the Avro 1.12 specification.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.tenant_contract import Field
from auditlane.runtime._pyarrow import Column, pa, pc

_FLOAT: Final = struct.Struct("<f")
_DOUBLE: Final = struct.Struct("<d")
_VARINT_BYTES: Final = 10
_WIDTH: Final = {"boolean": 1, "float": 4, "double": 8}
Rows = npt.NDArray[np.int64]
_MOST_ENTRIES: Final = 256  # larger maps count as malformed, because each entry costs a pass over the rows
Lengths = npt.NDArray[np.int64]
ONE_BYTE: Final = 64  # numbers below this are encoded in one byte


class Malformed(ValueError):
    """The bytes are not a datum of their schema. The message states the position and the reason."""


def read(fields: Iterable[Field], datum: bytes) -> dict[str, Any]:
    """Decode a datum into values by field name. Raises Malformed.

    Enums become symbols, times become microseconds since 1970, and maps become lists of pairs.
    """
    values, problem = read_partly(fields, datum)
    if problem:
        raise Malformed(problem)
    return values


def read_partly(fields: Iterable[Field], datum: bytes) -> tuple[dict[str, Any], str]:
    """Return the values before the first malformed field, and the problem with that field, or "" if every field is
    valid.
    """
    reader = _Reader(datum)
    values: dict[str, Any] = {}
    for field in fields:
        try:
            values[field.name] = reader.value(field)
        except Malformed as error:
            return values, f"{field.name}: {error}."
    left = len(datum) - reader.at
    return values, f"{left} bytes remain after the last field." if left else ""


class _Reader:
    def __init__(self, datum: bytes) -> None:
        self.datum = datum
        self.at = 0

    def value(self, field: Field) -> Any:
        if field.union:
            branch = self.long()
            if not 0 <= branch < 1 + field.nullable:
                raise Malformed(f"there is no branch {branch} in the union")
            if branch == field.null_at:
                return None
        return self.plain(field)

    def plain(self, field: Field) -> Any:
        match field.kind:
            case "string":
                return self.text()
            case "long" | "timestamp":
                return self.long()
            case "int":
                value = self.long()
                if not -(2**31) <= value < 2**31:
                    raise Malformed(f"{value} is not a 32-bit integer")
                return value
            case "float":
                return _FLOAT.unpack(self.take(_FLOAT.size))[0]
            case "double":
                return _DOUBLE.unpack(self.take(_DOUBLE.size))[0]
            case "boolean":
                value = self.take(1)[0]
                if value > 1:
                    raise Malformed(f"{value} is neither true nor false")
                return value == 1
            case "enum":
                index = self.long()
                if not 0 <= index < len(field.symbols):
                    raise Malformed(f"there is no symbol {index} in the enum")
                return field.symbols[index]
            case _:
                return self.pairs()

    def take(self, count: int) -> bytes:
        taken = self.datum[self.at : self.at + count]
        if len(taken) < count:
            raise Malformed(f"the datum ends {count - len(taken)} bytes early")
        self.at += count
        return taken

    def long(self) -> int:
        number = 0
        for index in range(_VARINT_BYTES):
            byte = self.take(1)[0]
            number |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                number &= 0xFFFF_FFFF_FFFF_FFFF
                return (number >> 1) ^ -(number & 1)
        raise Malformed("a number has more than ten bytes")

    def text(self) -> str:
        length = self.long()
        if length < 0:
            raise Malformed("a text has a negative length")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError:
            raise Malformed("a text is not UTF-8") from None

    def pairs(self) -> list[tuple[str, str]]:
        pairs: dict[str, str] = {}
        while count := self.long():
            if count < 0:  # the block's size in bytes follows, for readers that skip the block
                self.long()
            for _ in range(abs(count)):
                key = self.text()
                if key in pairs:
                    raise Malformed(f"the key {key[:100]!r} occurs twice")
                pairs[key] = self.text()
        return list(pairs.items())


def find_malformed(fields: Sequence[Field], datums: Sequence[bytes]) -> npt.NDArray[np.bool_]:
    """Return a mask of datums that are too short or too long, or that have a tag not found in their schema.

    The mask only suggests which datums to read strictly. It may miss a bad datum or mark a good one.
    """
    walk = _Walk(datums)
    for field in fields:
        rows = walk.going()
        if field.union:
            branch = walk.longs(rows)
            walk.stop(rows[(branch < 0) | (branch > field.nullable)])
            null = branch == field.null_at if field.nullable else np.zeros(len(rows), dtype=bool)
            rows = walk.still(rows[~null])
        walk.plain(field, rows)
    walk.bad |= walk.at != walk.end
    return walk.bad


class _Walk:
    """Walks through all datums in parallel, joined in one buffer. `at` is the position in each datum. Rows marked `bad`
    no longer advance.
    """

    def __init__(self, datums: Sequence[bytes]) -> None:
        lengths = np.fromiter(map(len, datums), dtype=np.int64, count=len(datums))
        self.bytes = np.frombuffer(b"".join(datums) + b"\0", dtype=np.uint8)
        self.end = np.cumsum(lengths)
        self.at = self.end - lengths
        self.bad = np.zeros(len(datums), dtype=bool)

    def going(self) -> Rows:
        return np.flatnonzero(~self.bad)

    def still(self, rows: Rows) -> Rows:
        return rows[~self.bad[rows]]

    def stop(self, rows: Rows) -> None:
        self.bad[rows] = True

    def longs(self, rows: Rows) -> Rows:
        """Read a varint in each row. A row without a valid varint is marked as bad and yields 0."""
        numbers = np.zeros(len(rows), dtype=np.uint64)
        more = np.arange(len(rows))
        for shift in range(0, 70, 7):
            here = rows[more]
            self.stop(here[self.at[here] >= self.end[here]])
            byte = self.bytes[np.minimum(self.at[here], len(self.bytes) - 1)]
            self.at[here] += 1
            numbers[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
            more = more[(byte >= 0x80) & ~self.bad[here]]
            if len(more) == 0:
                break
        self.stop(rows[more])
        numbers[self.bad[rows]] = 0
        return (numbers >> np.uint64(1)).astype(np.int64) ^ -(numbers & np.uint64(1)).astype(np.int64)

    def skip(self, rows: Rows, counts: Rows | int) -> None:
        over = (counts < 0) | (counts > self.end[rows] - self.at[rows])
        self.stop(rows[over])
        self.at[rows] += np.where(over, 0, counts)

    def text(self, rows: Rows) -> None:
        self.skip(rows, self.longs(rows))

    def plain(self, field: Field, rows: Rows) -> None:
        if field.kind in _WIDTH:
            if field.kind == "boolean":
                self.stop(rows[self.bytes[np.minimum(self.at[rows], len(self.bytes) - 1)] > 1])
            self.skip(rows, _WIDTH[field.kind])
        elif field.kind == "string":
            self.text(rows)
        elif field.kind == "map":
            self.pairs(rows)
        else:
            numbers = self.longs(rows)
            if field.kind == "enum":
                self.stop(rows[(numbers < 0) | (numbers >= len(field.symbols))])

    def pairs(self, rows: Rows) -> None:
        for _ in range(_MOST_ENTRIES):  # blocks
            counts = self.longs(rows)
            rows, counts = rows[counts != 0], counts[counts != 0]
            self.longs(rows[counts < 0])  # the block's size in bytes
            left = np.abs(counts)
            self.stop(rows[left > _MOST_ENTRIES])
            while len(entries := self.still(rows[left > 0])):
                self.text(entries)
                self.text(self.still(entries))
                left -= 1
            rows = self.still(rows)
            if len(rows) == 0:
                return
        self.stop(rows)


def encoded_lengths(fields: Sequence[Field], columns: Sequence[Column], rows: int) -> Lengths:
    """Return the length in bytes of the fields of each row in canonical encoding, without the tags of unions.

    `columns` are in the order of `fields`. The canonical encoding is the shortest one, with minimal varints, and each
    map in one block with a positive count. A datum of this length has therefore been read to its end.
    """
    total = np.zeros(rows, dtype=np.int64)
    texts = []
    for field, column in zip(fields, columns, strict=True):
        if column.null_count == rows:
            continue  # only the union's tag is encoded
        if field.kind == "string":
            texts.append(_offsets(column))
            if column.null_count:
                total -= ~_is_set(column)  # a null value takes no bytes
            continue
        length = _column_lengths(field, column)
        total += np.where(_is_set(column), length, 0) if column.null_count else length
    for offsets in texts:
        total += _text_lengths(offsets)
    return total


def _column_lengths(field: Field, column: Column) -> Lengths | int:
    if field.kind == "map":
        return _map_lengths(column)
    if field.kind == "enum":
        if len(field.symbols) <= ONE_BYTE:
            return 1
        column = pc.index_in(column, value_set=pa.array(field.symbols))
    elif field.kind in _WIDTH:
        return _WIDTH[field.kind]
    return varint_lengths(column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64, copy=False))


def varint_lengths(numbers: npt.NDArray[np.int64]) -> Lengths | int:
    """Return the length of each number as a zigzag varint, or a single int if all lengths are equal."""
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


def _text_lengths(offsets: npt.NDArray[np.int32]) -> Lengths:
    """Return the encoded length of each string. Offsets run along the last axis, so one call can handle several
    columns.
    """
    sizes = np.diff(offsets).astype(np.int64)
    longest = int(sizes.max()) if sizes.size else 0
    lengths = sizes + 1
    limit = ONE_BYTE
    while longest >= limit:
        lengths += sizes >= limit
        limit <<= 7
    return lengths


def _map_lengths(column: Column) -> Lengths:
    offsets = column.offsets.to_numpy()
    counts = np.diff(offsets).astype(np.int64)
    entries = np.zeros(len(column.keys) + 1, dtype=np.int64)
    np.cumsum(_text_lengths(_offsets(column.keys)) + _text_lengths(_offsets(column.items)), out=entries[1:])
    # A map is a count, the entries, and the zero that ends the blocks; an empty map is only the zero.
    return np.asarray(entries[offsets[1:]] - entries[offsets[:-1]] + np.where(counts, 1 + varint_lengths(counts), 1))


def _is_set(column: Column) -> npt.NDArray[np.bool_]:
    return np.asarray(column.is_valid().to_numpy(zero_copy_only=False), dtype=bool)


def _offsets(column: Column) -> npt.NDArray[np.int32]:
    buffer = column.buffers()[1]
    if buffer is None or len(column) == 0:
        return np.zeros(len(column) + 1, dtype=np.int32)
    return np.frombuffer(buffer, dtype=np.int32, count=len(column) + 1, offset=column.offset * 4)
