"""Runs ClickHouse's own servers. A statement that runs until it is killed starts them, and they are stopped together
with their connections.
"""

from __future__ import annotations

import base64
import http.client
import os
import threading
import time
from contextlib import closing, suppress
from importlib.metadata import version
from typing import Any

from auditlane.local.engine.config import Options
from auditlane.local.engine.users import LAUNCHER
from auditlane.local.ports import shut_down_connections
from auditlane.runtime.errors import PartFailed

# The release whose servers were tested. The package documents no interface to them, so other releases may lack them.
SUPPORTED = "26.9"
_SERVING = "SELECT sleepEachRow(1) FROM numbers(1000000000)"
_STATEMENTS = f"""
SYSTEM START LISTEN TCP;
SYSTEM START LISTEN HTTP;
SELECT getServerPort('http_port'), getServerPort('tcp_port') INTO OUTFILE '/dev/fd/%s' TRUNCATE FORMAT TSV;
{_SERVING} SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1, log_queries = 0 FORMAT Null
"""
_KILL = f"KILL QUERY WHERE startsWith(query, '{_SERVING}') SYNC"
_OTHERS = f"user != '{LAUNCHER}' AND NOT startsWith(query, '{_SERVING}')"
_RUNNING = f"SELECT query_id FROM system.processes WHERE {_OTHERS}"  # noqa: S608 - our names
_POLL_S, _DRAIN_S, _END_S = 0.05, 10.0, 20.0


class Servers:
    """This process's servers for one data directory. Call `start`, wait, and then call `stop`."""

    def __init__(self, library: Any, options: Options, password: str) -> None:
        """Prepare the servers. `library` is chdb-core's extension module, and `password` is the launcher user's
        password.
        """
        self._library = library
        self._options = options
        self._password = password
        self._error = ""
        self.ports = (0, 0)
        self.ended = threading.Event()

    def start(self) -> None:
        """Start both servers, and set `ports`, the HTTP port first. Raises PartFailed."""
        reading, writing = os.pipe()
        threading.Thread(target=self._serve, args=(writing,), name="clickhouse", daemon=True).start()
        with os.fdopen(reading) as pipe:
            line = pipe.readline()  # empty if the process has already ended; its messages may be on stderr
        if not line:
            self.ended.wait()
            message = f"ClickHouse's servers could not be started. {self._error}".strip()
            raise PartFailed(message, fix=advice(version("chdb-core")))
        http_port, native_port = line.split()
        self.ports = int(http_port), int(native_port)
        wrong = base64.b64encode(b"default:wrong").decode()
        self._ask("SELECT 1", {"Authorization": f"Basic {wrong}"})  # locks the process's own user for network access

    def stop(self) -> None:
        """Stop both servers when the current queries have ended, or after ten seconds."""
        until = time.monotonic() + _DRAIN_S
        running = set(self._ask(_RUNNING))
        while running & set(self._ask(_RUNNING)) and time.monotonic() < until:
            self.ended.wait(_POLL_S)
        until = time.monotonic() + (_END_S if self._ask(_KILL) else 0)
        while not self.ended.wait(_POLL_S) and time.monotonic() < until:
            # Otherwise, the server would wait for idle connections, and then end without cleaning up.
            shut_down_connections(self.ports)

    def _serve(self, ports_fd: int) -> None:
        try:
            result = self._library.query(_STATEMENTS % ports_fd, "TSV", path=str(self._options.store))
            self._error = result.error_message().partition(", Stack trace")[0] if result.has_error() else ""
        except Exception as error:
            self._error = str(error)
        os.close(ports_fd)
        self.ended.set()

    def _ask(self, statement: str, account: dict[str, str] | None = None) -> list[str]:
        """Run a statement, and return the words of its result. The list is empty once the servers have ended."""
        headers = account or {"X-ClickHouse-User": LAUNCHER, "X-ClickHouse-Key": self._password}
        with (
            suppress(OSError, http.client.HTTPException),
            closing(http.client.HTTPConnection(self._options.host, self.ports[0], timeout=_END_S)) as connection,
        ):
            connection.request("POST", "/", statement, headers)
            return connection.getresponse().read().decode("utf-8", "replace").split()
        return []


def advice(installed: str) -> str:
    """Return the fix if the installed release of chdb-core is not the supported one, or an empty string."""
    fix = f"Replace chdb-core {installed} with a supported release: pip install 'chdb-core=={SUPPORTED}.*'"
    return "" if installed.startswith(f"{SUPPORTED}.") else fix
