"""Closes clients however the process exits, and prepares them for forks.

Children of multiprocessing and billiard (Celery) do not run Python's exit handlers, but have their own hooks.
`Pool.terminate`, which `with Pool()` calls at its end, sends SIGTERM to children that may have just emitted.
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

_FORK_WAIT_S: Final = 1.0  # maximum time that a fork waits for requests of clients' threads
_LAST: Final = -1_000  # priority among multiprocessing's finalizers: last, since other finalizers may still emit
_UTILS: Final = ("multiprocessing.util", "billiard.util")


class Closing(Protocol):
    """The client methods that this module calls."""

    def end(self) -> None:
        """Close the client. Called when the process exits."""
        ...

    def end_soon(self) -> None:
        """Flush the client. Called when the process is about to exit but other threads may still emit."""
        ...

    def before_fork(self, deadline: float) -> None:
        """Prepare for a fork, in the parent. Returns before `deadline` on the monotonic clock."""
        ...

    def after_fork(self) -> None:
        """Reset state that must not be shared, in the child."""
        ...


_clients: weakref.WeakSet[Any] = weakref.WeakSet()


def watch(client: Closing) -> None:
    """Close the client when the process exits, unless `forget` is called first."""
    _clients.add(client)
    atexit.register(client.end)
    for name in _UTILS:
        if _is_child(name):
            _finalize(name)
    _hook()


def check_uwsgi() -> None:
    """Raise ConfigError if uWSGI disables threads, or would fork without Python's fork hooks."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return
    if "enable-threads" not in uwsgi.opt and "threads" not in uwsgi.opt:
        raise ConfigError(
            "uWSGI runs without Python threads, which the audit client needs to deliver events.",
            fix="Start uWSGI with --enable-threads.",
        )
    if uwsgi.worker_id() == 0 and (uwsgi.masterpid() or uwsgi.numproc > 1):
        raise ConfigError(
            "The audit client was created before uWSGI forks its workers, and uWSGI does not run Python's fork hooks.",
            fix="Start uWSGI with --lazy-apps, or create the AuditClient in a uwsgidecorators.postfork function.",
        )


def forget(client: Closing) -> None:
    """Stop watching a client that was closed."""
    _clients.discard(client)
    atexit.unregister(client.end)


def _end_all(*_: object, **__: object) -> None:
    alone = not _other_threads(threading.current_thread())
    for client in list(_clients):
        if alone:
            client.end()
        else:  # Python joins the other threads after this hook, and they may still emit
            client.end_soon()
    if not alone and not _LastThread.running():
        _LastThread(threading.current_thread()).start()


def _other_threads(*excluded: threading.Thread) -> list[threading.Thread]:
    """Return the non-daemon threads except those given. Python joins these threads before it exits."""
    return [thread for thread in threading.enumerate() if not thread.daemon and thread not in excluded]


class _LastThread(threading.Thread):
    """A thread that closes the clients once all other threads except `ending` have finished. Python joins this thread
    as well.
    """

    def __init__(self, ending: threading.Thread) -> None:
        super().__init__(name="auditlane-end", daemon=False)
        self._ending = ending

    @classmethod
    def running(cls) -> bool:
        return any(isinstance(thread, cls) for thread in threading.enumerate())

    def run(self) -> None:
        while others := _other_threads(self, self._ending):
            others[0].join()
        for client in list(_clients):
            client.end()


def _is_child(util: str) -> bool:
    """Return whether this process is a child started by `util`'s package, multiprocessing or billiard."""
    process = sys.modules.get(util.replace(".util", ".process"))
    return util in sys.modules and process is not None and process.current_process().name != "MainProcess"


def _finalize(util: str) -> None:
    sys.modules[util].Finalize(None, _end_all, exitpriority=_LAST)
    if util == "multiprocessing.util":
        _flush_on_sigterm()


def _flush_on_sigterm() -> None:
    """Install a SIGTERM handler if the default would kill the child before it flushes."""
    if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: FrameType | None) -> None:
    for client in list(_clients):
        client.end_soon()  # even if the signal interrupts a client's `end`
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _hook() -> None:
    """Register hooks for the start and end of child processes with those libraries that are already imported."""
    for name in _UTILS:
        if name in sys.modules and name not in _Child.kept:
            # Runs after the child has discarded the finalizers inherited from its parent.
            sys.modules[name].register_after_fork(_Child(name), _Child.begin)
    if (signals := sys.modules.get("celery.signals")) is not None:
        # The pool's children call `os._exit` after this signal.
        signals.worker_process_shutdown.connect(_end_all, weak=False, dispatch_uid="auditlane.sdk")


class _Child:
    """A process forked by one of the libraries. It is kept alive here, since the libraries' registries hold only weak
    references.
    """

    kept: ClassVar[dict[str, _Child]] = {}

    def __init__(self, util: str) -> None:
        self._util = util
        self.kept[util] = self

    def begin(self) -> None:
        """Register the finalizer. Called in the child."""
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
