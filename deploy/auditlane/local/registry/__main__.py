"""Runs the registry as a process. It locks its data folder, binds its port, prints a ready line, and stops on
SIGTERM.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn

from auditlane.local.directory_lock import lock_directory
from auditlane.local.registry.api import routes
from auditlane.local.registry.authentication import RequestGuard, read_users
from auditlane.local.registry.http import App
from auditlane.local.registry.service import Registry
from auditlane.local.registry.store import Store
from auditlane.runtime.errors import AuditlaneError, PartFailed, PortInUse, exit_code
from auditlane.runtime.files import private
from auditlane.runtime.validators import is_loopback


class _Server(uvicorn.Server):
    """Prints the ready line when it accepts requests."""

    def __init__(self, app: App, url: str) -> None:
        config = uvicorn.Config(
            app, http="h11", ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
            timeout_graceful_shutdown=3,
        )  # fmt: skip
        super().__init__(config)
        self._url = url

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        print(json.dumps({"ready": True, "part": "registry", "url": self._url, "pid": os.getpid()}), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT and return the exit code."""
    private()
    options = _options(arguments)
    try:
        _run(
            options.data,
            options.host,
            options.port,
            RequestGuard(read_users(options.users), on_loopback=is_loopback(options.host)),
        )
    except AuditlaneError as error:
        print(f"error {error.code}: {error}", file=sys.stderr)
        return exit_code(error)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m auditlane.local.registry", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the database")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=_port, default=0, help="port to listen on; 0 chooses a free port")
    parser.add_argument(
        "--users", type=Path, help="JSON file of passwords by user name; without it no password is required"
    )
    return parser.parse_args(arguments)


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise argparse.ArgumentTypeError("a port is a number from 0 to 65535")
    return port


def _run(data: Path, host: str, port: int, guard: RequestGuard) -> None:
    with lock_directory(data, "registry"):
        listening = _bind(host, port)
        store = _open(data / "registry.sqlite")
        try:
            address = f"[{host}]" if ":" in host else host
            server = _Server(App(routes(Registry(store)), guard), f"http://{address}:{listening.getsockname()[1]}")

            def stop(*_: object) -> None:
                server.should_exit = True

            # uvicorn raises a signal again after stopping, which would make a clean stop look like a crash.
            signal.signal(signal.SIGTERM, stop)
            signal.signal(signal.SIGINT, stop)
            server.run(sockets=[listening])
        finally:
            store.close()
            listening.close()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With an explicit protocol, since only then does asyncio disable Nagle's algorithm on its connections.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        message = f"The registry cannot listen on {host}:{port}: {error.strerror}."
        if error.errno != errno.EADDRINUSE:
            raise PartFailed(message, fix="Pass another --host or --port.") from error
        fix = "Stop the process that listens on it, or pass another --port (0 chooses a free one)."
        raise PortInUse(message, fix=fix) from error
    listening.set_inheritable(True)
    return listening


def _open(path: Path) -> Store:
    try:
        return Store(path)
    except sqlite3.Error as error:
        raise PartFailed(f"The registry cannot open {path}: {error}.", fix="Check the disk and the file.") from error


if __name__ == "__main__":
    sys.exit(main())
