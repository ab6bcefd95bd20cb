"""Implements `auditlane canary`, which sends small events and waits until readers can see them."""

from __future__ import annotations

import json
import os
import signal
import threading
from typing import Annotated, Final, Literal

import typer

from auditlane.cli.help_text import examples
from auditlane.observe.canary import process
from auditlane.observe.canary.trip import Outcome
from auditlane.runtime import log
from auditlane.runtime.errors import InvalidInput, exit_code
from auditlane.runtime.settings import load

app = typer.Typer(add_completion=False)
PORT: Final = 8_483
_INTERRUPTED: Final = 130


@app.command(epilog=examples("canary --once", "canary --once --json --through store", "canary --port 8483"))
def command(
    once: Annotated[bool, typer.Option("--once", help="Send one event, print its result, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print JSON.")] = False,
    through: Annotated[
        Literal["api", "store"] | None,
        typer.Option(
            help="Where to look for an event: the query API at AUDITLANE_SERVE_URL, or ClickHouse.",
            show_default="api if AUDITLANE_SERVE_URL is set, else store",
        ),
    ] = None,
    every: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds between two events.", show_default="AUDITLANE_CANARY_EVERY_S, else 15"),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Port of /metrics and /health; 0 chooses a free port.",
            show_default=str(PORT),
        ),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address that it listens on.", show_default="AUDITLANE_WORKER_HOST")
    ] = None,
) -> None:
    """Send small signed events to Kafka regularly, and wait until readers can see each of them.

    Each event has one of these results: visible; late, if that took longer than AUDITLANE_CANARY_LATE_S; lost, if it
    was not visible within AUDITLANE_CANARY_LOST_S; or refused, if Kafka or the registry did not accept it. At most one
    event is in flight at a time. Events appear in the log of `_auditlane`, with the action `canary.sent`.

    Until Ctrl-C, `/metrics` shows the results and times. `/health/ready` fails while an event is overdue or the last
    event was not visible in time, and `/health/live` if the canary itself has stopped. One line of JSON is printed once
    it is listening.

    With --once, the exit code is 0 if the event is visible in time and 1 if it is late or lost. If it is refused, the
    exit code is the error's, such as 6 while Kafka is unreachable.
    """
    settings = load(canary_every_s=every, worker_host=host)
    if once and (port is not None or host is not None):
        raise InvalidInput(
            "--once cannot be combined with --port or --host.", field="--once", fix="Run the command twice."
        )
    if as_json and not once:
        raise InvalidInput("--json requires --once.", field="--json", fix="Add --once.")
    sight = process.sight_of(settings, through)
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if once:
            outcome = process.once(settings, sight, stop)
        else:
            log.configure(settings.log_level, json=settings.log_json)
            port = PORT if port is None else port
            process.run(settings, sight, settings.worker_host, port, stop=stop, on_ready=_ready)
            return
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if outcome is None:
        raise typer.Exit(_INTERRUPTED)
    print(json.dumps(_document(outcome)) if as_json else _sentence(outcome))
    if outcome.result != "visible":
        raise typer.Exit(exit_code(outcome.error) if outcome.error else 1)


def _ready(url: str) -> None:
    print(json.dumps({"ready": True, "part": "canary", "url": url, "pid": os.getpid()}), flush=True)


def _document(outcome: Outcome) -> dict[str, object]:
    times = {"acknowledged_s": outcome.acknowledged_s, "visible_s": outcome.visible_s}
    rounded = {name: None if value is None else round(value, 3) for name, value in times.items()}
    code = {"code": outcome.error.code} if outcome.error else {}
    return {"result": outcome.result, "event_id": outcome.event_id, **rounded, "problem": outcome.problem, **code}


def _sentence(outcome: Outcome) -> str:
    if outcome.visible_s is None:
        return f"{outcome.result}: {outcome.problem}"
    return f"{outcome.result} after {outcome.visible_s:.2f} s; acknowledged after {outcome.acknowledged_s or 0:.2f} s."
