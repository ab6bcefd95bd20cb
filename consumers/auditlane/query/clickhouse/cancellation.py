"""Cancels the queries of disconnected clients by closing the queries' connections to ClickHouse.

ClickHouse ends a read-only query whose HTTP connection is closed (`cancel_http_readonly_queries_on_client_close`).
Closing it also wakes the thread that waits for the result.
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

_CONNECTIONS: Final = 64  # idle connections kept open; more are opened as needed


class CancelScope:
    """A unit of cancellation, such as a request, a job, or a thread that serves several clients. Thread-safe."""

    def __init__(self) -> None:
        self.cancelled = False
        self._over = False
        self._ends: dict[object, Callable[[], None]] = {}
        self._lock = threading.Lock()

    def cancel(self) -> None:
        """Cancel everything that is attached now or will be attached later."""
        with self._lock:
            if self._over or self.cancelled:
                return
            self.cancelled = True
            ends, self._ends = list(self._ends.values()), {}
        for end in ends:
            end()

    def finish(self) -> None:
        """Make `cancel` a no-op, because the work is complete."""
        with self._lock:
            self._over = True
            self._ends = {}

    def attach(self, what: object, end: Callable[[], None]) -> None:
        """Call `end` when the scope is cancelled, or immediately if it already is. The call may come from
        any thread.
        """
        with self._lock:
            if not self.cancelled:
                self._ends[what] = end
                return
        end()

    def detach(self, what: object) -> None:
        """Detach `what` after it has ended."""
        with self._lock:
            self._ends.pop(what, None)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Run the queries of the block under this scope, including queries on threads that this thread or task waits
        for.
        """
        token = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(token)


_CURRENT: ContextVar[CancelScope | None] = ContextVar("cancel_scope", default=None)


def current_scope() -> CancelScope | None:
    """Return the current scope, or None outside a scope."""
    return _CURRENT.get()


def is_cancelled() -> bool:
    """Return whether the current scope has been cancelled."""
    found = _CURRENT.get()
    return found is not None and found.cancelled


class _Cuttable:
    """A connection that is closed when the scope of its current request is cancelled.

    A pool reuses a connection for the next request once a response has been read. Therefore, the connection records the
    scope of its latest request.
    """

    sock: Any
    _cancel_scope: CancelScope | None = None
    _socket: socket.socket | None = None

    def request(self, *arguments: Any, **named: Any) -> None:
        found = _CURRENT.get()
        self._cancel_scope = found
        if found is not None and found.cancelled:
            raise ConnectionAbortedError("the request was cancelled")
        super().request(*arguments, **named)  # type: ignore[misc]  # the connection's
        if found is not None:
            self._socket = self.sock
            found.attach(self, lambda: self._cut(found))

    def _cut(self, by: CancelScope) -> None:
        if self._cancel_scope is by and self._socket is not None:
            with suppress(OSError):  # not the TLS object's method, which would break a concurrent read
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


class _Connection(_Cuttable, HTTPConnection):
    """A cancellable HTTP connection."""


class _SecureConnection(_Cuttable, HTTPSConnection):
    """A cancellable HTTPS connection."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def pool_for(settings: Settings) -> PoolManager:
    """Make a pool for `clickhouse_connect`'s `pool_mgr`. Its connections are closed when their scope is cancelled."""
    secure, proxy = settings.clickhouse_url.startswith("https:"), proxy_of(settings.clickhouse_url)
    made: PoolManager = get_pool_manager(
        ca_cert=str(settings.clickhouse_ca) if settings.clickhouse_ca else None,
        maxsize=_CONNECTIONS,
        http_proxy=None if secure else proxy,
        https_proxy=proxy if secure else None,
    )
    made.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
    return made
