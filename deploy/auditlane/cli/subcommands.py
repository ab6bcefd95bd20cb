"""The command's table of contents: every subcommand, what it does, which extra it needs. Imports nothing, so that the
console script can tell the extra before anything is installed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subcommand:
    """`module` in this package has `app`, a Typer with one command or with a group of them."""

    name: str
    extra: str
    help: str

    @property
    def module(self) -> str:
        return "auditlane.cli.import_" if self.name == "import" else f"auditlane.cli.{self.name.replace('-', '_')}"


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand("up", "local", "Run the whole stack on this machine: Kafka, registry, ClickHouse, worker, serve."),
    Subcommand("status", "local", "Say how the stack in a data directory is doing."),
    Subcommand("env", "local", "Print the variables that point other commands at a stack."),
    Subcommand("doctor", "worker,serve", "Reach every part and say what to fix."),
    Subcommand("init", "worker", "Create topics, register the base schema, migrate ClickHouse."),
    Subcommand("worker", "worker", "Move events from Kafka to ClickHouse, exactly once."),
    Subcommand("lag", "worker", "Say how far the workers are behind, by partition."),
    Subcommand("dlq", "worker", "Look at the messages that workers refused, replay or close them."),
    Subcommand("replay", "worker", "Read a topic again, into the table, another table or another topic."),
    Subcommand("verify", "worker", "Check that each message became a row or a dead letter, each row has a message."),
    Subcommand("accept-loss", "worker", "Let a halted partition go on past offsets that Kafka has lost."),
    Subcommand("serve", "serve", "Answer over HTTP: the log's pages and JSON API."),
    Subcommand("emit", "cli", "Emit one event."),
    Subcommand("import", "cli", "Emit the events of a file."),
    Subcommand("events", "serve", "List and search a tenant's events."),
    Subcommand("export", "serve", "Write a tenant's events to a file or to standard output."),
    Subcommand("structure", "serve", "Show and change the fields that events carry and readers see."),
    Subcommand("keys", "serve", "Create, list and revoke the keys that clients authenticate with."),
    Subcommand("token", "serve", "Mint a viewer token, or a link to the viewer."),
    Subcommand("version", "cli", "Print the version."),
)


def find(name: str) -> Subcommand | None:
    """The subcommand of this name."""
    return next((one for one in SUBCOMMANDS if one.name == name), None)
