"""Implements `auditlane verify`, which compares Kafka with ClickHouse, offset by offset."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from auditlane.cli import range_options as options
from auditlane.cli.help_text import examples
from auditlane.cli.progress import progress_on_stderr
from auditlane.cli.provenance import secrets
from auditlane.contract.registry_client import registry_client
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.selection import Span
from auditlane.operations.start_offsets import StartOffsets
from auditlane.operations.stored_events import Conflict
from auditlane.operations.validation import schema_cache, validator
from auditlane.operations.verify.reconcile import Origin
from auditlane.operations.verify.report import Report, Result
from auditlane.operations.verify.verifier import Verifier
from auditlane.runtime.errors import ConfigError, EventsConflict, Unreconciled
from auditlane.runtime.metrics import BY_NAME
from auditlane.runtime.settings import Settings, load
from auditlane.store.client import connect

app = typer.Typer(add_completion=False)
_SHOWN = 20
_WHY = "their schemas or dead letters were deleted"


@app.command(
    epilog=examples(
        "verify",
        "verify audit.events --range 0:1000-1999 --content",
        "verify --metrics /var/lib/node_exporter/auditlane.prom --json",
    )
)
def command(
    topic: Annotated[
        str | None, typer.Argument(help="Topic to verify.", show_default="every topic that workers consume")
    ] = None,
    range_: Annotated[
        list[str] | None,
        typer.Option(
            "--range", help="Offsets as PARTITION:FIRST-LAST, inclusive; each part is optional. Can be repeated."
        ),
    ] = None,
    since: options.Since = "",
    until: options.Until = "",
    table: Annotated[str, typer.Option(help="Table to compare, such as the target of a replay.")] = "events",
    content: Annotated[
        bool, typer.Option("--content", help="Also compare every value of each row with its message.")
    ] = False,
    metrics: Annotated[
        Path | None, typer.Option(help="Also write the result to this file as Prometheus text, for the node exporter.")
    ] = None,
    known_conflicts: Annotated[
        int,
        typer.Option(min=0, help="Number of conflicts already investigated; exit with code 5 only if there are more."),
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that each message became a row or a dead letter, and that each row has a message.

    Covers the offsets that the workers have committed and Kafka still holds.

    The exit code is 1 if rows are missing, extra or stored twice or, with --content, differ from their messages.
    Otherwise, it is 5 if events are in conflict, that is, if they have the same tenant, id and time, but different
    content. All of them are kept, so a conflict needs investigation but loses nothing.
    """
    settings = load()
    selection = options.selection(slices=options.by_ranges(range_), since=since, until=until)
    if not (table.isidentifier() and table.isascii()):
        raise ConfigError(
            f"{table!r} is not a table name.", field="--table", fix="Use ASCII letters, digits and underscores."
        )
    every = not (selection.slices or since or until)
    with ExitStack() as stack:
        positions = stack.enter_context(closing(KafkaOffsets(settings)))
        beginnings = stack.enter_context(closing(StartOffsets(settings)))
        topics = [topic] if topic else positions.topics()
        verifier = _verifier(settings, stack, positions, table, content=content)
        plans = {
            name: options.plan_of(
                selection,
                beginnings.with_start_offsets(positions.bounds(name, selection)),
                below_commit=positions.consumed(name),
            )
            for name in topics
        }
        spans = [span for plan in plans.values() for span in plan.spans]
        reached: dict[Span, int] = {}
        with progress_on_stderr("verify", sum(map(len, spans))) as on_offsets:

            def on_progress(span: Span, at: int) -> None:
                reached[span] = at - span.first
                on_offsets(sum(reached.values()))

            report = verifier.report(
                spans, topics if every else [], other_topics=topic is None, on_progress=on_progress
            )
    notes = [note for plan in plans.values() for note in plan.notes]
    if metrics:
        _write(metrics, report)
    if as_json:
        print(json.dumps(_document(report, topics, notes)))
    else:
        _print(report, notes)
    if not report.ok:
        counts = report.counts
        differs = f", {counts['differs']} different from their message" if content else ""
        raise Unreconciled(
            f"{counts['missing']} missing, {counts['extra']} extra, {counts['doubled']} stored twice{differs}.",
            fix=fix(report, table),
        )
    if report.conflicts.count > known_conflicts:
        raise EventsConflict(
            f"{report.conflicts.count} events conflict with another event of the same tenant, id and time.",
            fix="Identify the senders (docs/operate/replay-and-verify.md), then pass the count: --known-conflicts.",
        )


