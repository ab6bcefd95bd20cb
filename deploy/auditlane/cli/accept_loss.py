"""Implements `auditlane accept-loss`, which resumes a halted partition past offsets that Kafka has lost."""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated

import typer

from auditlane.access.audit import Action
from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import record
from auditlane.cli.plural import number_of
from auditlane.contract.brokers import ASK_S
from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, wants_store
from auditlane.contract.topics import admin
from auditlane.operations import consumer_group
from auditlane.operations.accept_loss import Loss, plan
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.selection import Span
from auditlane.operations.stored_offsets import StoredOffsets
from auditlane.runtime.errors import ConfigError, NotFound
from auditlane.runtime.settings import Settings, load
from auditlane.store import newest_offsets
from auditlane.store.client import connect

app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True)
class ResolvedLoss:
    """An accepted loss, and the number of rows that are stored at the abandoned offsets."""

    loss: Loss
    rows: int


@app.command(
    epilog=examples("accept-loss audit.events 3 --to 18250 --dry-run", "accept-loss audit.events 3 --to 18250 --yes")
)
def command(
    topic: Annotated[str, typer.Argument(help="Topic of the halted partition.")],
    partition: Annotated[int, typer.Argument(min=0, help="Number of the halted partition.")],
    to: Annotated[
        int, typer.Option("--to", min=0, help="Offset to resume from, as given in the worker's halt message.")
    ],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show which offsets would be abandoned, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Resume a halted partition past offsets that Kafka has lost.

    Never skips messages that Kafka still holds. Stop every worker of the group first: while the group has members, the
    command ends with exit code 5. The change is recorded in auditlane's own audit log.
    """
    settings = load()
    at = Partition(topic, partition)
    resolved = _resolve(settings, at, to)
    members = consumer_group.members(admin(settings), settings.consumer_group, ASK_S)
    if not dry_run:
        if members:
            raise consumer_group.has_members(settings.consumer_group, len(members))
        _confirm(resolved, yes=yes)
        consumer_group.commit(settings, at, to, resolved.loss.metadata, ask_s=ASK_S)
    _print_result(settings, resolved, dry_run=dry_run, members=len(members), as_json=as_json)
    if not dry_run:
        record(
            Action.loss_accepted,
            resource="partition",
            resource_id=str(at),
            group=settings.consumer_group,
            first=str(resolved.loss.first),
            to=str(to),
            offsets=str(resolved.loss.offsets),
            stored=str(resolved.rows),
        )


def _resolve(settings: Settings, at: Partition, to: int) -> ResolvedLoss:
    with closing(KafkaOffsets(settings)) as positions, closing(connect(settings)) as client:
        if at not in positions.partitions(at.topic):
            raise NotFound(f"{at.topic} has no partition {at.number}.", field="partition")
        topic_id, database = positions.topic_id(at.topic), settings.clickhouse_database
        offset, metadata = positions.commits([at])[at] or (None, "")
        low, high = positions.low([at])[at], positions.high([at])[at]
        needs_store = wants_store(offset, metadata, topic_id)
        stored = newest_offsets.newest(client, database, topic_id, at.number, low=low) if needs_store else None
        highest = newest_offsets.newest(client, database, topic_id, at.number, low=0).highest
        found = AssignmentFacts(at, topic_id, offset, metadata, low, high, stored)
        loss = plan(found, to, highest=highest, at_ms=time.time_ns() // 1_000_000)
        span = Span(at, topic_id, loss.first, max(loss.first, to), loss.first)
        return ResolvedLoss(loss, StoredOffsets(client, f"`{database}`.events", span).count(span.first, span.end))


def _confirm(resolved: ResolvedLoss, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "Confirmation is required, but standard input is not a terminal.",
            field="--yes",
            fix="Check the result of --dry-run, then pass --yes.",
        )
    typer.confirm(f"{_sentence(resolved)} Continue?", abort=True, err=True)


def _sentence(resolved: ResolvedLoss) -> str:
    loss = resolved.loss
    if not loss.offsets:
        return f"{loss.partition}: no offsets abandoned; the workers resume at offset {loss.to}."
    abandoned = f"{number_of(loss.offsets, 'offset')} ({loss.first}-{loss.to - 1}) abandoned"
    return f"{loss.partition}: {abandoned}; ClickHouse holds {number_of(resolved.rows, 'row')} of them."


def _print_result(settings: Settings, resolved: ResolvedLoss, *, dry_run: bool, members: int, as_json: bool) -> None:
    if as_json:
        loss = resolved.loss
        print(
            json.dumps(
                {
                    "topic": loss.partition.topic,
                    "partition": loss.partition.number,
                    "group": settings.consumer_group,
                    "first": loss.first,
                    "to": loss.to,
                    "offsets": loss.offsets,
                    "stored": resolved.rows,
                    "members": members,
                    "dry_run": dry_run,
                }
            )
        )
        return
    print(("Dry run. " if dry_run else "") + _sentence(resolved))
    if not dry_run:
        print("Start the workers.")
    elif members:
        print(f"Group {settings.consumer_group} has {number_of(members, 'member')}: stop every worker first.")
