"""`auditlane worker`: move events from Kafka to ClickHouse, exactly once."""

from __future__ import annotations

import json
import os

import typer

from auditlane.runtime import log, settings
from auditlane.worker.service import Service, stopped_by_signals

app = typer.Typer()


@app.command()
def command() -> None:
    """Move events from Kafka to ClickHouse, exactly once.

    Prints one JSON line on standard output once it has joined its consumer group. SIGTERM stores what is held and ends
    within AUDITLANE_DRAIN_S; SIGKILL at any moment is safe too.
    """
    read = settings.load()
    log.configure(read.log_level, json=read.log_json)
    service = Service(read, on_ready=_ready)
    with stopped_by_signals(service):
        service.run()


def _ready(url: str) -> None:
    print(json.dumps({"ready": True, "part": "worker", "url": url, "pid": os.getpid()}), flush=True)
