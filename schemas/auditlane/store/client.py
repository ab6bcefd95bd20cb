"""Connects to ClickHouse as configured, and turns its errors into auditlane's."""

from __future__ import annotations

import logging
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import clickhouse_connect
import urllib3.exceptions
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from clickhouse_connect.driver.httputil import check_env_proxy, default_pool_manager, get_pool_manager
from urllib3 import PoolManager

from auditlane.runtime import tracing
from auditlane.runtime.errors import ConfigError, StoreRefused, StoreUnavailable
from auditlane.runtime.settings import Settings
from auditlane.runtime.validators import is_loopback

CONNECT_TIMEOUT_S = 10
logging.getLogger("clickhouse_connect").setLevel(logging.CRITICAL)  # it also raises its errors, and we log them
_ACCOUNT_CODES = (192, 193, 194, 497, 516)  # unknown user, wrong or missing password, not granted, not authenticated
_FIX_ACCOUNT = "Check AUDITLANE_CLICKHOUSE_USER and AUDITLANE_CLICKHOUSE_PASSWORD, and what the user is granted."
_FIX_TLS = "Point AUDITLANE_CLICKHOUSE_CA at the bundle of the authority that signed its certificate."
_FIX = "Check AUDITLANE_CLICKHOUSE_URL, and that ClickHouse is running there."


def connect(settings: Settings, **given: Any) -> Client:
    """Connect to `settings.clickhouse_url`. `given` is passed to `clickhouse_connect.get_client`.

    The client opens no session, so that many threads can share it. Raises StoreUnavailable or StoreRefused.
    """
    url = urlsplit(settings.clickhouse_url)
    if not url.hostname:
        raise ConfigError(
            "ClickHouse is not configured.",
            fix='Set AUDITLANE_CLICKHOUSE_URL; with a running `auditlane up`: eval "$(auditlane env)"',
        )
    options: dict[str, Any] = {
        "host": url.hostname,
        "port": port_of(url),
        "interface": url.scheme,
        "proxy_path": url.path,
        "pool_mgr": None if proxy_of(settings.clickhouse_url) else _pool(settings.clickhouse_ca, os.getpid()),
        "username": settings.clickhouse_user,
        "password": settings.clickhouse_password.get_secret_value(),
        "ca_cert": str(settings.clickhouse_ca) if settings.clickhouse_ca else None,
        "autogenerate_session_id": False,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "send_receive_timeout": settings.query_timeout_s + CONNECT_TIMEOUT_S,
    }
    with store_errors():
        client = clickhouse_connect.get_client(**(options | given))
    if tracing.tracer() is not None:
        over_http: Any = client  # a Client; its type does not declare the pool
        over_http.http = _TracedPool(over_http.http)
    return client


class _TracedPool:
    """A pool whose requests are traced. Each has the header that lets ClickHouse add its own spans to the trace."""

    def __init__(self, pool: PoolManager) -> None:
        self._pool = pool

    def request(self, method: str, url: str, **named: Any) -> Any:
        with tracing.statement(named.get("body")) as headers:
            return self._pool.request(method, url, **named | {"headers": {**named.get("headers", {}), **headers}})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


def proxy_of(url: str) -> str | None:
    """Return the proxy for this URL in HTTP_PROXY or HTTPS_PROXY, or None. Loopback addresses are never proxied."""
    split = urlsplit(url)
    if is_loopback(split.hostname or ""):
        return None
    return check_env_proxy(split.scheme, split.hostname or "", port_of(split))


def port_of(url: SplitResult) -> int:
    """Return the URL's port, or ClickHouse's default for the scheme."""
    return url.port or (8443 if url.scheme == "https" else 8123)


@cache
def _pool(ca: Path | None, pid: int) -> PoolManager:
    """Return this process's connection pool for requests without a proxy. A child must not use its parent's
    connections.
    """
    made: PoolManager = get_pool_manager(ca_cert=str(ca)) if ca else default_pool_manager()
    return made


class LazyClient:
    """Creates its client when first needed. Thread-safe."""

    def __init__(self, connect: Callable[[], Client]) -> None:
        self._connect = connect
        self._client: Client | None = None
        self._lock = threading.Lock()

    def client(self) -> Client:
        """Return the client. Raises the same errors as `connect`, in each thread.

        No thread waits for another thread's attempt, since the waits would add up while ClickHouse hangs.
        """
        if self._client is not None:
            return self._client
        made = self._connect()
        with self._lock:
            if self._client is None:
                self._client = made
                return made
            kept = self._client
        made.close()
        return kept

    def close(self) -> None:
        """Close the connections. The next use opens new ones."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()


@contextmanager
def store_errors() -> Iterator[None]:
    """Turn ClickHouse's and connection errors into StoreUnavailable (a retry may succeed) or StoreRefused."""
    try:
        yield
    except (OperationalError, urllib3.exceptions.HTTPError, OSError) as error:
        if getattr(error, "code", None) is None:  # only a response carries ClickHouse's code
            certificate = any(isinstance(cause, ssl.SSLError) for cause in causes(error))
            raise StoreUnavailable(
                f"ClickHouse cannot be reached: {first_line(error)}.", fix=_FIX_TLS if certificate else _FIX
            ) from error
        raise _refused(error) from error
    except DatabaseError as error:
        raise _refused(error) from error
    except ClickHouseError as error:
        raise StoreRefused(f"The ClickHouse client refused: {first_line(error)}.") from error


def _refused(error: BaseException) -> StoreRefused:
    account = getattr(error, "code", None) in _ACCOUNT_CODES
    return StoreRefused(f"ClickHouse refused the request: {first_line(error)}.", fix=_FIX_ACCOUNT if account else "")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, outermost first."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def first_line(error: BaseException) -> str:
    """Return the readable part of a driver's error: the operating system's reason, or the first line of its text."""
    for cause in causes(error):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    for cause in causes(error):
        if isinstance(cause, urllib3.exceptions.HTTPError):  # their messages name internal objects
            timed_out = isinstance(cause, urllib3.exceptions.TimeoutError)
            return "it did not respond in time" if timed_out else "the connection was cut"
    return (str(error) or type(error).__name__).strip().splitlines()[0][:500].rstrip(".")
