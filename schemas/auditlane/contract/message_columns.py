"""Messages of one partition as columns: keys and values in few buffers, without an object for each."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable

import numpy as np

from auditlane.contract.byte_columns import ByteColumn


class Columns:
    """Messages of one partition: columns of equal length, ordered by offset. `size` is their total size in bytes.

    `signatures` are the provenance headers' values; if omitted, no message has one.
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
        """Remove the first `count` messages and return them."""
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
        """Return how many messages from the start fit within both limits; at least one, if there are any."""
        count = min(rows, len(self.offsets))
        if self.size <= size or count <= 1:
            return count
        totals = np.cumsum(self.keys.sizes() + self.values.sizes() + self.signatures.sizes())
        return max(1, min(count, int(np.searchsorted(totals, size, side="right"))))
