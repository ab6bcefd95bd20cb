"""The command's table of contents. A subcommand's module is imported when it is asked for, so `--help` stays quick
and an installation needs only the extras of the commands that it runs."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import typer
import typer.core
import typer.main

from auditlane.cli.main import missing_extra


@dataclass(frozen=True, slots=True)
class Subcommand:
    """`module` in this package has `app`, a Typer with one command or with a group of them."""

    name: str
    extra: str
    help: str

    @property
    def module(self) -> str:
        return f"auditlane.cli.{self.name}_" if self.name == "import" else f"auditlane.cli.{self.name}"


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand("up", "local", "Run the whole stack on this machine: Kafka, registry, ClickHouse, worker, serve."),
    Subcommand("status", "local", "Say how the stack in a data directory is doing."),
    Subcommand("env", "local", "Print the variables that point other commands at a stack."),
    Subcommand("doctor", "worker,serve", "Reach every part and say what to fix."),
    Subcommand("init", "worker", "Create topics, register the base schema, migrate ClickHouse."),
    Subcommand("worker", "worker", "Move events from Kafka to ClickHouse, exactly once."),
    Subcommand("dlq", "worker", "Look at the messages that workers refused, replay or close them."),
    Subcommand("replay", "worker", "Read a topic again, into the table, another table or another topic."),
    Subcommand("verify", "worker", "Check that each message became a row or a dead letter, each row has a message."),
    Subcommand("serve", "serve", "Answer over HTTP: the log's pages and JSON API."),
    Subcommand("emit", "cli", "Emit one event."),
    Subcommand("import", "cli", "Emit the events of a file."),
    Subcommand("events", "serve", "List and search a tenant's events."),
    Subcommand("export", "serve", "Write a tenant's events to a file or to standard output."),
    Subcommand("keys", "serve", "Create, list and revoke the keys that clients authenticate with."),
    Subcommand("token", "serve", "Mint a viewer token, or a link to the viewer."),
    Subcommand("version", "cli", "Print the version."),
)


class Lazy(typer.core.TyperGroup):
    """A group that knows its subcommands' names and help before it imports any of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [one.name for one in SUBCOMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The name and help of a subcommand; what it does is loaded by `resolve_command`."""
        found = _find(cmd_name)
        return found and typer.core.TyperCommand(found.name, help=found.help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, stub, rest = super().resolve_command(ctx, args)
        found = _find(name or "")
        return name, load(found) if found else stub, rest


def _find(name: str) -> Subcommand | None:
    return next((one for one in SUBCOMMANDS if one.name == name), None)


def load(found: Subcommand) -> Any:
    """The subcommand itself. Raises MissingExtra when what it needs is not installed."""
    try:
        module = importlib.import_module(found.module)
    except ModuleNotFoundError as error:
        raise missing_extra(error, found.extra) from error
    command = typer.main.get_command(module.app)
    command.name, command.help = found.name, command.help or found.help
    return command


app = typer.Typer(
    cls=Lazy,
    name="auditlane",
    help="Audit logs for every tenant of a SaaS product: emit, store exactly once, view, export.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def root() -> None:
    """Audit logs for every tenant of a SaaS product: emit, store exactly once, view, export."""
