"""The dead-letter brake: stops a partition of which suddenly most messages are refused, instead of refusing them all.

After a bad deploy every message would become a dead letter. The brake looks at a range's verdict before anything of it
is written: the range stays pending, and whoever takes the partition up again judges it anew, by what holds then.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from auditlane.worker.ranges import Partition, Range


@dataclass(frozen=True, slots=True)
class BrakePolicy:
    """Stop when more than `ratio` of the newest messages are refused: the last `window` of them at least, none judged
    longer than `within_ms` ago. A ratio of 1 lets everything through."""

    ratio: float = 0.5
    window: int = 1_000
    within_ms: int = 600_000

    @property
    def off(self) -> bool:
        return self.ratio >= 1


@dataclass(slots=True)
class Brake:
    """One partition's, under one assignment. Times are monotonic milliseconds."""

    policy: BrakePolicy
    _ranges: deque[tuple[int, int, int]] = field(default_factory=deque)  # (judged at, messages, refused)
    _messages: int = 0
    _refused: int = 0

    def judged(self, messages: int, refused: int, now: int) -> str:
        """Count a range in. Why the partition is to stop, or empty: then the range may be written."""
        if self.policy.off:
            return ""
        self._ranges.append((now, messages, refused))
        self._messages += messages
        self._refused += refused
        while self._too_old(now) or self._messages - self._ranges[0][1] >= self.policy.window:
            _, gone, gone_refused = self._ranges.popleft()
            self._messages -= gone
            self._refused -= gone_refused
        if self._messages < self.policy.window or self._refused <= self.policy.ratio * self._messages:
            return ""
        return (
            f"the dead-letter brake: {self._refused} of the last {self._messages} messages are refused, more than "
            f"{self.policy.ratio:.0%}"
        )

    def _too_old(self, now: int) -> bool:
        return now - self._ranges[0][0] > self.policy.within_ms


class Brakes:
    """The brake of every partition. A new assignment begins with nothing counted. Usable from several threads."""

    def __init__(self, policy: BrakePolicy) -> None:
        self._policy = policy
        self._brakes: dict[Partition, tuple[int, Brake]] = {}
        self._lock = Lock()

    def judged(self, range_: Range, refused: int, now: int) -> str:
        """As `Brake.judged`, for the range's partition."""
        with self._lock:
            lease, brake = self._brakes.get(range_.partition, (-1, None))
            if brake is None or lease != range_.lease:
                brake = Brake(self._policy)
                self._brakes[range_.partition] = range_.lease, brake
            return brake.judged(len(range_.columns), refused, now)
