"""Decides how long to retry a request that fails for one schema or subject while the registry responds to other
requests.

Most failures are final, because the id does not exist or the content is not a schema. An internal error or a permission
error may be temporary, so the worker retries, but not for long, since later messages have to wait too. After that, the
request is not retried for a while, and other requests for the same tenants' schemas get only a few attempts, since a
producer that can name one such schema can name many. Requests for other tenants keep their full time.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable

PATIENCE_S: Final = 60.0
IMPATIENT_S: Final = 3_600.0  # how long unsuccessful retries shorten later ones
FEW_TRIES: Final = 3  # number of tries for other requests of a tenant with unsuccessful retries
TRIED_S: Final = 3.0  # minimum time over which these tries are spread
# maximum number of requests per tenant that get these tries within `IMPATIENT_S`; others are not retried
MOST_TRIED: Final = 8
MOST_KEPT: Final = 10_000  # maximum number of requests and tenants remembered; the oldest is dropped first
_RIGHTS: Final = frozenset({0, 401, 403})  # 0: the status is unknown

About = tuple[str, object]


@dataclass(slots=True)
class _Failing:
    """A request that keeps failing, with the time of its first failure and the number of attempts."""

    since: float
    tries: int = 0


@dataclass(slots=True)
class Patience:
    """Counts failed requests. Times are in seconds of one monotonic clock. Thread-safe."""

    _open: dict[About, _Failing] = field(default_factory=dict)
    # Requests retried without success, and their tenants, mapped to (time until which this counts, number of requests).
    _vain: dict[Hashable, tuple[float, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def waits(self, about: About, tenants: Collection[str], error: Exception, now: float) -> bool:
        """Return whether to retry the request later. If not, it counts as completed without a result.

        `tenants` are the tenants whose messages need the response. If one of them has had no unsuccessful retries, the
        request is retried for the full time.
        """
        passing = isinstance(error, RegistryUnavailable) or (
            isinstance(error, RegistryRefused) and error.status in _RIGHTS
        )
        if not passing:
            return False
        with self._lock:
            if self._in_vain(about, now):
                return False
            for other in [key for key, failing in self._open.items() if now - failing.since > 3 * PATIENCE_S]:
                del self._open[other]
            failing = self._open.setdefault(about, _Failing(now))
            failing.tries += 1
            before = min((self._in_vain(tenant, now) for tenant in tenants), default=0)
            if _waits(failing, now - failing.since, before):
                return True
            del self._open[about]
            for key in (about, *tenants):
                self._note(key, now)
            return False

    def answered(self, about: About) -> None:
        """Forget the failures of a request that succeeded."""
        if self._open:
            with self._lock:
                self._open.pop(about, None)

    def _in_vain(self, key: Hashable, now: float) -> int:
        """Return the number of recent requests for this subject or tenant that were retried without success."""
        until, count = self._vain.get(key, (now, 0))
        return count if now < until else 0

    def _note(self, key: Hashable, now: float) -> None:
        count = self._in_vain(key, now) + 1
        self._vain.pop(key, None)
        self._vain[key] = now + IMPATIENT_S, count
        while len(self._vain) > MOST_KEPT:
            del self._vain[next(iter(self._vain))]


def _waits(failing: _Failing, waited_s: float, before: int) -> bool:
    """Return whether to retry again. `before` is the number of other requests that were retried without success."""
    if not before:
        return waited_s < PATIENCE_S
    return before < MOST_TRIED and (failing.tries <= FEW_TRIES or waited_s < TRIED_S)
