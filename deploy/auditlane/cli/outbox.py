"""Implements `auditlane outbox`, which sends the events of a transactional outbox to Kafka and shows which rows are
waiting.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import typer

from auditlane.cli.help_text import examples
from auditlane.cli.plural import number_of
from auditlane.runtime import log
from auditlane.runtime.errors import InvalidInput, Unavailable, exit_code
from auditlane.runtime.settings import load

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Send the events of a transactional outbox to Kafka.",
    epilog=examples("outbox ddl postgresql", "outbox relay --url postgresql+psycopg://app@localhost/app"),
)
PORT: Final = 8_484
_INTERRUPTED: Final = 130
_SHOWN: Final = 20

Url = Annotated[str | None, typer.Option(help="SQLAlchemy URL of the database.", show_default="AUDITLANE_OUTBOX_URL")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog=examples("outbox relay", "outbox relay --once", "outbox relay --port 8484 --ordered"))
def relay(
    url: Url = None,
    once: Annotated[bool, typer.Option("--once", help="Send the waiting rows, and exit.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: print JSON.")] = False,
    ordered: Annotated[
        bool | None,
        typer.Option(
            "--ordered", help="Keep the order of each tenant's events.", show_default="AUDITLANE_OUTBOX_ORDERED"
        ),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0, max=65_535, help="Port of /metrics and /health; 0 chooses a free port.", show_default=str(PORT)
        ),
    ] = None,
) -> None:
    """Send rows to Kafka, and delete those that Kafka has acknowledged.

    Several relays may share a table. With --ordered, they never send the events of one tenant at the same time. On
    SQLite, run only one relay. A row is set aside with the reason if the contract of its tenant rejects it, or if Kafka
    refuses it repeatedly. `auditlane outbox status` shows these rows.

    Once the relay is ready, it prints one line of JSON. It runs until Ctrl-C. `/health/ready` fails while rows cannot
    be sent.

    With --once, the exit code is 0 if all rows were sent, and 1 if rows were set aside. Otherwise it is that of the
    error, such as 6 if Kafka is unreachable.
    """
    if once and port is not None:
        raise InvalidInput("--once cannot be combined with --port.", field="--once", fix="Run the command twice.")
    if as_json and not once:
        raise InvalidInput("--json requires --once.", field="--json", fix="Add --once.")
    from sqlalchemy.exc import SQLAlchemyError

    from auditlane.outbox import loop, process
    from auditlane.outbox.store import opened, problem_of
    from auditlane.sdk import AuditClient

    settings = load(outbox_url=url, outbox_ordered=ordered)
    with _until_stopped() as stop, opened(settings) as store, AuditClient(url="", on_error=lambda *_: None) as client:
        if not once:
            log.configure(settings.log_level, json=settings.log_json)
            process.run(settings, store, client, PORT if port is None else port, stop=stop, on_ready=_ready)
            return
        try:
            done = loop.drain(process.relay_of(settings, store, client), stop)
        except SQLAlchemyError as error:
            raise Unavailable(f"The outbox's database failed: {problem_of(error)}.") from error
    if as_json:
        problem = str(done.error) if done.error else ""
        print(json.dumps({"sent": done.sent, "set_aside": done.set_aside, "problem": problem}))
    else:
        print(f"Sent {number_of(done.sent, 'event')}; {done.set_aside} set aside.")
    if done.error is not None:
        if not as_json:
            raise done.error
        raise typer.Exit(exit_code(done.error))
    if stop.is_set():
        raise typer.Exit(_INTERRUPTED)
    if done.set_aside:
        raise typer.Exit(1)


@app.command(epilog=examples("outbox status", "outbox status --json"))
def status(url: Url = None, as_json: AsJson = False) -> None:
    """Show how many rows are waiting, and which rows were set aside and why.

    The exit code is 1 if there are rows that were set aside.
    """
    from auditlane.outbox.store import opened

    with opened(load(outbox_url=url)) as store:
        backlog, aside = store.backlog(datetime.now(UTC)), store.set_aside(_SHOWN)
    if as_json:
        document = {"waiting": backlog.waiting, "oldest_s": round(backlog.oldest_s, 1), "set_aside": backlog.set_aside}
        print(json.dumps(document | {"rows": aside}, default=str))
    else:
        print(f"{number_of(backlog.waiting, 'event')} waiting, the oldest for {backlog.oldest_s:.0f} s.")
        print(f"{number_of(backlog.set_aside, 'event')} set aside.")
        for row in aside:
            print(f"  {row['id']} of {row['aggregateid']}: {row['problem']}")
    if backlog.set_aside:
        raise typer.Exit(1)


@app.command(epilog=examples("outbox retry"))
def retry(url: Url = None) -> None:
    """Put rows that were set aside back into the queue, for example after the tenant's contract was corrected."""
    from auditlane.outbox.store import opened

    with opened(load(outbox_url=url)) as store:
        print(f"{number_of(store.retry(), 'event')} waiting again.")


@app.command(epilog=examples("outbox ddl postgresql", "outbox ddl mariadb"))
def ddl(
    dialect: Annotated[
        Literal["postgresql", "mariadb", "mysql", "sqlite"],
        typer.Argument(help="Kind of database.", show_default=False),
    ],
) -> None:
    """Print the statement that creates the table, for those who write migrations by hand."""
    from sqlalchemy import MetaData
    from sqlalchemy.dialects import registry
    from sqlalchemy.schema import CreateTable

    from auditlane.outbox.sqlalchemy import outbox_table

    schema, _, name = load().outbox_table.rpartition(".")
    table = outbox_table(MetaData(), name, schema or None)
    kind = registry.load("mysql" if dialect == "mariadb" else dialect)
    print(f"{str(CreateTable(table).compile(dialect=kind())).strip()};")


@contextmanager
def _until_stopped() -> Iterator[threading.Event]:
    """Yield an event that is set by Ctrl-C or SIGTERM."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ready(url: str) -> None:
    print(json.dumps({"ready": True, "part": "outbox", "url": url, "pid": os.getpid()}), flush=True)
