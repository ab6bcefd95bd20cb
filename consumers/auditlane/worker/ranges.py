"""Messages of one partition as columns, and the sealed ranges that are cut from them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple


class Partition(NamedTuple):
    """A partition of a topic, by the topic's name."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.number}]"


@dataclass(slots=True)
class Columns:
    """Messages of one partition: lists of equal length, ordered by offset. `size` counts keys and values in bytes."""

    offsets: list[int] = field(default_factory=list)
    timestamps_ms: list[int] = field(default_factory=list)
    keys: list[bytes | None] = field(default_factory=list)
    values: list[bytes | None] = field(default_factory=list)
    size: int = -1

    def __post_init__(self) -> None:
        if self.size < 0:
            self.size = sum(_sizes(self.keys)) + sum(_sizes(self.values))

    def __len__(self) -> int:
        return len(self.offsets)

    def extend(self, more: Columns) -> None:
        """Append what follows."""
        self.offsets += more.offsets
        self.timestamps_ms += more.timestamps_ms
        self.keys += more.keys
        self.values += more.values
        self.size += more.size

    def before(self, offset: int) -> int:
        """How many messages lie below this offset."""
        return bisect_left(self.offsets, offset)

    def through(self, offset: int) -> int:
        """How many messages lie at or below this offset."""
        return bisect_right(self.offsets, offset)

    def take(self, count: int) -> Columns:
        """Remove the first `count` messages and return them."""
        if count >= len(self.offsets):
            head = Columns(self.offsets, self.timestamps_ms, self.keys, self.values, self.size)
            self.offsets, self.timestamps_ms, self.keys, self.values, self.size = [], [], [], [], 0
            return head
        head = Columns(self.offsets[:count], self.timestamps_ms[:count], self.keys[:count], self.values[:count])
        del self.offsets[:count], self.timestamps_ms[:count], self.keys[:count], self.values[:count]
        self.size -= head.size
        return head

    def fitting(self, rows: int, size: int) -> int:
        """How many of the first messages stay within both limits; at least one when there is one."""
        count = min(rows, len(self.offsets))
        if self.size <= size or count <= 1:
            return count
        totals = list(accumulate(a + b for a, b in zip(_sizes(self.keys), _sizes(self.values), strict=True)))
        return max(1, min(count, bisect_right(totals, size)))


def _sizes(blobs: Sequence[bytes | None]) -> list[int]:
    try:
        return list(map(len, blobs))  # type: ignore[arg-type]  # the rule; a None is the exception
    except TypeError:
        return [0 if blob is None else len(blob) for blob in blobs]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Range:
    """One sealed, contiguous range of a partition: what one intent names and one insert a month writes.

    `first` and `last` are offsets, both included; Kafka's own control records make gaps within. `lease` is the
    assignment it was sealed under: a result that comes back under another lease is nobody's. `redo` says that
    parts of it may be stored already: it was rebuilt from an intent, or lies where the offset was set back or lost.
    """

    partition: Partition
    topic_id: str
    first: int
    last: int
    columns: Columns
    digest: str
    lease: int
    redo: bool = False

    def __str__(self) -> str:
        return f"{self.partition}:{self.first}-{self.last}"
