"""The command's table of contents. A subcommand's module is imported when it is asked for, so `--help` stays quick
and an installation needs only the extras of the commands that it runs."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from auditlane.cli.subcommands import SUBCOMMANDS, Subcommand, find


class LazyGroup(typer.core.TyperGroup):
    """A group that knows its subcommands' names and help before it imports any of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [one.name for one in SUBCOMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The name and help of a subcommand; what it does is loaded by `resolve_command`."""
        found = find(cmd_name)
        return found and typer.core.TyperCommand(found.name, help=found.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        found = find(name or "")
        return name, load(found) if found else stub, rest


def load(found: Subcommand) -> Any:
    """The subcommand itself. Raises ModuleNotFoundError when what it needs is not installed."""
    command = typer.main.get_command(importlib.import_module(found.module).app)
    command.name, command.help = found.name, command.help or found.help
    return command


app = typer.Typer(
    cls=LazyGroup,
    name="auditlane",
    help="Audit logs for every tenant of a SaaS product: emit, store exactly once, view, export.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


# These ask the data directory themselves, or need nothing of it.
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
    """Audit logs for every tenant of a SaaS product: emit, store exactly once, view, export."""
    if ctx.invoked_subcommand not in _WITHOUT_RUNNING_STACK:
        from auditlane.cli.running_stack import use_running_stack

        use_running_stack()
