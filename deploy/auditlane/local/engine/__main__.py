"""Serve until SIGTERM: `python -m auditlane.local.engine --data DIR [--port 0] [--native-port 0] [--users FILE]`."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import secrets
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from auditlane.local.directory_lock import lock_directory
from auditlane.local.engine import config, users
from auditlane.local.engine.serving import Servers
from auditlane.local.landlock import confine, readable_paths
from auditlane.local.ports import assign
from auditlane.runtime.errors import AuditlaneError, ConfigError, PartFailed, exit_code
from auditlane.runtime.files import private, write_text

_POLL_S = 0.2


def main(arguments: list[str] | None = None) -> int:
    """Run the process and return its exit code."""
    private()
    parser = argparse.ArgumentParser(prog="python -m auditlane.local.engine", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory, created if missing")
    parser.add_argument("--host", default="127.0.0.1", help="an IPv4 loopback address")
    parser.add_argument("--port", type=int, default=0, help="HTTP port; 0 chooses a free port: see the ready line")
    parser.add_argument("--native-port", type=int, default=0, help="port of the native protocol; 0 chooses a free port")
    parser.add_argument("--memory", type=int, default=config.default_memory(), help="memory limit, in bytes")
    parser.add_argument("--keep-free", type=int, default=config.KEEP_FREE, help="disk space to keep free, in bytes")
    parser.add_argument(
        "--users", type=Path, help="JSON file with the roles' passwords; without it there are no accounts"
    )
    parser.add_argument("--database", default="audit", help="database that the roles may use")
    given = vars(parser.parse_args(arguments))
    try:
        file = given.pop("users")
        passwords = users.read(file) if file else None
        options = config.Options(**given | {"data": given["data"].resolve(), "host": _loopback(given["host"])})
        assign(("HTTP", "TCP"), {"HTTP": options.port, "TCP": options.native_port}, {})  # raises if a port is taken
        with lock_directory(options.data, "ClickHouse"):
            config.prepare(options)
            serve(options, passwords)
    except AuditlaneError as error:
        print(error, file=sys.stderr)
        return exit_code(error)
    return 0


def serve(options: config.Options, passwords: dict[str, str] | None) -> None:
    """Serve until SIGTERM or SIGINT. Raises PartFailed."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # ClickHouse would read standard input as a table
    os.chdir(options.folder)
    # ClickHouse exits immediately for a time zone without a file, such as CST-8.
    os.environ.update(TZ="UTC", TMPDIR=str(options.store), JE_MALLOC_CONF=config.MALLOC)
    confined = confine([options.data], readable_paths("chdb"))
    # importing chdb opens an in-memory store, which must not read this file
    (configuration := Path("config.xml")).unlink(missing_ok=True)
    from chdb import _chdb

    password = secrets.token_urlsafe(32)
    write_text(configuration, config.text(options, [] if passwords is None else [*passwords, users.LAUNCHER]))
    write_text(Path("users.xml"), users.text(passwords, password, options))
    servers = Servers(_chdb, options, password)
    servers.start()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # replace the library's handlers, which report a crash
        signal.signal(number, lambda *_: stopping.set())
    http, native = servers.ports
    facts = {"url": f"http://{options.host}:{http}", "native": f"{options.host}:{native}", "confined": confined}
    print(json.dumps({"ready": True, "part": "clickhouse", "pid": os.getpid(), **facts}), flush=True)
    while not stopping.wait(_POLL_S) and not servers.ended.is_set():
        pass
    if not stopping.is_set():
        raise PartFailed("ClickHouse's servers ended unexpectedly.")
    servers.stop()


def _loopback(host: str) -> str:
    """Return `host` if it is an IPv4 loopback address. Raises ConfigError."""
    with suppress(ValueError):
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    raise ConfigError(f"{host} is not an IPv4 loopback address.", field="--host", fix="Use 127.0.0.1.")


if __name__ == "__main__":
    status = main()
    # The library's threads may crash while the interpreter exits; everything is closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
