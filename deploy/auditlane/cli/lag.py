"""Implements `auditlane lag`, which shows consumer lag per partition once, in a live table, or as metrics over HTTP."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from contextlib import closing, suppress
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from auditlane.cli.help_text import examples
from auditlane.operations.lag import GroupLag, PartitionLag, document, total
from auditlane.runtime import log
from auditlane.runtime.errors import InvalidInput
from auditlane.runtime.settings import Settings, load

app = typer.Typer(add_completion=False)
_OVER_LIMIT = 1
_WIDTH_WHEN_PIPED = 200


@app.command(
    epilog=examples("lag --watch", "lag --group auditlane-worker --max-lag 100000 --max-age 300", "lag --serve 8482")
)
def command(
    group: Annotated[
        str | None, typer.Option("--group", help="Consumer group.", show_default="AUDITLANE_CONSUMER_GROUP")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh the table until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.2, help="Refresh interval of --watch, in seconds.")] = 2.0,
    max_lag: Annotated[
        int | None,
        typer.Option("--max-lag", min=0, help="Exit with code 1 when the total lag exceeds this number of messages."),
    ] = None,
    max_age: Annotated[
        float | None,
        typer.Option(
            "--max-age", min=0, help="Exit with code 1 when the oldest message is older than this, in seconds."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON; with --watch, one line per refresh.")] = False,
    serve: Annotated[
        int | None,
        typer.Option(
            "--serve",
            min=0,
            max=65_535,
            help="Serve the lag and the open dead letters as metrics on this port until Ctrl-C; 0 chooses a free port.",
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="Address that --serve listens on.", show_default="AUDITLANE_WORKER_HOST"),
    ] = None,
) -> None:
    """Show consumer lag per partition.

    The exit code is 0 if the brokers responded and no limit is exceeded, 1 above --max-lag or --max-age, 3 if the group
    does not exist, and 6 if Kafka is unreachable. Ctrl-C ends --watch and --serve with exit code 0.

    With --serve, Kafka is read every 15 seconds. `/metrics` shows the last values, even while no worker is running.
    `/health/ready` fails while the group's lag cannot be read, and `/health/live` when the exporter has stalled. One
    line of JSON is printed once it is listening.
    """
    settings = load(consumer_group=group, worker_host=host)
    if serve is not None:
        if watch or as_json or max_lag is not None or max_age is not None:
            raise InvalidInput(
                "--serve cannot be combined with --watch, --json, --max-lag or --max-age.",
                field="--serve",
                fix="Run the command twice.",
            )
        _serve(settings, serve)
        return
    if host is not None:
        raise InvalidInput("--host requires --serve.", field="--host", fix="Add --serve PORT.")
    with closing(GroupLag(settings)) as group_lag:
        rows = group_lag.rows()
        if watch:
            with suppress(KeyboardInterrupt):
                _watch(group_lag, rows, settings.consumer_group, every, as_json)
            return
    if as_json:
        print(json.dumps(document(settings.consumer_group, rows)))
    else:
        _console().print(table(settings.consumer_group, rows))
    found = total(rows)
    if (max_lag is not None and found.lag > max_lag) or (max_age is not None and found.age_s > max_age):
        raise typer.Exit(_OVER_LIMIT)


def _serve(settings: Settings, port: int) -> None:
    from auditlane.operations import exporter  # the other forms of the command need no metrics library

    log.configure(settings.log_level, json=settings.log_json)

    def ready(url: str) -> None:
        print(json.dumps({"ready": True, "part": "lag", "url": url, "pid": os.getpid()}), flush=True)

    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        exporter.run(settings, settings.worker_host, port, stop=stop, on_ready=ready)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch(group_lag: GroupLag, rows: list[PartitionLag], group: str, every: float, as_json: bool) -> None:
    if as_json:
        while True:
            print(json.dumps(document(group, rows)), flush=True)
            time.sleep(every)
            rows = group_lag.rows()
    with Live(table(group, rows), console=_console(), auto_refresh=False) as live:
        while True:
            time.sleep(every)
            rows = group_lag.rows()
            live.update(table(group, rows), refresh=True)


def _console() -> Console:
    """Return a console as wide as the terminal, or 200 columns wide if the output is piped."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _WIDTH_WHEN_PIPED)


def table(group: str, rows: list[PartitionLag]) -> Table:
    """Return a table with one row per partition and a footer with the totals."""
    found = total(rows)
    lines = Table(title=f"group {group}", title_justify="left", box=None, pad_edge=False, show_footer=True)
    lines.add_column("partition", footer="all")
    lines.add_column("committed", justify="right")
    lines.add_column("end", justify="right")
    lines.add_column("lag", justify="right", footer=f"{found.lag:,}")
    lines.add_column("oldest", justify="right", footer=age(found.age_s) if found.lag else "")
    lines.add_column("member")
    for row in rows:
        failing = ""
        if row.failing_s is not None:
            failing = f"  [red]failing for {age(row.failing_s)}: {escape(row.error)}[/]"
        lost = f"  [red]{row.lost:,} deleted before being read[/]" if row.lost else ""
        lines.add_row(
            str(row.partition).replace("[", r"\["),
            "—" if row.committed is None else f"{row.committed:,}",
            f"{row.end:,}",
            f"{row.lag:,}" if not row.lag else f"[yellow]{row.lag:,}[/]",
            "" if row.age_s is None else age(row.age_s),
            (row.member.rpartition("/")[2] or ("[red]none[/]" if row.lag else "none")) + lost + failing,
        )
    return lines


def age(seconds: float) -> str:
    """Format a duration in one unit, as in `0.4 s`, `5 min` or `2.1 d`."""
    for size, unit, digits in ((86_400, "d", 1), (3_600, "h", 1), (60, "min", 0)):
        if seconds >= size:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
