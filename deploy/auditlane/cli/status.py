"""Implements `auditlane status`, which shows the state of the stack in a data directory."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from auditlane.cli.help_text import DataDirectory, examples
from auditlane.local.status import report
from auditlane.runtime import settings as settings_
from auditlane.runtime.errors import Unavailable, exit_code

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("status", "status --data /srv/auditlane --json"))
def command(
    data: DataDirectory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the state of the stack in a data directory, after probing every part.

    The exit code is 0 if every part is ready, and 6 otherwise.
    """
    found = report(settings_.load(data_dir=data))
    if as_json:
        print(json.dumps(found))
    else:
        table = Table("part", "state", "process", "url", "starts", box=None, pad_edge=False)
        for row in [*found["parts"], *found["extras"]]:
            colour = "green" if row["state"] in ("ready", "done", "external") else "red"
            process = str(row["pid"] or "")
            table.add_row(row["name"], f"[{colour}]{row['state']}[/]", process, row["url"], str(row["starts"]))
            if native := row.get("native"):
                table.add_row("", "", "", f"{native} (native protocol)", "")
        out = Console(soft_wrap=True, highlight=False)
        out.print(table)
        for row in found["parts"]:
            for sentence in row.get("remarks", []):
                out.print(f"\n[yellow]{row['name']}:[/] {escape(sentence)}")
        if found["pid"] is None:
            out.print(f"\nNo stack is running in {found['data']}. Start it: auditlane up --data {found['data']}")
    if not found["ready"]:
        raise typer.Exit(exit_code(Unavailable))
