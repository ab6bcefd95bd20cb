"""What is said of a service that is away: once when it goes, every REPEAT_S while it is away, once when it is back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REPEAT_S: Final = 30.0
ASK_S: Final = 5.0  # how often the service is asked whether it is back, where nothing else would tell


@dataclass(frozen=True, slots=True)
class Away:
    """It does not answer; `for_s` is 0 when this is the first time it is said."""

    reason: str
    for_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class Back:
    """It answers again."""

    after_s: float
    lost: int


class Outage:
    """Pure: `now` is a monotonic clock's. One thread uses it."""

    def __init__(self) -> None:
        self.reason = ""
        self._since: float | None = None  # when it went
        self._said_at = 0.0
        self._suspected = False
        self._asked_at = 0.0
        self._lost = 0

    @property
    def away(self) -> bool:
        """Whether it is known to be away."""
        return self._since is not None

    def suspect(self, reason: str, now: float) -> None:
        """A part of it failed: it has to be asked."""
        self.reason = reason
        if not self._suspected and self._since is None:
            self._suspected = True
            self._asked_at = now

    def gone(self, now: float) -> Away | None:
        """All of it failed."""
        self._suspected = False
        if self._since is None:
            self._since = self._said_at = self._asked_at = now
            return Away(self.reason, 0, self._lost)
        return self.repeated(now)

    def lose(self) -> None:
        """An event was given up."""
        self._lost += 1

    def repeated(self, now: float) -> Away | None:
        """What to say meanwhile, if it is time."""
        if self._since is None or now - self._said_at < REPEAT_S:
            return None
        self._said_at = now
        return Away(self.reason, now - self._since, self._lost)

    def due(self, now: float) -> bool:
        """Whether to ask it now."""
        if not (self._suspected or self.away) or now - self._asked_at < ASK_S:
            return False
        self._asked_at = now
        return True

    def works(self, now: float) -> Back | None:
        """It answered."""
        self._suspected = False
        if self._since is None:
            return None
        back = Back(now - self._since, self._lost)
        self._since = None
        self._lost = 0
        return back
