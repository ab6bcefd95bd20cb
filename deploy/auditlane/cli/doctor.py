"""`auditlane doctor`: check every part and print fixes. Exit code 1 when a check fails."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from auditlane.cli.help_text import DataDirectory, examples
from auditlane.local.doctor.finding import Level
from auditlane.local.doctor.run import examine
from auditlane.runtime import settings as settings_

app = typer.Typer(add_completion=False)
_LABELS = {Level.OK: "[green]ok  [/]", Level.WARN: "[yellow]warn[/]", Level.FAIL: "[red]fail[/]"}


@app.command(epilog=examples("doctor", "doctor --json"))
def command(
    data: DataDirectory = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every part of an installation, embedded or not, and print fixes.

    Exit code 0 when no check fails (warnings are allowed), 1 otherwise.
    """
    out = Console(soft_wrap=True, highlight=False)
    findings = []
    for finding in examine(settings_.load(data_dir=data)):
        findings.append(finding)
        if not as_json:
            out.print(f"{_LABELS[finding.level]}  {finding.part:<11}{escape(finding.message)}")
            if finding.fix:
                out.print(f"                 → {escape(finding.fix)}")
    healthy = not any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        print(json.dumps({"healthy": healthy, "findings": [asdict(finding) for finding in findings]}))
    if not healthy:
        raise typer.Exit(1)
