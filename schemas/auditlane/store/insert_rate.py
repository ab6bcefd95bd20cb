"""Limits the rate of new ClickHouse parts with a token bucket that shrinks when ClickHouse pushes back.

Every insert creates parts, which are the first resource that ClickHouse runs out of. Ranges grow while they wait for
the budget, so that more traffic makes inserts larger rather than more frequent.
"""

from __future__ import annotations

from dataclasses import dataclass

FLOOR = 1 / 16  # minimum share of the configured rate, so that a worker keeps trying under constant push-back
SHRINK = 0.5
GROW = 1.1
SLOW_MS = 5_000  # duration above which an insert counts as push-back


@dataclass(slots=True)
class AdaptiveRate:
    """A token bucket of parts. `rate` is parts per second, and `burst` is how many unused parts may accumulate. Times
    are monotonic milliseconds.
    """

    rate: float
    burst: float
    factor: float = 1.0
    saved: float = 0.0
    at_ms: int = 0

    @classmethod
    def of(cls, rate: float, now: int) -> AdaptiveRate:
        """Create a full bucket, with the parts for one second, at least one."""
        burst = max(1.0, rate)
        return cls(rate=rate, burst=burst, saved=burst, at_ms=now)

    def ready(self, now: int) -> bool:
        """Refill the bucket, and return whether a range may be sealed now. A clock that jumps back adds nothing."""
        self.saved = min(self.burst, self.saved + max(0, now - self.at_ms) * self.rate * self.factor / 1_000)
        self.at_ms = now
        return self.saved >= 1

    def spend(self, parts: int) -> None:
        """Take parts. The bucket may go below zero if a range turns out to span several periods."""
        self.saved -= parts

    def stored(self, took_ms: int) -> None:
        """Record a successful insert. The rate grows towards the configured rate, or shrinks if the insert was slow."""
        self.factor = max(FLOOR, self.factor * SHRINK) if took_ms > SLOW_MS else min(1.0, self.factor * GROW)

    def pushed_back(self) -> None:
        """Halve the rate, because ClickHouse lacked capacity."""
        self.factor = max(FLOOR, self.factor * SHRINK)
