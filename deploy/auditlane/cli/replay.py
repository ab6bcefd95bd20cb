"""Implements `auditlane replay`, which replays a topic into the live table, another table or another topic."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from auditlane.access.audit import Action
from auditlane.cli import range_options as options
from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import record
from auditlane.cli.plural import number_of
from auditlane.cli.progress import progress_on_stderr
from auditlane.cli.provenance import secrets
from auditlane.contract import topics
from auditlane.contract.brokers import pattern
from auditlane.contract.registry_client import registry_client
from auditlane.local import cache
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.replay.checkpoint import Checkpoint, Counts, Progress, alone
from auditlane.operations.replay.replay import Replay, Target
from auditlane.operations.replay.table_target import TableTarget, other
from auditlane.operations.replay.topic_target import TopicTarget, ensure_topic
from auditlane.operations.selection import Plan, Selection, Span
from auditlane.operations.span_reader import SpanReader
from auditlane.operations.validation import events_table, schema_cache, validator
from auditlane.operations.verify.dead_lettered_offsets import dead_lettered
from auditlane.runtime.errors import AuditlaneError, ConfigError, ReplayIncomplete
from auditlane.runtime.settings import Settings, load
from auditlane.store.client import connect

app = typer.Typer(add_completion=False)
INTERRUPTED = 130


@app.command(
    epilog=examples(
        "replay audit.events --dry-run",
        "replay audit.events --partition 0 --from-offset 1000 --to-offset 1999",
        "replay audit.events --since 2030-01-31 --into-table events_copy",
    )
)
def command(
    topic: Annotated[str, typer.Argument(help="Topic to replay.")],
    partition: Annotated[list[int] | None, typer.Option(min=0, help="Only this partition. Can be repeated.")] = None,
    from_offset: Annotated[int | None, typer.Option(min=0, help="First offset.")] = None,
    to_offset: Annotated[int | None, typer.Option(min=0, help="Last offset, inclusive.")] = None,
    since: options.Since = "",
    until: options.Until = "",
    tenant: Annotated[
        list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant. Can be repeated.")
    ] = None,
    into_table: Annotated[
        str, typer.Option(help="Store into this table of the same database; created like the live table if missing.")
    ] = "",
    into_topic: Annotated[
        str, typer.Option(help="Copy the messages unchanged to this topic; created like TOPIC if missing.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the messages that would be stored, and change nothing.")
    ] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start from the beginning instead of resuming an interrupted replay.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary.")] = False,
) -> None:
    """Replay a topic, and store the messages that are missing from the live table.

    Stops at the workers' committed offsets and never changes them, so it can run while workers do. Ctrl-C is safe,
    since the same command resumes the replay. The exit code is 3 if a message is neither stored nor dead-lettered, and
    no worker would store it now.
    """
    settings = load()
    selection = options.selection(
        slices=options.by_offsets(partition, from_offset, to_offset), since=since, until=until, tenants=tenant
    )
    _check(settings, topic, into_table, into_topic)
    target_name = (
        f"topic {into_topic}" if into_topic else f"table {settings.clickhouse_database}.{into_table or 'events'}"
    )
    with ExitStack() as stack:
        positions = stack.enter_context(closing(KafkaOffsets(settings)))
        guarded = not (into_table or into_topic) and positions.consumed(topic)
        plan = options.plan_of(selection, positions.bounds(topic, selection), below_commit=guarded)
        for note in plan.notes:
            print(note, file=sys.stderr)
        checkpoint = None
        if not dry_run:
            folder = cache.folder(settings.cache_dir) / "replays"
            checkpoint = Checkpoint.of(folder, _request(settings, selection, plan, topic, target_name))
            stack.enter_context(alone(folder, f"{settings.clickhouse_url} {settings.kafka_bootstrap} {target_name}"))
        if checkpoint and restart:
            checkpoint.clear()
        target: Target
        if into_topic:
            if not dry_run:
                ensure_topic(settings, topics.admin(settings), topic, into_topic)
            target, left_out = TopicTarget(settings, into_topic, dry=dry_run), {}
        else:
            target = _table(settings, stack, into_table, dry=dry_run)
            left_out = _dead_lettered(settings, positions, plan)
        replay = Replay(settings, positions, target, tenants=selection.tenants, left_out=left_out, guarded=guarded)
        before = checkpoint.load() if checkpoint else None
        reached: dict[Span, int] = {}
        with interruptible(), progress_on_stderr(f"{topic} → {target_name}", plan.offsets) as on_offsets:

            def on_progress(span: Span, at: int, _: Counts) -> None:
                reached[span] = at - span.first
                on_offsets(sum(reached.values()))

            already = before.counts.stored if before else 0
            try:
                done = replay.run(plan, checkpoint, on_progress)
            except (KeyboardInterrupt, AuditlaneError) as error:
                saved = checkpoint.load() if checkpoint else None
                rows = saved.counts.stored - already if saved else 0
                _record(selection, topic, target_name, rows, complete=False)
                if isinstance(error, AuditlaneError):
                    raise
                _interrupted(saved)
                raise typer.Exit(INTERRUPTED) from None
            if checkpoint:
                _record(selection, topic, target_name, done.counts.stored - already, complete=True)
    _report(plan, done.counts, target_name, dry=dry_run, resumed=before is not None, as_json=as_json)
    if refused := sum(done.counts.refused.values()):
        raise ReplayIncomplete(
            f"Neither stored nor dead-lettered, and no worker would store them now: {number_of(refused, 'message')}.",
            fix="Their schemas or dead letters were deleted. See docs/operate/replay-and-verify.md.",
        )


def _check(settings: Settings, topic: str, into_table: str, into_topic: str) -> None:
    if into_table and into_topic:
        raise ConfigError(
            "A replay can have only one target.", field="--into-topic", fix="Omit either --into-table or --into-topic."
        )
    if into_topic in (topic, settings.dead_letter_topic):
        raise ConfigError(f"{into_topic} cannot be the target of this replay.", field="--into-topic")
    if into_topic and re.match(pattern(settings.topic), into_topic):
        raise ConfigError(
            f"Workers consume {into_topic}: they would store every message again, under its new offset.",
            field="--into-topic",
            fix=f"Choose a name that does not start with `{settings.topic}.`, including the dot.",
        )
    if topic == settings.dead_letter_topic and not into_topic:
        raise ConfigError(f"{topic} is the dead-letter topic.", field="topic", fix="Use `auditlane dlq replay`.")


def _request(settings: Settings, selection: Selection, plan: Plan, topic: str, target: str) -> dict[str, Any]:
    """Return the values that identify this replay. Replaying a recreated topic is a different replay."""
    return {
        "kafka": settings.kafka_bootstrap,
        "clickhouse": settings.clickhouse_url,
        "topic": topic,
        "topic_id": [span.topic_id for span in plan.spans[:1]],
        "target": target,
        "slices": [[part.partition, part.first, part.last] for part in selection.slices],
        "times": [selection.since_ms, selection.until_ms],
        "tenants": sorted(selection.tenants),
    }


def _table(settings: Settings, stack: ExitStack, name: str, *, dry: bool) -> TableTarget:
    client = connect(settings, send_receive_timeout=settings.insert_timeout_s)
    stack.callback(client.close)
    registry = registry_client(settings)
    stack.callback(registry.close)
    rate = settings.insert_parts_per_second
    table = events_table(settings, client, parts_per_second=rate)
    if name:
        table = other(client, table, name, create=not dry)
    batch_validator = validator(settings, schema_cache(settings, registry), secrets(settings), table.partitioning)
    return TableTarget(client, table, batch_validator, parts_per_second=rate, dry=dry)


def _dead_lettered(settings: Settings, positions: KafkaOffsets, plan: Plan) -> Any:
    reader = SpanReader(settings)
    try:
        return dead_lettered(settings, positions, reader, plan.spans)
    finally:
        reader.close()


@contextmanager
def interruptible() -> Iterator[None]:
    """Treat SIGTERM like Ctrl-C."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _record(selection: Selection, topic: str, target: str, rows: int, *, complete: bool) -> None:
    """Record a replay that stored or copied messages. If it was limited to a tenant, it is also recorded in that
    tenant's log.
    """
    if not rows:
        return
    until = datetime.now(UTC) if selection.until_ms is None else datetime.fromtimestamp(selection.until_ms / 1_000, UTC)
    tenants = sorted(selection.tenants)
    record(
        Action.events_replayed,
        resource="log",
        outcome="success" if complete else "failure",
        tenant=tenants[0] if len(tenants) == 1 else None,
        tenants=", ".join(tenants) if len(tenants) > 1 else None,
        rows=str(rows),
        older_than=until.isoformat(),
        topic=topic,
        target=target,
    )


