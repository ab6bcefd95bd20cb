"""Implements `auditlane env`, which prints the variables that connect other commands to a stack."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from auditlane.cli.help_text import DataDirectory, examples
from auditlane.local.credentials import Role
from auditlane.local.stack_environment import environment
from auditlane.runtime import settings as settings_

app = typer.Typer(add_completion=False)


class Format(StrEnum):
    SHELL = "shell"
    PLAIN = "plain"
    JSON = "json"


@app.command(epilog=examples("env --format plain", "env --role analyst"))
def command(
    data: DataDirectory = None,
    form: Annotated[
        Format,
        typer.Option("--format", help="Use `shell` to evaluate the output, `plain` for an env file, `json` for JSON."),
    ] = Format.SHELL,
    role: Annotated[
        Role,
        typer.Option(
            "--role",
            help="ClickHouse user to print. `analyst` is read-only; for it, only the ClickHouse variables are printed.",
        ),
    ] = Role.INIT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, like --format json.")] = False,
) -> None:
    """Print the variables that connect other commands to a stack. Evaluate them: eval "$(auditlane env)".

    The output contains the passwords of the stack's parts.
    """
    print(render(environment(settings_.load(data_dir=data), role), Format.JSON if as_json else form))


def render(variables: Mapping[str, str], form: Format) -> str:
    """Return the variables in the given format, sorted by name."""
    if form is Format.JSON:
        return json.dumps(variables, sort_keys=True)
    if form is Format.PLAIN:
        return "\n".join(f"{name}={value}" for name, value in sorted(variables.items()))
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
