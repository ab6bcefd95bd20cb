"""How many ClickHouse parts a worker may make: a token bucket that shrinks when ClickHouse pushes back.

Every insert makes parts, and parts are what ClickHouse runs short of first. Ranges grow while they wait for the budget,
so more traffic makes larger inserts rather than more of them.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOOR = 1 / 16  # of the configured rate: pushed back for ever, a worker still tries
SHRINK = 0.5
GROW = 1.1
SLOW_MS = 5_000  # an insert that takes longer counts as push-back


@dataclass(slots=True)
class AdaptiveRate:
    """`rate` is parts per second; `burst` is how many may be saved up. Times are monotonic milliseconds."""

    rate: float
    burst: float
    factor: float = 1.0
    saved: float = 0.0
    at_ms: int = 0

    @classmethod
    def of(cls, rate: float, now: int) -> AdaptiveRate:
        """A full bucket: one second's worth, and at least one part."""
        burst = max(1.0, rate)
        return cls(rate=rate, burst=burst, saved=burst, at_ms=now)

    def ready(self, now: int) -> bool:
        """Whether a range may be sealed now. A clock that jumps back adds nothing."""
        self.saved = min(self.burst, self.saved + max(0, now - self.at_ms) * self.rate * self.factor / 1_000)
        self.at_ms = now
        return self.saved >= 1

    def spend(self, parts: int) -> None:
        """Take parts; the bucket may go below zero when a range turned out to span several months."""
        self.saved -= parts

    def stored(self, took_ms: int) -> None:
        """An insert succeeded: grow back towards the configured rate, unless it was slow."""
        self.factor = max(FLOOR, self.factor * SHRINK) if took_ms > SLOW_MS else min(1.0, self.factor * GROW)

    def pushed_back(self) -> None:
        """ClickHouse refused for want of capacity: halve the rate."""
        self.factor = max(FLOOR, self.factor * SHRINK)