def _interrupted(saved: Progress | None) -> None:
    if saved is None:
        print("Interrupted; no changes were made.", file=sys.stderr)
        return
    reached = ", ".join(f"partition {number} at {offset}" for number, offset in sorted(saved.done.items()))
    print(f"Interrupted; stored {saved.counts.stored} so far{': ' * bool(reached)}{reached}.", file=sys.stderr)
    print("Run the same command again to resume, or with --restart to start over.", file=sys.stderr)


def _report(plan: Plan, counts: Counts, target: str, *, dry: bool, resumed: bool, as_json: bool) -> None:
    if as_json:
        ranges = [
            {"topic": span.partition.topic, "partition": span.partition.number, "first": span.first, "end": span.end}
            for span in plan.spans
        ]
        summary = {"target": target, "dry_run": dry, "resumed": resumed, **asdict(counts), "ranges": ranges}
        print(json.dumps(summary | {"notes": list(plan.notes)}))
        return
    print(f"{counts.read:,} messages read{' in total, including before the interruption' * resumed}; into {target}:")
    rows = [
        ("would be stored" if dry else "stored", counts.stored),
        ("already stored", counts.already),
        ("skipped: dead-lettered", counts.dead_lettered),
        ("skipped: other tenants", counts.other_tenants),
        ("left for the workers to dead-letter", counts.left_to_workers),
        *((f"rejected, no dead letter: {code}", count) for code, count in sorted(counts.refused.items())),
    ]
    for label, count in rows:
        if count or label in ("stored", "would be stored"):
            print(f"  {label:<36}{count:>14,}")
