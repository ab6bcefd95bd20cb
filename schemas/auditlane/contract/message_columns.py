"""Messages of one partition as columns. Keys and values are stored in a few buffers instead of one object each.

With objects, every step would have to visit fifty thousand of them one by one. A buffer is scanned in one pass.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]


class _Places(NamedTuple):
    """The position of each blob: its part, its start and end in that part, and whether it is None."""

    part: Numbers
    begin: Numbers
    end: Numbers
    none: npt.NDArray[np.bool_]


class ByteColumn(Sequence[bytes | None]):
    """A sequence of blobs, stored in parts. For each part, `data` contains the concatenated blobs, and `lengths`
    contains their lengths, with -1 for None.
    """

    __slots__ = ("_count", "_places", "data", "lengths", "size")

    def __init__(self) -> None:
        self.data: list[bytes] = []
        self.lengths: list[array[int]] = []
        self._count = 0
        self.size = 0
        self._places: _Places | None = None

    @classmethod
    def of(cls, blobs: Iterable[bytes | None]) -> ByteColumn:
        """Build a column from `blobs`, or return `blobs` if it is already a column."""
        if isinstance(blobs, cls):
            return blobs
        column = cls()
        given: Sequence[Any] = blobs if isinstance(blobs, (list, tuple)) else list(blobs)
        if given:
            try:
                column._append(b"".join(given), array("q", list(map(len, given))))
            except TypeError:  # rare: some values are None
                column._append(
                    b"".join([blob for blob in given if blob is not None]),
                    array("q", [-1 if blob is None else len(blob) for blob in given]),
                )
        return column

    @classmethod
    def none(cls, count: int) -> ByteColumn:
        """Build a column of `count` None values."""
        column = cls()
        if count:
            column._append(b"", array("q", [-1]) * count)
        return column

    def _append(self, data: bytes, lengths: array[int]) -> None:
        self.data.append(data)
        self.lengths.append(lengths)
        self._count += len(lengths)
        self.size += len(data)
        self._places = None

    def extend(self, more: ByteColumn) -> None:
        """Append another column. Its buffers are shared, not copied."""
        self.data += more.data
        self.lengths += more.lengths
        self._count += more._count
        self.size += more.size
        self._places = None

    def take(self, count: int) -> ByteColumn:
        """Remove and return the first `count` blobs."""
        head = ByteColumn()
        whole = 0  # index of the current part
        while whole < len(self.data) and head._count + len(self.lengths[whole]) <= count:
            head._append(self.data[whole], self.lengths[whole])
            whole += 1
        rest = ByteColumn()
        if whole < len(self.data) and head._count < count:
            data, lengths, cut = self.data[whole], self.lengths[whole], count - head._count
            at = sum(length for length in lengths[:cut] if length > 0)
            head._append(data[:at], lengths[:cut])
            rest._append(data[at:], lengths[cut:])
            whole += 1
        for data, lengths in zip(self.data[whole:], self.lengths[whole:], strict=True):
            rest._append(data, lengths)
        self.data = rest.data
        self.lengths = rest.lengths
        self._count = rest._count
        self.size = rest.size
        self._places = None
        return head

    def sizes(self) -> Numbers:
        """Return the length of each blob, with 0 for None."""
        return np.maximum(self._signed(), 0)

    def missing(self) -> npt.NDArray[np.bool_]:
        """Return a mask of the blobs that are None."""
        return np.asarray(self._signed() < 0)

    def slices_after(self, which: Numbers, skip: int) -> list[bytes]:
        """Return the blobs at the indices `which`, each without its first `skip` bytes. A blob that is None yields
        b"".
        """
        part, begin, end, _ = self._where()
        data, parts = self.data, part[which]
        starts, ends = (begin[which] + skip).tolist(), end[which].tolist()
        if len(parts) and (parts == parts[0]).all():
            whole = data[int(parts[0])]
            return [whole[a:b] for a, b in zip(starts, ends, strict=True)]
        return [data[at][a:b] for at, a, b in zip(parts.tolist(), starts, ends, strict=True)]

    def prefixes(self, width: int) -> npt.NDArray[np.uint8]:
        """Return the first `width` bytes of each blob, one row per blob. The row of a shorter blob is undefined."""
        rows = []
        for data, lengths in zip(self.data, self.lengths, strict=True):
            sizes = np.maximum(np.asarray(lengths), 0)
            starts = np.cumsum(sizes) - sizes
            read = np.frombuffer(data or b"\0", dtype=np.uint8)
            rows.append(read[np.minimum(starts[:, None] + np.arange(width), len(read) - 1)])
        return np.concatenate(rows) if rows else np.zeros((0, width), dtype=np.uint8)

    def _signed(self) -> Numbers:
        return np.concatenate([np.asarray(part) for part in self.lengths]) if self.lengths else np.zeros(0, np.int64)

    def _where(self) -> _Places:
        if self._places is None:
            sizes = self.sizes()
            counts = [len(lengths) for lengths in self.lengths]
            part = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
            ends = np.cumsum(sizes)
            before = np.cumsum([0, *map(len, self.data)])[part]  # total size of the earlier parts in bytes
            self._places = _Places(part, ends - sizes - before, ends - before, self.missing())
        return self._places

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(*index.indices(self._count))]
        if not -self._count <= index < self._count:
            raise IndexError(index)
        part, begin, end, none = self._where()
        at, index = int(part[index]), index % self._count
        if none[index]:
            return None
        return self.data[at][begin[index] : end[index]]

    def __iter__(self) -> Iterator[bytes | None]:
        for data, lengths in zip(self.data, self.lengths, strict=True):
            at = 0
            for length in lengths:
                yield None if length < 0 else data[at : (at := at + length)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]


class Columns:
    """Messages of one partition as columns of equal length, ordered by offset. `size` is their total size in bytes.

    `signatures` contains the values of the provenance headers. If omitted, no message has such a header.
    """

    __slots__ = ("keys", "offsets", "signatures", "timestamps_ms", "values")

    def __init__(
        self,
        offsets: Iterable[int] = (),
        timestamps_ms: Iterable[int] = (),
        keys: Iterable[bytes | None] = (),
        values: Iterable[bytes | None] = (),
        signatures: Iterable[bytes | None] | None = None,
    ) -> None:
        self.offsets: array[int] = offsets if isinstance(offsets, array) else array("q", offsets)
        self.timestamps_ms: array[int] = (
            timestamps_ms if isinstance(timestamps_ms, array) else array("q", timestamps_ms)
        )
        self.keys = ByteColumn.of(keys)
        self.values = ByteColumn.of(values)
        self.signatures = ByteColumn.none(len(self.offsets)) if signatures is None else ByteColumn.of(signatures)

    @property
    def size(self) -> int:
        return self.keys.size + self.values.size + self.signatures.size

    def __len__(self) -> int:
        return len(self.offsets)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Columns) and all(getattr(self, it) == getattr(other, it) for it in Columns.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def extend(self, more: Columns) -> None:
        """Append later messages of the same partition."""
        self.offsets += more.offsets
        self.timestamps_ms += more.timestamps_ms
        self.keys.extend(more.keys)
        self.values.extend(more.values)
        self.signatures.extend(more.signatures)

    def before(self, offset: int) -> int:
        """Return the number of messages below this offset."""
        return bisect_left(self.offsets, offset)

    def through(self, offset: int) -> int:
        """Return the number of messages at or below this offset."""
        return bisect_right(self.offsets, offset)

    def take(self, count: int) -> Columns:
        """Remove and return the first `count` messages."""
        head = Columns(
            self.offsets[:count],
            self.timestamps_ms[:count],
            self.keys.take(count),
            self.values.take(count),
            self.signatures.take(count),
        )
        self.offsets = self.offsets[count:]
        self.timestamps_ms = self.timestamps_ms[count:]
        return head

    def fitting(self, rows: int, size: int) -> int:
        """Return how many messages from the start fit within both limits, but at least one if there are any."""
        count = min(rows, len(self.offsets))
        if self.size <= size or count <= 1:
            return count
        totals = np.cumsum(self.keys.sizes() + self.values.sizes() + self.signatures.sizes())
        return max(1, min(count, int(np.searchsorted(totals, size, side="right"))))
