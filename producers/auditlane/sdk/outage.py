"""Decides when to report an outage: when it starts, every REPEAT_S while it lasts, and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

REPEAT_S: Final = 30.0
PROBE_S: Final = 5.0  # interval of probes, which detect a recovery when there is no other traffic


@dataclass(frozen=True, slots=True)
class Away:
    """A report that the service is unreachable. `for_s` is 0 in the first report; `lost` counts the events lost so
    far.
    """

    reason: str
    for_s: float
    lost: int


@dataclass(frozen=True, slots=True)
class Back:
    """A report that the service is reachable again after an outage of `after_s` seconds. `lost` is the number of lost
    events.
    """

    after_s: float
    lost: int


def lost_text(lost: int) -> str:
    """Return a sentence to append to a log message, or "" if no events were lost."""
    return f" {lost} events expired in the meantime." if lost else ""


class Outage:
    """Tracks a service's outage. Pure: `now` is a monotonic clock's time. Not thread-safe."""

    def __init__(self) -> None:
        self.reason = ""
        self._since: float | None = None  # when the outage started
        self._reported_at = 0.0
        self._suspected = False
        self._probed_at = 0.0
        self._lost = 0

    @property
    def away(self) -> bool:
        """Whether the service is known to be unreachable."""
        return self._since is not None

    @property
    def possible(self) -> bool:
        """Whether an outage is known or suspected. If so, a response from the service would be news."""
        return self._suspected or self._since is not None

    def suspect(self, reason: str, now: float) -> None:
        """Record a partial failure, such as that of one broker. The next probe shows whether it is an outage."""
        self.reason = reason
        if not self._suspected and self._since is None:
            self._suspected = True
            self._probed_at = now

    def unreachable(self, now: float) -> Away | None:
        """Record that the whole service is unreachable, and return a report if one is due."""
        self._suspected = False
        if self._since is None:
            self._since = self._reported_at = self._probed_at = now
            return Away(self.reason, 0, self._lost)
        return self.reminder(now)

    def count_lost(self) -> None:
        """Count a lost event."""
        self._lost += 1

    def reminder(self, now: float) -> Away | None:
        """Return a repeated report of the outage if one is due."""
        if self._since is None or now - self._reported_at < REPEAT_S:
            return None
        self._reported_at = now
        return Away(self.reason, now - self._since, self._lost)

    def is_probe_due(self, now: float) -> bool:
        """Return whether to probe the service now, and count it as probed."""
        if not self.possible or now - self._probed_at < PROBE_S:
            return False
        self._probed_at = now
        return True

    def recovered(self, now: float) -> Back | None:
        """Record that the service responded. Returns a report if this ends an outage."""
        self._suspected = False
        if self._since is None:
            return None
        back = Back(now - self._since, self._lost)
        self._since = None
        self._lost = 0
        return back
