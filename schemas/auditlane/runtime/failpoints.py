"""Points at which a test kills or freezes the worker. They have no effect unless AUDITLANE_FAILPOINT names one.

`after_intent:kill` kills the process (SIGKILL) when it first gets there, and `after_intent:stop:3` freezes it (SIGSTOP)
the third time. The names follow the protocol's steps (before_ and after_ intent, insert, letters and complete) and a
replay of dead letters (before_ and after_ resolution).
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Final

from auditlane.runtime.errors import ConfigError

VARIABLE: Final = "AUDITLANE_FAILPOINT"
NAMES: Final = frozenset(
    f"{when}_{step}"
    for when in ("before", "after")
    for step in ("intent", "insert", "letters", "complete", "resolution")
)
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Failpoints:
    """The failpoint set by a test. `hit(name)` has no effect unless the specification names it."""

    def __init__(self, spec: str = "") -> None:
        name, _, rest = spec.partition(":")
        action, _, count = rest.partition(":")
        if spec and (name not in NAMES or action not in _SIGNALS or not (count or "1").isdecimal()):
            raise ConfigError(
                f"{VARIABLE}={spec!r} is not a failpoint.",
                field=VARIABLE,
                fix=f"Use NAME:kill or NAME:stop, with a NAME of {', '.join(sorted(NAMES))}.",
            )
        self._name = name
        self._signal = _SIGNALS.get(action)
        self._left = int(count or "1")
        self._lock = threading.Lock()

    @classmethod
    def from_environment(cls) -> Failpoints:
        return cls(os.environ.get(VARIABLE, ""))

    def hit(self, name: str) -> None:
        """Report that execution has reached this failpoint."""
        if name != self._name or self._signal is None:
            return
        with self._lock:
            self._left -= 1
            due = self._left == 0
        if due:
            os.kill(os.getpid(), self._signal)
