"""`auditlane serve`: the HTTP service."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from auditlane.runtime import log
from auditlane.runtime.settings import load

app = typer.Typer(add_completion=False)


@app.command()
def command(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [AUDITLANE_SERVE_HOST]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [AUDITLANE_SERVE_PORT]")] = None,
    roles: Annotated[
        str, typer.Option(help="What to serve, separated by commas: ingest takes events, query shows them.")
    ] = "ingest,query",
) -> None:
    """Answer over HTTP: take events, show the log's pages and JSON API.

    Prints one line of JSON when it is ready; stops on SIGTERM.
    """
    from auditlane.server.app import create_app
    from auditlane.server.run import listen, run, url_of

    settings = load(serve_host=host, serve_port=port)
    log.configure(settings.log_level, json=settings.log_json)
    service = create_app(settings, [role.strip() for role in roles.split(",") if role.strip()])
    bound = listen(settings.serve_host, settings.serve_port)

    def ready() -> None:
        print(json.dumps({"ready": True, "part": "serve", "url": url_of(bound), "pid": os.getpid()}), flush=True)

    run(service, bound, drain_s=settings.drain_s, on_ready=ready)
