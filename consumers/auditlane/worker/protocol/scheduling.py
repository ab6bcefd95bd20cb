"""Which partitions a range is sealed of next, and in which order."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from auditlane.worker.protocol.backpressure import Room
from auditlane.worker.protocol.partition_state import Lane, Policy

OVERDUE: Final = 5  # ages that a range waits for larger ones to go first


def due(lanes: Collection[Lane], policy: Policy, room: Room, now: int, *, draining: bool) -> list[Lane]:
    """Full partitions first, then the oldest; while too much is held, the fullest. What is overdue goes before them:
    a backlog is too much for hours, and a quiet partition never the fullest.

    A range waits to be full or for its age. One with its share of what may be held waits for neither when nothing more
    is read, or nothing is being stored.
    """
    eager = room.crowded or all(lane.free or lane.aside for lane in lanes)

    def ready(lane: Lane) -> bool:
        if not lane.free or lane.rebuild is not None or not lane.held:
            return False
        if lane.flight is not None and now < lane.flight.not_before:
            return False
        if draining or lane.halted or full(lane) or now - lane.since >= policy.range_age_ms:
            return True
        return eager and room.shared(lane.held.size, len(lanes))

    def full(lane: Lane) -> bool:
        return len(lane.held) >= policy.range_rows or lane.held.size >= policy.range_bytes

    def order(lane: Lane) -> tuple[int, int]:
        if now - lane.since >= OVERDUE * policy.range_age_ms:
            return 0, lane.since
        return 1 if full(lane) else 2, -lane.held.size if room.crowded else lane.since

    return sorted(filter(ready, lanes), key=order)
