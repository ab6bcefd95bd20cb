"""What a process inherits of how signals are handled, which its parent may have set for itself."""

from __future__ import annotations

import signal
from typing import Final

# Ignored, these leave a process that cannot wait for its children, or be asked to end. Who ignores SIGINT or SIGHUP
# (a shell for what runs in the background, nohup) means it.
_OURS: Final = (signal.SIGCHLD, signal.SIGTERM)


def ordinary() -> None:
    """Undo what no command of ours can work with: SIGCHLD or SIGTERM ignored, signals blocked.

    For the main thread of a process of ours, at its start; what it starts inherits it.
    """
    for number in _OURS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
