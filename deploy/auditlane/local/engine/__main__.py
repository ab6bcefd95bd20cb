"""`python -m auditlane.local.engine --data DIR [--host 127.0.0.1] [--port 0]`: run the engine until SIGTERM."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from auditlane.local.engine.config import KEEP_FREE, Layout, default_memory, owned, write
from auditlane.local.engine.embedded import Engine
from auditlane.local.engine.server import Server
from auditlane.local.engine.service import Service
from auditlane.runtime.errors import AuditlaneError, exit_code
from auditlane.runtime.files import private

_DRAIN_S = 10.0


def main(arguments: list[str] | None = None) -> int:
    """Run the process; its exit code."""
    private()
    parser = argparse.ArgumentParser(prog="python -m auditlane.local.engine", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="data directory, made if missing")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one; the ready line names it")
    parser.add_argument("--memory", type=int, default=default_memory(), help="bytes the engine may take")
    parser.add_argument("--keep-free", type=int, default=KEEP_FREE, help="bytes of the disk left alone")
    options = parser.parse_args(arguments)
    layout = Layout(options.data.resolve())
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    try:
        with owned(layout):
            write(layout, memory=options.memory, keep_free=options.keep_free)
            run(layout, options.host, options.port, stopping)
    except AuditlaneError as error:
        print(error, file=sys.stderr)
        return exit_code(error)
    return 0


def run(layout: Layout, host: str, port: int, stopping: threading.Event) -> None:
    """Open the engine, serve until `stopping`, close it. Raises PortInUse, PartFailed, ConfigError."""
    engine = Engine(layout)
    try:
        server = Server(host, port, Service(engine, layout.work))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="http").start()
        print(json.dumps({"ready": True, "part": "clickhouse", "url": server.url, "pid": os.getpid()}), flush=True)
        stopping.wait()
        server.shutdown()
        server.server_close()
        server.drain(_DRAIN_S)
    finally:
        engine.close()


if __name__ == "__main__":
    code = main()
    # The engine's threads do not survive the interpreter's teardown reliably; everything is closed by now.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
