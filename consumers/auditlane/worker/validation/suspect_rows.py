"""Rows that the fast decoder may have read wrongly, found by column.

It accepts bytes after a datum in silence. So each row's canonical encoded length is computed from the columns and
compared with the datum's: no encoding of the same values is shorter, hence equality proves that the datum was read to
its end. Rows that differ, and what the decoder does not look at (UTF-8, a 32-bit range, a key twice), are to be read
again, exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.tenant_contract import Field, base_fields
from auditlane.contract.wire import HEADER_BYTES
from auditlane.runtime._pyarrow import Column, pa, pc
from auditlane.worker.validation.batch import ValidationBatch
from auditlane.worker.validation.decoder import DecodedBatch
from auditlane.worker.validation.encoded_size import Lengths, encoded_lengths

Mask = npt.NDArray[np.bool_]
_FEW: Final = 8  # keys of a map, to be compared pair by pair
_SLICE: Final = 1_024


def find(decoded: DecodedBatch, lengths: Lengths) -> Mask:
    """The rows in doubt; `lengths` are those of the datums, in bytes."""
    doubts = np.zeros(len(lengths), dtype=bool)
    base = list(base_fields().values())
    _look(doubts, base, decoded.base.columns)
    expected = encoded_lengths(base, decoded.base.columns, len(lengths))
    for group in decoded.groups:
        decoder, rows = group.decoder, group.span.stop - group.span.start
        if decoder.regular:
            expected[group.span] += encoded_lengths(decoder.own, group.own, rows)
        else:
            columns = [column for _, column in decoded.columns(group, decoder.fields)]
            expected[group.span] = encoded_lengths(decoder.fields, columns, rows)
        expected[group.span] += decoder.tags
        _look(doubts[group.span], decoder.own, group.own)
    doubts |= expected != lengths
    return doubts


def _look(doubts: Mask, fields: Sequence[Field], columns: Sequence[Column]) -> None:
    for field, column in zip(fields, columns, strict=True):
        if field.kind == "int":
            doubts |= _beyond_int32(column)
        elif field.kind == "map":
            doubts |= _repeats_key(column)
        for rows in _invalid(column):
            doubts[rows] |= _not_utf8(column[rows])


def _invalid(column: Column) -> Iterator[slice]:
    """Slices that hold a value which is not valid, usually none."""
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
    """Rows of a map whose keys are not all different."""
    repeats = np.zeros(len(column), dtype=bool)
    offsets = column.offsets.to_numpy()
    counts = np.diff(offsets)
    most = int(counts.max()) if len(counts) else 0
    if most < 2:
        return repeats
    keys = column.keys.cast(pa.binary()).dictionary_encode()  # not known to be UTF-8 yet
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
    """Rows that hold a text which is not UTF-8."""
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
    """Read again what the fast decoder may have read wrongly; refuses what is no datum."""
    doubts = find(decoded, batch.lengths[decoded.rows] - HEADER_BYTES)
    if not doubts.any():
        return decoded
    malformed: dict[int, str] = {}
    for group in decoded.groups:
        members = decoded.rows[group.span][doubts[group.span]]
        bad = group.decoder.malformed(batch.values.slices_after(members, HEADER_BYTES), range(len(members)))
        malformed |= {int(members[at]): why for at, why in bad.items()}
    batch.refuse_malformed(malformed)
    return decoded.only(~batch.refused[decoded.rows]) if malformed else decoded
