"""What a question means that the registry, which answers otherwise, does not answer about one schema or subject.

Most such answers are final: no schema has this id, or what is there is no schema. An internal error or a refused right
may pass, so the worker retries, but not for long: the messages behind it wait as well. It does not wait for the same
question again soon, and gives further questions of the same tenants only a few tries, since a producer that can name
one such schema can name many. Other tenants' questions keep their full time.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable

PATIENCE_S: Final = 60.0
IMPATIENT_S: Final = 3_600.0  # for so long a wait in vain counts
FEW_TRIES: Final = 3  # of a further question of tenants that were waited for in vain, over at least
TRIED_S: Final = 3.0
MOST_TRIED: Final = 8  # such questions of one tenant in that time; then there are no more tries
MOST_KEPT: Final = 10_000  # questions and tenants that are remembered; the oldest goes first
_RIGHTS: Final = frozenset({0, 401, 403})  # 0: it is not known what was answered

About = tuple[str, object]


@dataclass(slots=True)
class _Asked:
    """A question without an answer: since when, and how often it was asked."""

    since: float
    tries: int = 0


@dataclass(slots=True)
class Patience:
    """Times are seconds of one monotonic clock. Thread-safe."""

    _open: dict[About, _Asked] = field(default_factory=dict)
    # What was waited for in vain, and whose questions those were -> (until when that counts, how many).
    _vain: dict[Hashable, tuple[float, int]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def waits(self, about: About, tenants: Collection[str], error: Exception, now: float) -> bool:
        """Whether the question is to be asked again later; else it counts as answered with nothing.

        `tenants` are those whose messages lead to the question; with one that is patient, it is waited for.
        """
        passing = isinstance(error, RegistryUnavailable) or (
            isinstance(error, RegistryRefused) and error.status in _RIGHTS
        )
        if not passing:
            return False
        with self._lock:
            if self._in_vain(about, now):
                return False
            for other in [one for one, asked in self._open.items() if now - asked.since > 3 * PATIENCE_S]:
                del self._open[other]
            asked = self._open.setdefault(about, _Asked(now))
            asked.tries += 1
            before = min((self._in_vain(tenant, now) for tenant in tenants), default=0)
            if _waits(asked, now - asked.since, before):
                return True
            del self._open[about]
            for one in (about, *tenants):
                self._note(one, now)
            return False

    def answered(self, about: About) -> None:
        """The question was answered after all."""
        if self._open:
            with self._lock:
                self._open.pop(about, None)

    def _in_vain(self, one: Hashable, now: float) -> int:
        """How many questions were waited for in vain, about this or of this tenant, not long ago."""
        until, count = self._vain.get(one, (now, 0))
        return count if now < until else 0

    def _note(self, one: Hashable, now: float) -> None:
        count = self._in_vain(one, now) + 1
        self._vain.pop(one, None)
        self._vain[one] = now + IMPATIENT_S, count
        while len(self._vain) > MOST_KEPT:
            del self._vain[next(iter(self._vain))]


def _waits(asked: _Asked, waited_s: float, before: int) -> bool:
    """Whether to ask once more, after `before` other questions in vain."""
    if not before:
        return waited_s < PATIENCE_S
    return before < MOST_TRIED and (asked.tries <= FEW_TRIES or waited_s < TRIED_S)
