"""Decide which of the stored copies of an event readers see, and which events are in conflict. Pure.

A row has the columns `statements.PLACE` and `statements.RANK`. Rows with the same identity (time, id, content hash) are
copies of one event. Readers see the copy with the highest rank, which reached Kafka first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from auditlane.query.sort import Position

Row = Mapping[str, Any]
Key = tuple[int, str]  # (occurred_at in microseconds, event id): unique unless events are in conflict
Identity = tuple[Key, str]  # the key and the content hash, equal in all copies of an event


def key_of(row: Row) -> Key:
    """Return the key of a row."""
    id_ = row["id"]
    return int(row["occurred_us"]), id_.decode() if isinstance(id_, bytes) else str(id_)


def identity_of(row: Row) -> Identity:
    """Return the identity of a row."""
    content = row["content"]
    return key_of(row), content.decode() if isinstance(content, bytes) else str(content)


def first_copies(rows: Sequence[Row]) -> list[Row]:
    """Return the row with the highest rank for each identity, in the order of the rows."""
    best: dict[Identity, Row] = {}
    for row in rows:
        identity = identity_of(row)
        if identity not in best or int(row["rank"]) > int(best[identity]["rank"]):
            best[identity] = row
    chosen = set(map(id, best.values()))
    return [row for row in rows if id(row) in chosen]


def without_last(rows: Sequence[Row]) -> Sequence[Row]:
    """Return a list sorted by time without the copies of its last event, since more of them may follow."""
    last = identity_of(rows[-1])
    return [row for row in rows if identity_of(row) != last]


def outranked(rows: Iterable[Row], stored: Iterable[Row]) -> dict[Identity, int]:
    """Return the identities whose row is not the first of its stored copies, each with the rank of the first copy."""
    ranks = {identity_of(row): int(row["rank"]) for row in stored}
    highest = ((identity_of(row), int(row["rank"])) for row in rows)
    return {identity: ranks[identity] for identity, rank in highest if ranks.get(identity, 0) > rank}


def shared(stored: Iterable[Row]) -> set[Key]:
    """Return the keys of events in conflict, which have several visible contents."""
    contents = Counter(key_of(row) for row in stored if row["visible"])
    return {key for key, count in contents.items() if count > 1}


def adjacent(rows: Iterable[Row], before: Position | None = None) -> set[Key]:
    """Return the keys that occur more than once among the first copies in a complete list sorted by time.

    This does not need a query, since such rows are adjacent. `before` is the row that precedes the list.
    """
    keys = [*([(before.occurred_us, before.event_id)] if before else []), *map(key_of, rows)]
    return {key for key, following in pairwise(keys) if key == following}
