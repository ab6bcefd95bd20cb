"""`auditlane doctor`: reach every part and say what to fix. Exit code 1 when something must be fixed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from auditlane.local.doctor.finding import Level
from auditlane.local.doctor.run import examine
from auditlane.runtime import settings as settings_

app = typer.Typer(add_completion=False)
_LABELS = {Level.OK: "[green]ok  [/]", Level.WARN: "[yellow]warn[/]", Level.FAIL: "[red]fail[/]"}


@app.command()
def command(
    data: Annotated[Path | None, typer.Option("--data", help="The stack's data directory.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Reach every part, embedded or not, and say what to fix."""
    out = Console(soft_wrap=True, highlight=False)
    found = []
    for finding in examine(settings_.load(data_dir=data)):
        found.append(finding)
        if not as_json:
            out.print(f"{_LABELS[finding.level]}  {finding.part:<11}{escape(finding.message)}")
            if finding.fix:
                out.print(f"                 → {escape(finding.fix)}")
    healthy = not any(one.level is Level.FAIL for one in found)
    if as_json:
        print(json.dumps({"healthy": healthy, "findings": [asdict(one) for one in found]}))
    if not healthy:
        raise typer.Exit(1)
