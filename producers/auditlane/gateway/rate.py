"""How much one caller may do in a time: token buckets that may go into debt, as many as memory allows. Pure: time is
passed in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final

MOST_KEYS: Final = 20_000  # buckets kept; of more callers the one that was seen longest ago begins anew


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


@dataclass(slots=True)
class Rates:
    """One bucket a key. `per_s` tokens a second, 0 for any number; `burst` of them at once.

    A request is let in while there is a token, and then charged for everything it holds: one larger than the burst
    passes as well, and what follows waits until the debt is paid.
    """

    per_s: float
    burst: float
    most_keys: int = MOST_KEYS
    _buckets: OrderedDict[Hashable, _Bucket] = field(default_factory=OrderedDict)  # the last used one at the end

    def wait_s(self, key: Hashable, now: float) -> float:
        """Seconds until this key may go on; 0 when it may now."""
        bucket = self._buckets.get(key) if self.per_s else None
        if bucket is None:
            return 0.0
        tokens = self._tokens(bucket, now)
        return 0.0 if tokens >= 1 else (1 - tokens) / self.per_s

    def charge(self, key: Hashable, amount: int, now: float) -> None:
        """Take so many tokens from this key's bucket."""
        if not self.per_s:
            return
        bucket = self._buckets.setdefault(key, _Bucket(self.burst, now))
        bucket.tokens, bucket.at = self._tokens(bucket, now) - amount, now
        self._buckets.move_to_end(key)
        if len(self._buckets) > self.most_keys:
            self._buckets.popitem(last=False)

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self.burst, bucket.tokens + (now - bucket.at) * self.per_s)
