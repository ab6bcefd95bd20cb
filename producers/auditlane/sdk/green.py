"""Whether gevent or eventlet have replaced Python's threads by green ones, of which one runs until it waits."""

from __future__ import annotations

import _thread
import types


def kind() -> object:
    """What starts threads now; another object once they were replaced."""
    return _thread.start_new_thread


def threads() -> bool:
    """Whether a thread that waits outside of Python stops all others. Debuggers' threads count too: no harm is done."""
    return not isinstance(kind(), types.BuiltinFunctionType)
