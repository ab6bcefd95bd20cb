"""Implements `auditlane events`, which lists a tenant's events as a table or as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as Words

from auditlane.access.scope import TenantScope
from auditlane.cli import filter_options as options
from auditlane.cli.help_text import examples
from auditlane.cli.pipes import ignore_broken_pipe
from auditlane.contract.stored_event import Event
from auditlane.query.filters import Filter
from auditlane.query.geoip import GeoIp
from auditlane.query.reader import Reader
from auditlane.query.sort import NEWEST, Sort, parse_sort
from auditlane.runtime.settings import load

app = typer.Typer(add_completion=False)
PAGE = 200
_WIDTH_WHEN_PIPED = 200
_OUTCOMES = {"success": "green", "failure": "red", "denied": "yellow"}


@app.command(
    epilog=examples(
        "events --tenant acme --limit 50",
        "events --tenant acme --from 2030-01-01 --outcome denied --query 'action:login* -ip:10.0.0.0/8'",
        "events --tenant acme --all --json",
    )
)
@options.filtered
def command(
    tenant: options.Tenant,
    filter_: Filter,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of events.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="List every matching event; ignores --limit.")] = False,
    sort: Annotated[
        str, typer.Option(help="Sortable field of the tenant's data structure; prefix it with - for descending order.")
    ] = str(NEWEST),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line, with every field.")] = False,
) -> None:
    """List and search a tenant's events, newest first.

    Reads ClickHouse directly, at AUDITLANE_CLICKHOUSE_URL.
    """
    scope = TenantScope.for_operator(options.checked_tenant(tenant))
    settings = load()
    geoip, reader = GeoIp(settings.geoip_file), Reader(settings)
    try:
        by = parse_sort(sort, partial(options.structure_of, tenant))
        events = walk(reader, scope, filter_, None if everything else limit, by)
        with ignore_broken_pipe():
            if as_json:
                for event in events:
                    [located] = geoip.located([event])
                    sys.stdout.write(located.model_dump_json() + "\n")
                sys.stdout.flush()
            else:
                _table(events, everything=everything)
    finally:
        reader.close()


def walk(
    reader: Reader, scope: TenantScope, filter_: Filter, limit: int | None, sort: Sort = NEWEST
) -> Iterator[Event]:
    """Yield at most `limit` events in the given order, or every event if it is None, reading one page at a time."""
    left, position = limit, None
    while left is None or left > 0:
        page = reader.page(scope, filter_, limit=min(PAGE, left or PAGE), position=position, sort=sort)
        yield from page.events
        if page.older is None:
            return
        position = page.older
        left = None if left is None else left - len(page.events)


def _table(events: Iterator[Event], *, everything: bool) -> None:
    console = Console(width=None if sys.stdout.isatty() else _WIDTH_WHEN_PIPED)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("Time (UTC)", "Actor", "Action", "Resource", "Outcome", "Severity", "IP"):
        table.add_column(column, overflow="fold", no_wrap=column == "Time (UTC)")
    for event in events:
        table.add_row(*(Words(_printable(cell), style) for cell, style in _cells(event)))
    if table.row_count:
        console.print(table)
    else:
        Console(stderr=True).print("No matching events.")


def _cells(event: Event) -> list[tuple[str, str]]:
    return [
        (event.occurred_at[:19].replace("T", " "), ""),
        (event.actor_name or event.actor_id, ""),
        (event.action, "bold"),
        (" ".join(filter(None, (event.resource, event.resource_id))), ""),
        (event.outcome.value, _OUTCOMES.get(event.outcome.value, "")),
        (event.severity.value, "red" if event.severity.value in ("Critical", "Error") else ""),
        (event.ip or "", ""),
    ]


def _printable(text: str) -> str:
    """Replace control characters, so that an event's text cannot move the cursor or rewrite the screen."""
    return "".join(character if character.isprintable() else "�" for character in text)
