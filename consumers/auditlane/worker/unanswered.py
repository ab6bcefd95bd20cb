"""What a question means that the registry, which answers otherwise, does not answer about one schema or subject.

Most such answers are final: no schema has this id, or what is there is no schema. An internal error or a refused right
may be a passing one, so it is waited for, but not for long: the messages behind it wait as well. Nor is it waited for
again soon, since whoever can name one such schema can name many.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Final

from auditlane.runtime.errors import RegistryRefused, RegistryUnavailable

PATIENCE_S: Final = 60.0
IMPATIENT_S: Final = 3_600.0  # after a wait in vain, further ones are not waited for
_RIGHTS: Final = frozenset({0, 401, 403})  # 0: it is not known what was answered


@dataclass(slots=True)
class Patience:
    """Times are seconds of one monotonic clock. Thread-safe."""

    _since: dict[tuple[str, object], float] = field(default_factory=dict)  # what is not answered, and since when
    _impatient_until: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def waits(self, about: tuple[str, object], error: Exception, now: float) -> bool:
        """Whether the question is to be asked again later; else it counts as answered with nothing."""
        passing = isinstance(error, RegistryUnavailable) or (
            isinstance(error, RegistryRefused) and error.status in _RIGHTS
        )
        if not passing:
            return False
        with self._lock:
            if now < self._impatient_until:
                return False
            for other in [one for one, since in self._since.items() if now - since > 3 * PATIENCE_S]:
                del self._since[other]
            if now - self._since.setdefault(about, now) < PATIENCE_S:
                return True
            self._impatient_until = now + IMPATIENT_S
            self._since.clear()
            return False

    def answered(self, about: tuple[str, object]) -> None:
        """The question was answered after all."""
        if self._since:
            with self._lock:
                self._since.pop(about, None)
