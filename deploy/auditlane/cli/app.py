"""The root command.

A subcommand's module is imported only when the subcommand runs. This keeps `--help` fast, and an installation needs
only the extras of the commands that it uses.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from auditlane.cli import help_text
from auditlane.cli.subcommands import SUBCOMMANDS, Subcommand, find

SUMMARY = "Audit logs for every tenant of a SaaS product: emit, store exactly once, view, export."


class LazyGroup(typer.core.TyperGroup):
    """A group that lists its subcommands' names and summaries without importing them."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, including those for shell completion."""
        return help_text.without_flag_types(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        return [subcommand.name for subcommand in SUBCOMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a stub with the subcommand's name and summary. `resolve_command` loads the subcommand itself."""
        found = find(cmd_name)
        return found and typer.core.TyperCommand(found.name, help=found.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        found = find(name or "")
        return name, load(found) if found else stub, rest


def load(found: Subcommand) -> Any:
    """Import a subcommand. Raises ModuleNotFoundError if it needs a module that is not installed."""
    command = typer.main.get_command(importlib.import_module(found.module).app)
    command.name, command.help = found.name, command.help or found.help
    return help_text.tidy(command)


app = typer.Typer(
    cls=LazyGroup,
    name="auditlane",
    help=SUMMARY,
    epilog=help_text.examples("up --demo", "lag --help"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": help_text.OPTION_NAMES},
)


# These read the data directory themselves or do not need it.
_WITHOUT_RUNNING_STACK = ("up", "status", "env", "doctor", "version")


def _version(requested: bool) -> None:
    if requested:
        print(f"auditlane {version('auditlane')}")
        raise typer.Exit


@app.callback()
def root(
    ctx: typer.Context,
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    if ctx.invoked_subcommand not in _WITHOUT_RUNNING_STACK:
        from auditlane.cli.running_stack import use_running_stack

        use_running_stack()
