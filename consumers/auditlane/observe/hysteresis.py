"""Turns a noisy measurement into few transitions: one when it stays high, and one when it has clearly recovered.
Performs no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Transition = Literal["entered", "left"]


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The thresholds of a condition. It is entered after `checks` consecutive values above `enter`, and left after as
    many values below `leave`.

    Two entries are at least `gap_ms` apart. A condition that returns earlier is entered when the gap is over, if it
    still holds. Values from `leave` to `enter` change nothing.
    """

    enter: float
    leave: float
    checks: int = 3
    gap_ms: int = 600_000

    @classmethod
    def above(cls, limit: float, *, checks: int, gap_ms: int) -> Thresholds:
        """Return thresholds for a condition that is left when the value falls below half of the limit."""
        return cls(limit, limit / 2, checks, gap_ms)


@dataclass(frozen=True, slots=True)
class Condition:
    """The state of one condition. Times are wall-clock milliseconds.

    `streak` counts the most recent consecutive checks that indicate the opposite state, and the first of them was at
    `streak_ms`. While the condition is `active`, `since_ms` is when its streak began. `entered_ms` is the time of the
    last entry.
    """

    active: bool = False
    streak: int = 0
    streak_ms: int = 0
    since_ms: int = 0
    entered_ms: int | None = None

    def may_be_forgotten(self, thresholds: Thresholds, now_ms: int) -> bool:
        """Return whether this condition may be dropped because a new one would behave in exactly the same way."""
        within_gap = self.entered_ms is not None and now_ms - self.entered_ms < thresholds.gap_ms
        return not (self.active or self.streak or within_gap)


def check(
    condition: Condition, value: float, thresholds: Thresholds, now_ms: int
) -> tuple[Condition, Transition | None]:
    """Apply one measurement to a condition. Returns the new state, and the transition, if any."""
    counts = value < thresholds.leave if condition.active else value > thresholds.enter
    if not counts:
        return replace(condition, streak=0, streak_ms=0), None
    streak, streak_ms = condition.streak + 1, condition.streak_ms if condition.streak else now_ms
    if streak >= thresholds.checks:
        if condition.active:
            return replace(condition, active=False, streak=0, streak_ms=0), "left"
        if condition.entered_ms is None or now_ms - condition.entered_ms >= thresholds.gap_ms:
            return Condition(active=True, since_ms=streak_ms, entered_ms=now_ms), "entered"
    return replace(condition, streak=min(streak, thresholds.checks), streak_ms=streak_ms), None
