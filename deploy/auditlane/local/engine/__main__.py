"""`python -m auditlane.local.engine --data DIR [--port 0] [--native-port 0] [--users FILE]`: serve until SIGTERM."""

from __future__ import annotations

import argparse
import ipaddress
import json
import os
import secrets
import signal
import sys
import threading
from importlib.util import find_spec
from pathlib import Path

import auditlane
from auditlane.local.confine import confine
from auditlane.local.engine import config, users
from auditlane.local.engine.serving import Servers
from auditlane.local.ports import is_free
from auditlane.runtime.errors import AuditlaneError, ConfigError, MissingExtra, PortInUse, exit_code
from auditlane.runtime.files import private, write_text

_LOOK_S = 0.2
# Not all of /proc: the environment of a process may hold secrets.
_READABLE = ["/usr", "/lib", "/lib64", "/sys", "/dev/null", "/dev/urandom", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat"]
_READABLE += [f"/proc/self/{name}" for name in "cgroup fd maps mountinfo mounts stat statm status".split()]


def main(arguments: list[str] | None = None) -> int:
    """Run the process; its exit code."""
    private()
    parser = argparse.ArgumentParser(prog="python -m auditlane.local.engine", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory, made if missing")
    parser.add_argument("--host", default="127.0.0.1", help="an IPv4 loopback address")
    parser.add_argument("--port", type=int, default=0, help="of HTTP; 0 takes a free one, the ready line names it")
    parser.add_argument("--native-port", type=int, default=0, help="of the native protocol, likewise")
    parser.add_argument("--memory", type=int, default=config.default_memory(), help="bytes that it may take")
    parser.add_argument("--keep-free", type=int, default=config.KEEP_FREE, help="bytes of the disk left alone")
    parser.add_argument("--users", type=Path, help="JSON file: role to password; without it there are no accounts")
    parser.add_argument("--database", default="audit", help="the database that the roles are for")
    given = vars(parser.parse_args(arguments))
    stopping = threading.Event()
    try:
        file = given.pop("users")
        passwords = users.read(file) if file else None
        options = config.Options(**given | {"data": given["data"].resolve(), "host": _loopback(given["host"])})
        for port in filter(None, (options.port, options.native_port)):
            if not is_free(port, options.host):
                raise PortInUse(f"Port {port} of {options.host} is in use.", fix="Give another, or 0 for a free one.")
        with config.owned(options):
            serve(options, passwords, stopping)
    except AuditlaneError as error:
        print(error, file=sys.stderr)
        return exit_code(error)
    return 0


def serve(options: config.Options, passwords: dict[str, str] | None, stopping: threading.Event) -> None:
    """Serve until `stopping`, which SIGTERM and SIGINT set. Raises PartFailed, PortInUse."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # ClickHouse would take what it can read there for a table
    os.chdir(options.folder)
    os.environ["TZ"] = "UTC"  # ClickHouse ends at once for a zone that it has no file of, such as CST-8
    os.environ["TMPDIR"] = str(options.store)
    code = [sys.prefix, sys.base_prefix, *auditlane.__path__, site_packages(), *_READABLE]
    confined = confine([options.data], map(Path, code))
    configuration = Path("config.xml")
    configuration.unlink(missing_ok=True)  # chdb opens and closes a store in memory, which cannot be configured so
    from chdb import _chdb

    own = secrets.token_urlsafe(32)
    write_text(configuration, config.text(options))
    write_text(Path("users.xml"), users.text(passwords, own, options))
    servers = Servers(_chdb, options, own)
    servers.start()
    for number in (signal.SIGTERM, signal.SIGINT):  # in place of the library's handlers, which report a crash
        signal.signal(number, lambda *_: stopping.set())
    http, native = servers.ports
    facts = {"confined": confined, "url": f"http://{options.host}:{http}", "native": f"{options.host}:{native}", "pid": os.getpid()}
    print(json.dumps({"ready": True, "part": "clickhouse", **facts}), flush=True)
    while not stopping.wait(_LOOK_S) and not servers.ended.is_set():
        pass
    servers.stop()


def site_packages() -> Path:
    """Where chdb and the libraries beside it are. Raises MissingExtra."""
    found = find_spec("chdb")
    if found is None or not found.origin:
        raise MissingExtra("The embedded ClickHouse needs chdb-core.", fix="pip install 'auditlane[local]'")
    return Path(found.origin).parent.parent


def _loopback(host: str) -> str:
    """An address that only this machine reaches. Not ::1: from there the process itself comes, without a password."""
    try:
        if ipaddress.IPv4Address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise ConfigError(f"{host} is no IPv4 loopback address, such as 127.0.0.1.", field="--host")


if __name__ == "__main__":
    code = main()
    # The library's threads do not survive the interpreter's teardown reliably; everything is closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
