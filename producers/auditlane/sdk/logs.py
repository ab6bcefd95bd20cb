"""The SDK's own log. A separate thread writes it, so logging cannot deadlock.

A logging handler that emits audit events holds its lock while it waits for the client. If the client's threads logged
directly, they would in turn wait for that lock. For the same reason, they must not call anything that logs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

log = logging.getLogger("auditlane.sdk")
_MAX_QUEUED: Final = 1_000  # maximum number of records kept while a handler hangs; the oldest are dropped
_LIBRARIES: Final = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")


class _Writer:
    def __init__(self) -> None:
        self.queue: deque[tuple[int, str, tuple[object, ...], Any]] = deque(maxlen=_MAX_QUEUED)
        self._lock = threading.RLock()
        self._runs = False

    def start(self) -> None:
        if not self._runs:
            with contextlib.suppress(RuntimeError):  # the interpreter is exiting; `write_all` writes the queue
                threading.Thread(target=self._run, name="auditlane-log", daemon=True).start()

    def write(self) -> None:
        while self.queue:
            try:
                level, message, arguments, error = self.queue.popleft()
            except IndexError:  # another thread took it
                return
            _writing.add(threading.get_ident())
            try:
                log.log(level, message, *arguments, exc_info=error)
            finally:
                _writing.discard(threading.get_ident())

    def _run(self) -> None:
        with self._lock:
            if self._runs:
                return
            self._runs = True
        try:
            while self.queue:
                self.write()
        finally:
            self._runs = False
        if self.queue:  # queued after the last check, while `_runs` was still set
            self.start()


_writer = _Writer()
_quiet: set[int] = set()  # thread ids
_writing: set[int] = set()  # thread ids


def log_later(level: int, message: str, *arguments: object, error: BaseException | None = None) -> None:
    """Queue a log record for the writer thread. Never blocks.

    Messages that a logging handler causes while handling another are dropped. Otherwise, a handler that records events
    would report its own failures forever.
    """
    if threading.get_ident() in _writing:
        return
    _writer.queue.append((level, message, arguments, error))
    _writer.start()


def write_all() -> None:
    """Write the queued records. Called when the process exits."""
    _writer.write()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress the HTTP libraries' log messages on this thread."""
    me = threading.get_ident()
    _quiet.add(me)
    try:
        yield
    finally:
        _quiet.discard(me)


class _NotQuiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return threading.get_ident() not in _quiet


for _name in _LIBRARIES:
    logging.getLogger(_name).addFilter(_NotQuiet())


def _after_fork() -> None:
    global _writer
    _writer = _Writer()
    _quiet.clear()
    _writing.clear()


os.register_at_fork(after_in_child=_after_fork)
