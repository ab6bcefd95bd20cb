"""How much a worker holds: it reads nothing while that is too much, and pauses its partitions when it lasts.

Pausing keeps the membership for as long as it takes, but throws away what was fetched ahead: Kafka sends it again. So
the usual wait, for an insert that is about to end, is without it.
"""

from __future__ import annotations

from dataclasses import dataclass

PATIENCE_MS = 1_000  # so long nothing is read, and so the group not polled, before partitions are paused


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
