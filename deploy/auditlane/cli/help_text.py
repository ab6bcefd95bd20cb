"""Formats help texts: examples come below the options, paragraphs fill the terminal, and flags have no type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Final

import typer

OPTION_NAMES: Final = ["-h", "--help"]

DataDirectory = Annotated[
    Path | None,
    typer.Option(
        "--data", help="Data directory of the stack.", show_default="AUDITLANE_DATA_DIR, else .data/auditlane"
    ),
]


def examples(*lines: str) -> str:
    """Return an epilog that lists command lines, one per line, without their leading `auditlane`."""
    title = "Examples:" if len(lines) > 1 else "Example:"
    return "\n".join([title, *(f"auditlane {line}" for line in lines)])


def examples_of(epilog: str | None) -> list[str]:
    """Return the command lines in an epilog created by `examples`."""
    return (epilog or "").splitlines()[1:]


def tidy(command: Any) -> Any:
    """Join each paragraph's lines, and remove `<bool>` from flags, in a command and its subcommands."""
    command.help = re.sub(r"(?<!\n)\n(?!\n)", " ", (command.help or "").strip())
    without_flag_types(command.get_params(typer.Context(command, help_option_names=OPTION_NAMES)))
    for child in getattr(command, "commands", {}).values():
        tidy(child)
    return command


def without_flag_types(parameters: list[Any]) -> list[Any]:
    """Remove `<bool>` from the flags among the parameters, in place."""
    for parameter in parameters:
        if getattr(parameter, "is_flag", False):
            parameter.metavar = ""
    return parameters
