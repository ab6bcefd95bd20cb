"""Run the app under uvicorn: bind first, say when ready, drain on SIGTERM."""

from __future__ import annotations

import errno
import resource
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvicorn

from auditlane.runtime import gc_tuning
from auditlane.runtime.errors import AuditlaneError, ConfigError, PortInUse
from auditlane.server.protocol import Protocol

# How long a thread at work keeps the interpreter from one that wants it. Every answer needs it some twenty times, and
# at Python's default of 5 ms a tenant that floods the process would delay everybody else's by that.
SWITCH_S: Final = 0.0005


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises PortInUse; ConfigError for a foreign address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio sets TCP_NODELAY only then, without which answers wait 40 ms for delayed ACKs.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"Port {port} on {host} is taken.",
                fix="Stop what listens there, or choose another: --port, AUDITLANE_SERVE_PORT.",
            ) from error
        raise ConfigError(
            f"Cannot listen on {host}:{port}: {error.strerror or error}.", fix="Check --host and --port."
        ) from error
    return bound


def inherited(fd: int) -> socket.socket:
    """The socket that the process which started us listens on for all of us. Raises ConfigError when there is none."""
    try:
        return socket.socket(fileno=fd)
    except OSError as error:
        raise ConfigError(
            f"There is no socket {fd}.", fix="Leave --listener to `auditlane serve --processes`."
        ) from error


def url_of(bound: socket.socket) -> str:
    """The URL that reaches this socket from the same machine."""
    host, port = bound.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - translated, not bound
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def allow_files(most: int = 65_536) -> None:
    """Raise the limit of open files as far as it may be: every connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready
        self.untold: Exception | None = None  # why nobody could be told that it is ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.setswitchinterval(SWITCH_S)
        gc_tuning.freeze()

    async def main_loop(self) -> None:
        """Say that it is ready, then wait for the end. uvicorn shuts down when this returns, not when it raises."""
        try:
            self._on_ready()
        except (AuditlaneError, OSError) as error:
            self.untold = error
            return
        await super().main_loop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Streams end by themselves, rather than being cut off when the drain's time is over."""
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
    proxies: Sequence[str] = (),
) -> None:
    """Serve until SIGTERM or Ctrl-C; requests under way get `shutdown_timeout_s` seconds to finish.

    `proxies` are the addresses and networks whose word for a client's address and scheme is taken. If `on_ready` raises
    an AuditlaneError or OSError, the server shuts down in order, and the error is raised afterwards.
    """
    config = uvicorn.Config(
        app,
        http=Protocol,
        ws="none",
        log_config=None,  # our own logging is set up
        access_log=False,  # the middleware's has the request id, and no query string
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_graceful_shutdown=max(1, round(shutdown_timeout_s)),
    )
    allow_files()
    # uvicorn raises the signal again when it has drained; a stop that was asked for is not a failure.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    server = _Server(config, on_ready)
    server.run(sockets=[bound])
    if server.untold is not None:
        raise server.untold
