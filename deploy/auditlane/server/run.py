"""Runs the app under uvicorn: binds the socket first, reports readiness, and drains the server on SIGTERM."""

from __future__ import annotations

import errno
import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

import uvicorn

from auditlane.runtime import gc_tuning
from auditlane.runtime.errors import AuditlaneError, ConfigError, PortInUse
from auditlane.server.protocol import Protocol

# Interval after which a running thread yields the interpreter. A response needs the interpreter some twenty times; with
# Python's default of 5 ms, a tenant that floods the process would delay other tenants' responses by up to 100 ms.
SWITCH_S: Final = 0.0005


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket. Port 0 selects a free port. Raises PortInUse if the port is taken, and ConfigError if the
    address belongs to another machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only if the protocol is explicit; without it, responses wait 40 ms for delayed ACKs.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"Port {port} on {host} is already in use.",
                fix="Stop the process that listens there, or choose another port: --port or AUDITLANE_SERVE_PORT.",
            ) from error
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", fix="Check --host and --port."
        ) from error
    return bound


def inherited(fd: int) -> socket.socket:
    """Return the listening socket inherited from the parent process. Raises ConfigError if `fd` is not a socket."""
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise ConfigError(
            f"File descriptor {fd} is not a socket.",
            fix="Do not pass --listener: `auditlane serve --processes` sets it.",
        ) from error


def url_of(bound: socket.socket) -> str:
    """Return a URL for this socket that works on the same machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - translated, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allow_files(limit: int = 65_536) -> None:
    """Raise the limit of open files to `limit` or the hard limit, since every connection needs a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self.ready_error: Exception | None = None  # raised by `on_ready`

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.setswitchinterval(SWITCH_S)
        gc_tuning.freeze()

    async def main_loop(self) -> None:
        """Report readiness, then serve. uvicorn shuts down in order when this returns, but not when it raises an
        error.
        """
        try:
            self._on_ready()
        except (AuditlaneError, OSError) as error:
            self.ready_error = error
            return
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End open streams, and then drain. Otherwise, streams would be cut off when the shutdown timeout expires."""
        before_drain = getattr(getattr(self.config.app, "state", None), "before_drain", None)
        if before_drain is not None:
            before_drain()
        await super().shutdown(sockets)


def run(
    app: Any,
    bound: socket.socket,
    *,
    shutdown_timeout_s: float,
    on_ready: Callable[[], None],
) -> None:
    """Serve until SIGTERM or Ctrl-C. Requests in flight then have `shutdown_timeout_s` seconds to finish.

    If `on_ready` raises an AuditlaneError or OSError, the server first shuts down in order, and then raises it.
    """
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,  # logging is already configured
        access_log=False,  # RequestMiddleware logs the request id and no query string
        server_header=False,
        proxy_headers=False,  # the app's ProxyMiddleware reads them
        timeout_graceful_shutdown=max(1, round(shutdown_timeout_s)),
    )
    allow_files()
    # uvicorn raises the signal again after draining, but a requested stop is not a failure.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = _Server(config, on_ready)
    server.run(sockets=[bound])
    if server.ready_error is not None:
        raise server.ready_error
