"""Decides when the buffered messages of a partition are sealed into a range, in which order partitions are sealed, and
when polling stops.

Backpressure has two stages. A short wait, for an insert that is about to end, only skips polling. Pausing keeps the
group membership regardless of its duration, but discards prefetched messages, which Kafka then sends again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from auditlane.worker.protocol.partition_state import PartitionState, Policy

PATIENCE_MS: Final = 1_000  # maximum time to skip polling before partitions are paused instead
OVERDUE: Final = 5  # multiple of `range_age_ms` after which a range takes precedence over larger ones


@dataclass(slots=True)
class MemoryGate:
    """Limits the buffered keys and values to `limit` bytes. Times are monotonic milliseconds."""

    limit: int
    over_limit: bool = False
    paused: bool = False
    since: int = 0

    @property
    def should_skip_poll(self) -> bool:
        """Whether polling is suspended but partitions are not paused yet."""
        return self.over_limit and not self.paused

    def update(self, held: int, now: int, *, urgent: bool) -> None:
        """Update the state for `held` bytes. If `urgent`, one of the partitions must be read in any case, so the others
        are paused immediately.

        Paused partitions are resumed when at most half of the limit is held.
        """
        over_limit = held >= self.limit or (self.paused and held > self.limit // 2)
        if over_limit and not self.over_limit:
            self.since = now
        self.over_limit = over_limit
        self.paused = over_limit and (self.paused or urgent or now - self.since >= PATIENCE_MS)

    def fair_share(self, partitions: int) -> int:
        """Return how many bytes each of `partitions` may hold while its range makes no progress."""
        return self.limit // (2 * max(1, partitions))

    def holds_fair_share(self, held: int, partitions: int) -> bool:
        """Return whether one of `partitions` holds its fair share."""
        return held * 2 * partitions >= self.limit


def next_ranges(
    states: Collection[PartitionState], policy: Policy, memory: MemoryGate, now: int, *, draining: bool
) -> list[PartitionState]:
    """Return the partitions whose messages have to be sealed: overdue ones first, then full ones, then the others by
    age, oldest first.

    Under memory pressure, the largest come first. Overdue partitions still precede them, so that a quiet partition is
    not starved during a backlog.

    A range waits until it is full or old enough. A partition that holds its fair share of the memory does not wait
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
