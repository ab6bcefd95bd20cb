"""Finds the time ranges in which the table stores each event only once, so that rows can be counted without `FINAL`.

All copies of an event have the same `occurred_at`, and a merge keeps one row of each event. So there are no copies
where the times of the table's parts do not overlap, and where the only part is the result of a merge. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part of the table `events`, with the first and last `occurred_at` of its rows in microseconds."""

    name: str
    first: int
    last: int

    @property
    def merged(self) -> bool:
        """Whether a merge wrote the part. Names are `<partition>_<first block>_<last block>_<level>[_<mutation>]`, and
        the part of an insert has level 0.
        """
        pieces = self.name.split("_")
        return len(pieces) > 3 and pieces[3].isdecimal() and int(pieces[3]) > 0


def without_copies(parts: Iterable[StoredPart], edges: Sequence[int]) -> list[bool]:
    """Return, for each bucket between two edges, whether all rows in it are different events."""
    shared: list[tuple[int, int]] = []  # inclusive time ranges in which an event may have copies
    covered: int | None = None
    for part in sorted(parts, key=lambda part: part.first):
        if not part.merged:
            shared.append((part.first, part.last))
        elif covered is not None and part.first <= covered:
            shared.append((part.first, min(part.last, covered)))
        covered = part.last if covered is None else max(covered, part.last)
    return [not any(first < end and start <= last for first, last in shared) for start, end in pairwise(edges)]
