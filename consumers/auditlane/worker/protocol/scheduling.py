"""Decide when a partition's buffered messages are sealed into a range, and which partition comes first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from auditlane.worker.protocol.partition_state import PartitionState, Policy

PATIENCE_MS: Final = 1_000  # so long nothing is read, and so the group not polled, before partitions are paused
OVERDUE: Final = 5  # ages that a range waits for larger ones to go first


@dataclass(slots=True)
class MemoryGate:
    """`limit` in bytes of keys and values; times are monotonic milliseconds."""

    limit: int
    over_limit: bool = False
    paused: bool = False
    since: int = 0

    @property
    def should_skip_poll(self) -> bool:
        """Whether nothing is to be read, and nothing is paused either."""
        return self.over_limit and not self.paused

    def update(self, held: int, now: int, *, urgent: bool) -> None:
        """So much is held. `urgent`: some partition must be read all the same, so the others pause at once.

        What is paused is resumed when half of it is stored.
        """
        over_limit = held >= self.limit or (self.paused and held > self.limit // 2)
        if over_limit and not self.over_limit:
            self.since = now
        self.over_limit = over_limit
        self.paused = over_limit and (self.paused or urgent or now - self.since >= PATIENCE_MS)

    def fair_share(self, partitions: int) -> int:
        """What one of so many partitions may hold while its range does not get on."""
        return self.limit // (2 * max(1, partitions))

    def holds_fair_share(self, held: int, partitions: int) -> bool:
        """Whether one of so many partitions holds its share."""
        return held * 2 * partitions >= self.limit


def next_ranges(
    states: Collection[PartitionState], policy: Policy, memory: MemoryGate, now: int, *, draining: bool
) -> list[PartitionState]:
    """Return the partitions to seal a range of, in order: overdue ones, then full ones, then the oldest.

    Under memory pressure the largest come first. Overdue partitions precede them, so that a quiet partition is not
    starved during a backlog.

    A range waits until it is full or old enough. A partition that holds its fair share of the memory waits for neither
    while polling is suspended or nothing is being stored.
    """
    eager = memory.over_limit or all(state.free or state.aside for state in states)

    def ready(state: PartitionState) -> bool:
        if not state.free or state.rebuild is not None or not state.held:
            return False
        if state.flight is not None and now < state.flight.not_before:
            return False
        if draining or state.halted or full(state) or now - state.since >= policy.range_age_ms:
            return True
        return eager and memory.holds_fair_share(state.held.size, len(states))

    def full(state: PartitionState) -> bool:
        return len(state.held) >= policy.range_rows or state.held.size >= policy.range_bytes

    def order(state: PartitionState) -> tuple[int, int]:
        if now - state.since >= OVERDUE * policy.range_age_ms:
            return 0, state.since
        return 1 if full(state) else 2, -state.held.size if memory.over_limit else state.since

    return sorted(filter(ready, states), key=order)
