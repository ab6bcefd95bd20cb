"""Closes clients at the end of a process, in each of the ways in which one ends, and prepares them for forks.

Python's exit handlers do not run in children of multiprocessing and billiard (Celery), which have hooks of their own.
`Pool.terminate`, which is how `with Pool()` ends, sends SIGTERM to children that may have emitted a moment before.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
import weakref
from types import FrameType
from typing import Any, ClassVar, Final, Protocol

from auditlane.runtime.errors import ConfigError

_FORK_WAIT_S: Final = 1.0  # how long a fork may wait for what clients' threads do
_LAST: Final = -1_000  # of the priorities of multiprocessing's finalizers: others may still emit
_UTILS: Final = ("multiprocessing.util", "billiard.util")


class Closing(Protocol):
    """A client."""

    def end(self) -> None:
        """Close; called once the process ends."""
        ...

    def end_soon(self) -> None:
        """Flush; called where the process is about to end."""
        ...

    def before_fork(self, deadline: float) -> None:
        """In the parent, until `deadline` of the monotonic clock at most."""
        ...

    def after_fork(self) -> None:
        """In the child."""
        ...


_clients: weakref.WeakSet[Any] = weakref.WeakSet()


def watch(client: Closing) -> None:
    """End the client at the process's end at the latest."""
    _clients.add(client)
    atexit.register(client.end)
    for name in _UTILS:
        if _is_child(name):
            _finalize(name)
    _hook()


def check_uwsgi() -> None:
    """Raises ConfigError where uWSGI forks or keeps threads in a way that Python does not know of."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    if "enable-threads" not in uwsgi.opt and "threads" not in uwsgi.opt:
        raise ConfigError(
            "Threads of Python's do not run between the requests of this uWSGI.", fix="Start it with --enable-threads."
        )
    if uwsgi.worker_id() == 0 and (uwsgi.masterpid() or uwsgi.numproc > 1):
        raise ConfigError(
            "The audit client was made before uWSGI forks its workers, which does not tell Python of it.",
            fix="Start it with --lazy-apps, or make the AuditClient in a function under uwsgidecorators.postfork.",
        )


def forget(client: Closing) -> None:
    """It was closed."""
    _clients.discard(client)
    atexit.unregister(client.end)


def _end_all(*_: object, **__: object) -> None:
    alone = not _others(threading.current_thread())
    for client in list(_clients):
        if alone:
            client.end()
        else:  # other threads are waited for after this, and may emit
            client.end_soon()
    if not alone and not _Behind.running():
        _Behind(threading.current_thread()).start()


def _others(*known: threading.Thread) -> list[threading.Thread]:
    """The threads that a process waits for before it ends, but for these."""
    return [one for one in threading.enumerate() if not one.daemon and one not in known]


class _Behind(threading.Thread):
    """Ends the clients when all threads but this one and the `ending` one are done; the process waits for it, too."""

    def __init__(self, ending: threading.Thread) -> None:
        super().__init__(name="auditlane-end", daemon=False)
        self._ending = ending

    @classmethod
    def running(cls) -> bool:
        return any(isinstance(one, cls) for one in threading.enumerate())

    def run(self) -> None:
        while others := _others(self, self._ending):
            others[0].join()
        for client in list(_clients):
            client.end()


def _is_child(util: str) -> bool:
    """Whether this process is a child of this library's."""
    process = sys.modules.get(util.replace(".util", ".process"))
    return util in sys.modules and process is not None and process.current_process().name != "MainProcess"


def _finalize(util: str) -> None:
    sys.modules[util].Finalize(None, _end_all, exitpriority=_LAST)
    if util == "multiprocessing.util":
        _end_at_sigterm()


def _end_at_sigterm() -> None:
    """Where SIGTERM would end the child at once."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: FrameType | None) -> None:
    for client in list(_clients):
        client.end_soon()  # also where the signal interrupts the end of a client
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _hook() -> None:
    """Be told where a child of one of these libraries begins or ends, as far as they are imported by now."""
    for name in _UTILS:
        if name in sys.modules and name not in _Child.kept:
            # Called when the child has forgotten the finalizers that were registered before.
            sys.modules[name].register_after_fork(_Child(name), _Child.begin)
    if (signals := sys.modules.get("celery.signals")) is not None:
        # The children of its pool end by `os._exit` after this.
        signals.worker_process_shutdown.connect(_end_all, weak=False, dispatch_uid="auditlane.sdk")


class _Child:
    """A process that one of the libraries makes by a fork; their registries keep none of these alive."""

    kept: ClassVar[dict[str, _Child]] = {}

    def __init__(self, util: str) -> None:
        self._util = util
        self.kept[util] = self

    def begin(self) -> None:
        """Called in the child."""
        if _clients:
            _finalize(self._util)


def _before_fork() -> None:
    deadline = time.monotonic() + _FORK_WAIT_S
    for client in list(_clients):
        client.before_fork(deadline)


def _after_fork() -> None:
    for client in list(_clients):
        client.after_fork()
    if _clients:
        _hook()


os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
