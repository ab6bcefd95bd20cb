"""All subcommands, with their summaries and the extras that they need.

This module imports nothing, so that the console script can name an extra that is not installed.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Subcommand:
    """A subcommand. Its `module` in this package contains `app`, a Typer with one command or a group of commands."""

    name: str
    extra: str
    help: str

    @property
    def module(self) -> str:
        return "auditlane.cli.import_" if self.name == "import" else f"auditlane.cli.{self.name.replace('-', '_')}"


SUBCOMMANDS: tuple[Subcommand, ...] = (
    Subcommand("up", "local", "Run the whole stack on this machine: Kafka, registry, ClickHouse, worker, serve."),
    Subcommand("status", "local", "Show the state of the stack in a data directory."),
    Subcommand("env", "local", "Print the variables that connect other commands to a stack."),
    Subcommand("doctor", "worker,serve", "Check every part of an installation and print fixes."),
    Subcommand("init", "worker", "Create topics, register the base schema, migrate ClickHouse."),
    Subcommand("worker", "worker", "Store events from Kafka in ClickHouse, exactly once."),
    Subcommand("lag", "worker", "Show consumer lag per partition."),
    Subcommand("canary", "serve", "Send small events and wait until readers can see them."),
    Subcommand("dlq", "worker", "Inspect, replay or resolve dead letters."),
    Subcommand("replay", "worker", "Replay a topic into the live table, another table or another topic."),
    Subcommand("verify", "worker", "Compare Kafka with ClickHouse, offset by offset."),
    Subcommand("accept-loss", "worker", "Resume a halted partition past offsets that Kafka has lost."),
    Subcommand("capacity", "cli", "Estimate what a load needs: workers, partitions, servers, disks."),
    Subcommand("serve", "serve", "Serve the gateway, the query API and the viewer over HTTP."),
    Subcommand("emit", "cli", "Emit one event."),
    Subcommand("import", "cli", "Import events from files."),
    Subcommand("outbox", "outbox", "Send the events of a transactional outbox to Kafka."),
    Subcommand("events", "serve", "List and search a tenant's events."),
    Subcommand("export", "serve", "Export a tenant's events to a file or to standard output."),
    Subcommand("schema", "serve", "Compare typed events with a contract, and register the fields that they need."),
    Subcommand("structure", "serve", "Show and change the fields of events and how readers see them."),
    Subcommand("keys", "serve", "Create, list, rotate and revoke keys."),
    Subcommand("token", "serve", "Mint a viewer token, or a link to the viewer or the console."),
    Subcommand("version", "cli", "Print the versions of auditlane and Python."),
)


def find(name: str) -> Subcommand | None:
    """Return the subcommand with this name, or None if the name is unknown."""
    return next((subcommand for subcommand in SUBCOMMANDS if subcommand.name == name), None)
