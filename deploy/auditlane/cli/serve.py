"""Implements `auditlane serve`, which runs the HTTP service in one or more processes."""

from __future__ import annotations

import json
import os
import socket
from typing import Annotated, Any, Final

import typer

from auditlane.cli.help_text import examples
from auditlane.cli.processes import cpu_count
from auditlane.runtime import log, tracing, validators
from auditlane.runtime.settings import Settings, load, variable

app = typer.Typer(add_completion=False)
BACKLOG: Final = 2_048  # maximum number of connections waiting to be accepted


@app.command(epilog=examples("serve", "serve --host 0.0.0.0 --port 8480 --processes 4", "serve --roles ingest"))
def command(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="AUDITLANE_SERVE_HOST, else 127.0.0.1")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; 0 chooses a free port.", show_default="AUDITLANE_SERVE_PORT, else 8480"),
    ] = None,
    roles: Annotated[
        str,
        typer.Option(help="Comma-separated roles: `ingest` accepts events, `query` serves the viewer and the API."),
    ] = "ingest,query",
    processes: Annotated[
        int,
        typer.Option("--processes", "-n", min=0, help="Number of processes on the port; 0 starts one per CPU core."),
    ] = 1,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve the gateway, the query API and the viewer over HTTP.

    Prints one line of JSON to standard output when ready. On SIGTERM, current requests may finish within
    AUDITLANE_SHUTDOWN_TIMEOUT_S.

    With several processes, a process that exits is restarted, and the line is printed when all are ready. Limits apply
    to each process. One-time links work once across all processes, and `/metrics` covers all processes.
    """
    from auditlane.server.app import create_app
    from auditlane.server.run import inherited, listen, run, url_of

    settings = load(serve_host=host, serve_port=port)
    log.configure(settings.log_level, json=settings.log_json)
    tracing.configure(settings, "serve")
    # Also with several processes, so that errors are reported here, once.
    service = create_app(settings, validators.listed(roles))
    bound = listen(settings.serve_host, settings.serve_port) if listener is None else inherited(listener)
    count = processes or cpu_count()
    if count > 1:
        bound.listen(BACKLOG)
        _serve_processes(bound, roles, count, settings)
        return

    def ready() -> None:
        print(json.dumps({"ready": True, "part": "serve", "url": url_of(bound), "pid": os.getpid()}), flush=True)

    try:
        run(service, bound, shutdown_timeout_s=settings.shutdown_timeout_s, on_ready=ready)
    finally:
        tracing.shutdown()


def _serve_processes(bound: socket.socket, roles: str, count: int, settings: Settings) -> None:
    from auditlane.cli.processes import ProcessGroup, command_line
    from auditlane.server import shared_metrics
    from auditlane.server.run import url_of
    from auditlane.trail.lifecycle import recorded

    def ready(ready_lines: list[dict[str, Any]]) -> None:
        facts = {"url": url_of(bound), "pid": os.getpid(), "processes": [{"pid": line["pid"]} for line in ready_lines]}
        print(json.dumps({"ready": True, "part": "serve", **facts}), flush=True)

    command = command_line("serve", "--roles", roles, "--host", settings.serve_host, "--listener", str(bound.fileno()))
    with shared_metrics.folder() as folder, recorded(settings, "serve") as lifecycle:
        own = {variable("trail_lifecycle"): "false"}  # the parent records the group's lifecycle
        group = ProcessGroup(
            command,
            count,
            lambda number: os.environ | own | shared_metrics.variables(folder, number),
            shutdown_timeout_s=settings.shutdown_timeout_s,
            on_ready=ready,
            lifecycle=lifecycle,
            pass_fds=[bound.fileno()],
            on_exit=lambda number: shared_metrics.forget(folder, number),
        )
        code = group.run()
    if code:
        raise typer.Exit(code)
