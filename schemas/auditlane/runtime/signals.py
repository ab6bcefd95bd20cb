"""Resets signal dispositions that a process inherits from its parent."""

from __future__ import annotations

import signal
from typing import Final

# A process that ignores these can neither wait for its children nor be stopped cleanly. An inherited disposition of
# SIGINT or SIGHUP stays: a shell (for background jobs) and nohup ignore them on purpose.
_OURS: Final = (signal.SIGCHLD, signal.SIGTERM)


def ordinary() -> None:
    """Restore SIGCHLD and SIGTERM if they are ignored, and unblock all signals, since the commands rely on both.

    Call this in the main thread at start-up. Child processes inherit the result.
    """
    for number in _OURS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
