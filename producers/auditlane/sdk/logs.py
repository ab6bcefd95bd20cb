"""The client's own log, written by a thread that nobody waits for.

A handler may hold its lock while it emits and waits for the client: were it the client's working threads that write,
they would wait for the handler in turn. For the same reason nothing that a working thread calls writes a log.
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
_KEPT: Final = 1_000  # records that wait for a handler that hangs
_LIBRARIES: Final = ("urllib3.connection", "urllib3.connectionpool", "urllib3.util.retry")


class _Writer:
    def __init__(self) -> None:
        self.waiting: deque[tuple[int, str, tuple[object, ...], Any]] = deque(maxlen=_KEPT)
        self._lock = threading.RLock()
        self._runs = False

    def begin(self) -> None:
        if not self._runs:
            with contextlib.suppress(RuntimeError):  # the interpreter ends; `write_all` writes what waits
                threading.Thread(target=self._run, name="auditlane-log", daemon=True).start()

    def write(self) -> None:
        while self.waiting:
            try:
                level, message, arguments, error = self.waiting.popleft()
            except IndexError:  # another thread wrote it
                return
            log.log(level, message, *arguments, exc_info=error)

    def _run(self) -> None:
        with self._lock:
            if self._runs:
                return
            self._runs = True
        try:
            while self.waiting:
                self.write()
        finally:
            self._runs = False
        if self.waiting:  # said between the last look and the end
            self.begin()


_writer = _Writer()
_quiet: set[int] = set()  # threads


def say(level: int, message: str, *arguments: object, error: BaseException | None = None) -> None:
    """Write a record soon. Never waits."""
    _writer.waiting.append((level, message, arguments, error))
    _writer.begin()


def write_all() -> None:
    """Write what waits, at the end of the process."""
    _writer.write()


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """What the libraries that we call would log on this thread is not logged."""
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


os.register_at_fork(after_in_child=_after_fork)
