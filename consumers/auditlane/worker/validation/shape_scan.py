"""Find the datums that do not have their schema's shape, all rows of a batch at once.

The fast decoder says only that a batch has a bad datum, not which. This walks over the lengths and tags of all datums
together, field by field, so that the few bad ones are read exactly and their neighbours are decoded fast. It is a
hint: it may miss a bad datum or suspect a good one, and nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from auditlane.contract.tenant_contract import Field

Rows = npt.NDArray[np.int64]
_WIDTH: Final = {"boolean": 1, "float": 4, "double": 8}
_MOST_ENTRIES: Final = 256  # a larger map is a suspect: each entry costs a step over the rows


def find_malformed(fields: Sequence[Field], datums: Sequence[bytes]) -> npt.NDArray[np.bool_]:
    """Which datums end early, end late, or hold a tag that their schema does not have."""
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
    """Where the walk is in each datum (`at`), all of them joined; `bad` rows are left where they failed."""

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
        """A varint of each row; a row without one stops, its number is 0."""
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
