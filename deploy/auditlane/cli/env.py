"""`auditlane env`: the variables that point other commands at a stack."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from auditlane.local.credentials import Role
from auditlane.local.status import environment
from auditlane.runtime import settings as settings_

app = typer.Typer(add_completion=False)


class Format(StrEnum):
    SHELL = "shell"
    PLAIN = "plain"
    JSON = "json"


@app.command()
def command(
    data: Annotated[Path | None, typer.Option("--data", help="The stack's data directory.", show_default=False)] = None,
    form: Annotated[
        Format, typer.Option("--format", help="`shell` to evaluate, `plain` for an env file, or `json`.")
    ] = Format.SHELL,
    role: Annotated[
        Role, typer.Option("--role", help="The user of ClickHouse; `analyst`, who only reads, gets nothing else.")
    ] = Role.INIT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Print the variables that point other commands at a stack: eval "$(auditlane env --data DIR)".

    They hold the passwords of its parts.
    """
    print(render(environment(settings_.load(data_dir=data), role), Format.JSON if as_json else form))


def render(variables: Mapping[str, str], form: Format) -> str:
    """The variables in one of the formats, sorted by name."""
    if form is Format.JSON:
        return json.dumps(variables, sort_keys=True)
    if form is Format.PLAIN:
        return "\n".join(f"{name}={value}" for name, value in sorted(variables.items()))
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
