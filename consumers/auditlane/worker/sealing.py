"""Which partitions a range is sealed of next, and in which order."""

from __future__ import annotations

from collections.abc import Collection

from auditlane.worker.lanes import Lane, Policy
from auditlane.worker.room import Room


def due(lanes: Collection[Lane], policy: Policy, room: Room, now: int, *, draining: bool) -> list[Lane]:
    """Full partitions first, then the oldest; while too much is held, the fullest.

    A range waits to be full or for its age. One with its share of what may be held waits for neither when nothing more
    is read, or nothing is being stored.
    """
    eager = room.crowded or all(lane.free for lane in lanes)

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

    return sorted(
        filter(ready, lanes), key=lambda lane: (not full(lane), -lane.held.size if room.crowded else lane.since)
    )
