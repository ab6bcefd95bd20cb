"""How many events a second one client may send: a token bucket that may go into debt. Pure: time is passed in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Rates:
    """One bucket a client. `per_s` events a second, 0 for any number; `burst` of them at once.

    A request is let in while there is a token, and then charged for every event it holds: one larger than the burst
    passes as well, and what follows waits until the debt is paid.
    """

    per_s: float
    burst: float
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def wait_s(self, client: str, now: float) -> float:
        """Seconds until this client may send; 0 when it may now."""
        if not self.per_s:
            return 0.0
        bucket = self._filled(client, now)
        return 0.0 if bucket.tokens >= 1 else (1 - bucket.tokens) / self.per_s

    def charge(self, client: str, events: int, now: float) -> None:
        """The client has sent so many events."""
        if self.per_s:
            self._filled(client, now).tokens -= events

    def _filled(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.setdefault(client, _Bucket(self.burst, now))
        bucket.tokens = min(self.burst, bucket.tokens + (now - bucket.at) * self.per_s)
        bucket.at = now
        return bucket
