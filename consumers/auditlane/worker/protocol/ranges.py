"""Messages of one partition as columns, and the sealed ranges that are cut from them."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import xxhash

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Range:
    """One sealed, contiguous range of a partition: what one intent names and one insert a month writes.

    `first` and `last` are offsets, both included; Kafka's own control records make gaps within. `assignment_epoch`
    counts the assignment it was sealed under: a result from another epoch is ignored. `redo` says that parts of it may
    be stored already: it was rebuilt from an intent, or lies where the offset was set back or lost.
    """

    partition: Partition
    topic_id: str
    first: int
    last: int
    columns: Columns
    digest: str
    assignment_epoch: int
    redo: bool = False

    def __str__(self) -> str:
        return f"{self.partition}:{self.first}-{self.last}"


def digest(columns: Columns) -> str:
    """xxh64 over all that decides about the rows: offsets, timestamps, keys, values and signatures, each blob with its
    length; signatures only where there is one.

    Offsets are in it because a compacted or truncated log gives the same boundaries with fewer messages; keys and
    timestamps because the tenant and the accepted times derive from them.
    """
    hashed = xxhash.xxh64()
    parts: list[bytes | array[int]] = [columns.offsets, columns.timestamps_ms]
    signatures = [columns.signatures] if columns.signatures.size else []
    for blobs in (columns.keys, columns.values, *signatures):
        parts += [*blobs.lengths, *blobs.data]
    for part in parts:
        hashed.update(part)
    return hashed.hexdigest()
