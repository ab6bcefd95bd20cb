"""Implements `auditlane version`, which prints the installed versions."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from typing import Annotated

import typer

from auditlane.cli.help_text import examples

app = typer.Typer(add_completion=False)


@app.command(epilog=examples("version --json"))
def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Print the versions of auditlane and Python."""
    facts = {"auditlane": version("auditlane"), "python": platform.python_version()}
    print(json.dumps(facts) if as_json else f"auditlane {facts['auditlane']} (Python {facts['python']})")