def fix(report: Report, table: str) -> str:
    """Return the commands that store missing messages, and the pages of the docs about the other findings."""
    steps: list[str] = []
    into = f" --into-table {table}" * (table != "events")
    if topics := report.storable:
        commands = ", ".join(f"auditlane replay {topic}{into}" for topic in topics[:3])
        more = " (and likewise for the other topics)" * (len(topics) > 3)
        steps.append(f"To store the missing messages, run: {commands}{more}.")
    if report.refused:
        steps.append(f"Of the missing messages, {report.refused} cannot be stored now: {_WHY}.")
    if any(report.counts[name] for name in ("extra", "doubled", "differs")):
        steps.append("For extra, duplicate and differing rows, see docs/operate/replay-and-verify.md.")
    return " ".join(steps)


def _verifier(settings: Settings, stack: ExitStack, positions: KafkaOffsets, table: str, *, content: bool) -> Verifier:
    client = connect(settings)
    stack.callback(client.close)
    registry = registry_client(settings)
    stack.callback(registry.close)
    batch_validator = validator(settings, schema_cache(settings, registry), secrets(settings))
    quoted = f"`{settings.clickhouse_database}`.`{table}`"
    return Verifier(settings, client, quoted, batch_validator, positions, content=content)


def _document(report: Report, topics: list[str], notes: list[str]) -> dict[str, Any]:
    return {
        "ok": report.ok,
        "topics": topics,
        "counts": report.counts,
        "refused": report.refused,
        "ranges": [_range(result) for result in report.results],
        "two_times": [asdict(event) for event in report.two_times],
        "conflicts": [asdict(conflict) for conflict in report.conflicts.listed],
        "extra_origins": [asdict(origin) for origin in report.extra_origins],
        "beyond_retention_origins": [asdict(origin) for origin in report.beyond_origins],
        "notes": notes,
    }


def _range(result: Result) -> dict[str, Any]:
    """Return the result for one range as JSON. Lists are truncated to the first entries of each kind, while counts
    cover all entries. Offsets outside the runs have no message.
    """
    span, summary = result.span, result.summary
    return {
        "topic": span.partition.topic,
        "topic_id": span.topic_id,
        "partition": span.partition.number,
        "first": span.first,
        "end": span.end,
        "counts": result.counts,
        "offsets": [_run(run) for run in summary.runs],
        "wrong": [_run(run) for run in summary.wrong],
        "doubled": summary.doubled,
        "stray": result.stray[: summary.limit],
    }


def _run(run: Any) -> dict[str, Any]:
    shown_ = {"first": run.first, "last": run.last, "count": run.count, "status": run.status.name}
    return shown_ | ({"reason": run.reason} if run.reason else {})


def _print(report: Report, notes: list[str]) -> None:
    for note in notes:
        print(note, file=sys.stderr)
    for name, count in report.counts.items():
        if count or name in ("messages", "stored", "missing", "extra"):
            print(f"{name.replace('_', ' '):<20}{count:>16,}")
    lines = [line for result in report.results for line in _lines(result)]
    lines += [_origin(origin) for origin in report.extra_origins]
    lines += [f"two times: {event.tenant} {event.event_id} {', '.join(event.times)}" for event in report.two_times]
    lines += [_conflict(conflict) for conflict in report.conflicts.listed]
    for line in lines[:_SHOWN]:
        print(f"  {line}")
    if len(lines) > _SHOWN:
        print(f"  … and {len(lines) - _SHOWN} more lines; use --json for all")


def _lines(result: Result) -> list[str]:
    at = result.span.partition
    found = [
        f"{run.status.name}: {at} {run.first}-{run.last} ({run.count}){': ' * bool(run.reason)}{run.reason}"
        for run in result.summary.wrong
    ]
    found += [f"extra: {at} {offset}, beyond the end of the partition" for offset in result.stray]
    return found + [f"stored twice: {at} {offset}" for offset in result.summary.doubled]


def _origin(origin: Origin) -> str:
    place = f"{origin.topic or 'no topic'}[{origin.partition}]"
    return f"extra: {origin.rows} rows that name {place}, id {origin.topic_id}"


def _conflict(conflict: Conflict) -> str:
    return (
        f"conflict: {conflict.tenant} {conflict.event_id} {conflict.occurred_at}, {conflict.contents} contents, from "
        f"{', '.join(conflict.origins)}"
    )


def _write(path: Path, report: Report) -> None:
    registry = CollectorRegistry()

    def gauge(name: str) -> Gauge:
        metric = BY_NAME[f"auditlane_verify_{name}"]
        return Gauge(metric.name, metric.help, metric.labels, registry=registry)

    offsets = gauge("offsets")
    for name, count in report.counts.items():
        if name not in ("messages", "two_times", "conflicts"):
            offsets.labels(name).set(count)
    gauge("two_times").set(len(report.two_times))
    gauge("conflicts").set(report.conflicts.count)
    gauge("ok").set(int(report.ok))
    gauge("completed_seconds").set(time.time())
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise ConfigError(f"Cannot write {path}: {error.strerror}.", field="--metrics") from error
