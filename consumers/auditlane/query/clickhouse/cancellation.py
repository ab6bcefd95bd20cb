"""Cancels queries whose caller is gone, by cutting their connections to ClickHouse.

ClickHouse ends a read-only query whose HTTP connection is closed (`cancel_http_readonly_queries_on_client_close`). A
thread that waits for the answer is woken by the cut as well, so that it is free for others.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Final

from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3 import PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from auditlane.runtime.settings import Settings
from auditlane.store.client import proxy_of

_CONNECTIONS: Final = 64  # kept open when nothing is asked; more are made as they are needed


class CancelScope:
    """What can be cancelled as one: a request, a job, or a thread that works for many. Thread-safe."""

    def __init__(self) -> None:
        self.cancelled = False
        self._over = False
        self._ends: dict[object, Callable[[], None]] = {}
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """End whatever is attached, and whatever is attached from now on."""
        with self._lock:
            if self._over or self.cancelled:
                return
            self.cancelled = True
            ends, self._ends = list(self._ends.values()), {}
        for end in ends:
            end()

    def finish(self) -> None:
        """Everything is answered: `cancel` does nothing from now on."""
        with self._lock:
            self._over = True
            self._ends = {}

    def attach(self, what: object, end: Callable[[], None]) -> None:
        """Call `end`, from any thread, when the scope is cancelled; at once when it already is."""
        with self._lock:
            if not self.cancelled:
                self._ends[what] = end
                return
        end()

    def detach(self, what: object) -> None:
        """`what` has ended."""
        with self._lock:
            self._ends.pop(what, None)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within it, queries of this thread (or task, and the threads that it waits for) belong to this scope."""
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[CancelScope | None] = ContextVar("cancel_scope", default=None)


def current_scope() -> CancelScope | None:
    """The scope in which this code runs; None where nothing can cancel it."""
    return _CURRENT.get()


def is_cancelled() -> bool:
    """Whether the scope in which this code runs is cancelled."""
    found = _CURRENT.get()
    return found is not None and found.cancelled


class _Cuttable:
    """A connection that is cut while a request of a cancelled scope is under way on it, and not once another has it.

    Pools give a connection to the next request as soon as an answer was read, so it remembers whose it is.
    """

    sock: Any
    _cancel_scope: CancelScope | None = None
    _socket: socket.socket | None = None

    def request(self, *arguments: Any, **named: Any) -> None:
        found = _CURRENT.get()
        self._cancel_scope = found
        if found is not None and found.cancelled:
            raise ConnectionAbortedError("nobody waits for the answer any more")
        super().request(*arguments, **named)  # type: ignore[misc]  # the connection's
        if found is not None:
            self._socket = self.sock
            found.attach(self, lambda: self._cut(found))

    def _cut(self, by: CancelScope) -> None:
        if self._cancel_scope is by and self._socket is not None:
            with suppress(OSError):  # not by the TLS object's own method, which would take the keys from who reads
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Connection(_Cuttable, HTTPConnection):
    """Plain."""


class _SecureConnection(_Cuttable, HTTPSConnection):
    """Over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def pool_for(settings: Settings) -> PoolManager:
    """A pool for `clickhouse_connect`'s `pool_mgr`, whose connections are cut when their scope is cancelled."""
    secure, proxy = settings.clickhouse_url.startswith("https:"), proxy_of(settings.clickhouse_url)
    made: PoolManager = get_pool_manager(
        ca_cert=str(settings.clickhouse_ca) if settings.clickhouse_ca else None,
        maxsize=_CONNECTIONS,
        http_proxy=None if secure else proxy,
        https_proxy=proxy if secure else None,
    )
    made.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return made
