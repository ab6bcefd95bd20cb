"""`auditlane serve`: the HTTP service."""

from __future__ import annotations

import json
import os
import socket
from typing import Annotated, Any, Final

import typer

from auditlane.cli.processes import cpu_count
from auditlane.runtime import log, validators
from auditlane.runtime.settings import Settings, load

app = typer.Typer(add_completion=False)
BACKLOG: Final = 2_048  # connections that wait for a process to take them


@app.command()
def command(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [AUDITLANE_SERVE_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [AUDITLANE_SERVE_PORT]")] = None,
    roles: Annotated[
        str, typer.Option(help="What to serve, separated by commas: ingest takes events, query shows them.")
    ] = "ingest,query",
    processes: Annotated[
        int, typer.Option("--processes", "-n", min=0, help="How many processes share the port; 0 means one a core.")
    ] = 1,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Answer over HTTP: take events, show the log's pages and JSON API.

    Prints one line of JSON when it is ready. SIGTERM lets current requests finish within AUDITLANE_SHUTDOWN_TIMEOUT_S.

    With several processes, one that ends is started again, and the line is printed once all are ready. Limits and
    `/metrics` are of each process by itself; a link works once in all of them.
    """
    from auditlane.server.app import create_app
    from auditlane.server.run import inherited, listen, run, url_of

    settings = load(serve_host=host, serve_port=port)
    log.configure(settings.log_level, json=settings.log_json)
    service = create_app(settings, validators.listed(roles))  # with several processes too: errors show at once
    bound = listen(settings.serve_host, settings.serve_port) if listener is None else inherited(listener)
    count = processes or cpu_count()
    if count > 1:
        bound.listen(BACKLOG)
        _serve_processes(bound, roles, count, settings)
        return

    def ready() -> None:
        print(json.dumps({"ready": True, "part": "serve", "url": url_of(bound), "pid": os.getpid()}), flush=True)

    proxies = validators.listed(settings.trusted_proxies)
    run(service, bound, shutdown_timeout_s=settings.shutdown_timeout_s, on_ready=ready, proxies=proxies)


def _serve_processes(bound: socket.socket, roles: str, count: int, settings: Settings) -> None:
    from auditlane.cli.processes import ProcessGroup, command_line
    from auditlane.server.run import url_of

    def ready(ready_lines: list[dict[str, Any]]) -> None:
        facts = {"url": url_of(bound), "pid": os.getpid(), "processes": [{"pid": line["pid"]} for line in ready_lines]}
        print(json.dumps({"ready": True, "part": "serve", **facts}), flush=True)

    command = command_line("serve", "--roles", roles, "--host", settings.serve_host, "--listener", str(bound.fileno()))
    group = ProcessGroup(
        command,
        count,
        lambda _: os.environ,
        shutdown_timeout_s=settings.shutdown_timeout_s,
        on_ready=ready,
        pass_fds=[bound.fileno()],
    )
    if code := group.run():
        raise typer.Exit(code)
