"""Implements `auditlane dlq`, which inspects, replays and resolves dead letters."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from auditlane.access.audit import Action
from auditlane.cli import dlq_output as output
from auditlane.cli.help_text import examples
from auditlane.cli.operator_audit import record_all
from auditlane.cli.pipes import ignore_broken_pipe
from auditlane.cli.plural import number_of
from auditlane.cli.provenance import secrets
from auditlane.contract.dead_letter import Letter
from auditlane.contract.registry_client import registry_client
from auditlane.contract.reject_codes import RejectCode
from auditlane.operations.dlq.handling import close_letters, dry_runner, replay_letters, sender
from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.replay import Report, found
from auditlane.operations.dlq.to_json import counted, to_json
from auditlane.operations.dlq.topic import LetterTopic
from auditlane.operations.dlq.view import view
from auditlane.query.fields import parse_time
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidFilter, NotFound, ReplayIncomplete
from auditlane.runtime.settings import Settings, load

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Inspect, replay or resolve dead letters.",
    epilog=examples("dlq list --code FIELD_RULE", "dlq replay --tenant acme --dry-run"),
)
_INTERRUPTED = 130

Tenant = Annotated[list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant. Can be repeated.")]
Code = Annotated[list[str] | None, typer.Option("--code", "-c", help="Only this reject code. Can be repeated.")]
Since = Annotated[
    str, typer.Option("--since", help="Received by Kafka at or after this time: RFC 3339, or a date (UTC).")
]
Until = Annotated[str, typer.Option("--until", help="Received by Kafka before this time: RFC 3339, or a date (UTC).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[
    list[str] | None,
    typer.Argument(help="Dead letters, as `list` names them.", show_default="those that the options select"),
]
Everything = Annotated[bool, typer.Option("--all", help="Include resolved dead letters, not only open ones.")]
Limit = Annotated[
    int | None, typer.Option("--limit", "-n", min=1, help="Maximum number of dead letters.", show_default="no limit")
]
ListLimit = Annotated[
    int | None,
    typer.Option(
        "--limit", "-n", min=1, help="Maximum number of rows.", show_default="200 in a table, all with --json"
    ),
]


@app.command(name="list", epilog=examples("dlq list --since 2030-01-31", "dlq list --all --json"))
def list_(
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    limit: ListLimit = None,
    as_json: AsJson = False,
) -> None:
    """List open dead letters, most recently received first."""
    selection = _selection(tenant, code, since, until, resolved=everything)
    with _index(load()) as (index, _topic), ignore_broken_pipe():
        if as_json:
            for letter in index.newest(selection, limit):
                print(json.dumps(to_json(letter)))
        else:
            rows = limit or output.TABLE_ROWS
            output.table(index.newest(selection, rows), index.count(selection), states=everything)


@app.command(epilog=examples("dlq show audit.events:0:1042"))
def show(
    name: Annotated[str, typer.Argument(help="Dead letter, as `list` names it: topic:partition:offset.")],
    as_json: AsJson = False,
) -> None:
    """Show one dead letter, with its event as far as it can be decoded, the error, and the result that a replay would
    have now.
    """
    settings = load()
    with _index(settings) as (index, topic), closing(registry_client(settings)) as registry:
        [letter] = _named(index, Selection(names=(name,), resolved=True))
        record = next(found(topic, [letter]), None)
        if record is None:
            raise NotFound(f"Kafka no longer holds dead letter {name}.")
        try:
            assessor, upgrader = dry_runner(settings, registry, secrets(settings))
            result = assessor.dry_run([record], now_ms=time.time_ns() // 1_000_000)[0]
            shown = view(record, upgrader.writer, result)
        except AuditlaneError as error:  # show the bytes if the registry is unavailable
            print(f"The event cannot be decoded: {error}", file=sys.stderr)
            shown = view(record, lambda _value: None, None)
        with ignore_broken_pipe():
            if as_json:
                print(json.dumps(shown))
            else:
                output.detail(shown, record.value)


@app.command(epilog=examples("dlq stats", "dlq stats --all --since 2030-01-01"))
def stats(
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Count open dead letters by reject code and tenant."""
    selection = _selection(tenant, code, since, until, resolved=everything)
    with _index(load()) as (index, topic), ignore_broken_pipe():
        if as_json:
            print(json.dumps(counted(index.counts(selection), index.foreign)))
        else:
            output.counts(index.counts(selection), index.foreign, topic.name, states=everything)


@app.command(
    name="replay",
    epilog=examples("dlq replay --tenant acme --dry-run", "dlq replay audit.events:0:1042 --yes"),
)
def replay_(
    names: Names = None,
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    limit: Limit = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count the dead letters that would be sent, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send open dead letters again if they are valid now. Dead letters that are still invalid stay open, and the reason
    is printed.

    Each event is upgraded to its tenant's latest contract and keeps its id and time. After an interruption, run the
    same command again: it resumes, and readers see no event twice. Exit code 3 when dead letters stay open, or would
    with --dry-run.
    """
    settings = load()
    selection = _selection(tenant, code, since, until, names)
    with _index(settings) as (index, _topic):
        _named(index, selection)
        total = min(index.count(selection), limit or sys.maxsize)
        if total and not dry_run:
            _confirm(f"Replay {number_of(total, 'dead letter')}?", yes=yes)
        report, complete = Report(), False
        letters, keys = index.in_topic_order(selection, limit), secrets(settings)
        try:
            with _bar("replaying", total) as advance:
                producer = None if dry_run else sender(settings)
                replay_letters(settings, keys, letters, report=report, producer=producer, on_progress=advance)
            complete = True
        except KeyboardInterrupt:
            print("Interrupted. Run the same command again to resume.", file=sys.stderr)
            raise typer.Exit(_INTERRUPTED) from None
        finally:
            if not dry_run:
                _record_replay(settings, report, until, complete=complete)
    gone = total - report.replayed - report.stays.total()
    output.report(report, gone, dry_run=dry_run, as_json=as_json)
    _raise_if_incomplete(report, gone, dry_run=dry_run)


@app.command(epilog=examples("dlq resolve --tenant acme --code FIELD_RULE --reason 'test data'"))
def resolve(
    reason: Annotated[str, typer.Option("--reason", help="Why no replay is needed; stored with the dead letters.")],
    names: Names = None,
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    as_json: AsJson = False,
) -> None:
    """Resolve open dead letters without sending them. The messages stay in Kafka."""
    if not reason.strip():
        raise ConfigError("--reason is empty.", fix="State why these dead letters do not need to be replayed.")
    settings = load()
    selection = _selection(tenant, code, since, until, names)
    if not selection.narrows:
        raise InvalidFilter(
            "No dead letters are selected.", fix="Name dead letters, or pass --tenant, --code or --since."
        )
    closed: Counter[str | None] = Counter()
    with _index(settings) as (index, _topic):
        _named(index, selection)
        total = index.count(selection)
        if total:
            _confirm(f"Resolve {number_of(total, 'dead letter')} without sending?", yes=yes)
        try:
            with _bar("resolving", total) as advance:

                def on_closed(letters: list[Letter]) -> None:
                    closed.update(letter.tenant for letter in letters)
                    advance(len(letters))

                letters = index.in_topic_order(selection)
                close_letters(settings, letters, reason, producer=sender(settings), on_closed=on_closed)
        finally:
            _record_closed(settings, closed, reason)
    done = closed.total()
    print(json.dumps({"closed": done}) if as_json else f"{number_of(done, 'dead letter')} resolved.")


def _record_replay(settings: Settings, report: Report, until: str, *, complete: bool) -> None:
    """Record, in each tenant's log, how many of its events were sent again."""
    shared = {
        "resource": "log",
        "outcome": "success" if complete else "failure",
        "older_than": until or datetime.now(UTC).isoformat(),
        "topic": settings.dead_letter_topic,
    }
    record_all(
        (Action.events_replayed, {**shared, "tenant": tenant, "rows": str(rows)})
        for tenant, rows in report.tenants.items()
    )


def _record_closed(settings: Settings, closed: Counter[str | None], reason: str) -> None:
    """Record, in each tenant's log, the number of its dead letters that were closed."""
    shared = {"resource": "dead_letter", "topic": settings.dead_letter_topic, "reason": reason}
    record_all(
        (Action.letters_closed, {**shared, "tenant": tenant, "rows": str(rows)}) for tenant, rows in closed.items()
    )


def _selection(
    tenant: list[str] | None,
    code: list[str] | None,
    since: str,
    until: str,
    names: list[str] | None = None,
    *,
    resolved: bool = False,
) -> Selection:
    codes = tuple(name.upper() for name in code or ())
    for name in codes:
        if name not in RejectCode.__members__:
            raise InvalidFilter(
                f"{name[:60]!r} is not a reject code.", field="code", fix=f"Use one of: {', '.join(RejectCode)}."
            )
    return Selection(
        tuple(tenant or ()),
        codes,
        _milliseconds("since", since),
        _milliseconds("until", until),
        names=tuple(names or ()),
        resolved=resolved,
    )


def _milliseconds(name: str, text: str) -> int | None:
    return int(parse_time(name, text).timestamp() * 1_000) if text else None


def _named(index: Index, selection: Selection) -> list[Letter]:
    """Return the dead letters with these names.

    Raises NotFound for an unknown name, and InvalidFilter for an ambiguous name.
    """
    letters: list[Letter] = []
    for name in selection.names:
        named = list(index.newest(Selection(names=(name,), resolved=True)))
        if not named:
            raise NotFound(f"Dead letter {name[:300]!r} does not exist.", fix="Run: auditlane dlq list --all")
        if len(named) > 1:
            same = ", ".join(str(letter.identity) for letter in named)
            raise InvalidFilter(
                f"Several dead letters have the name {name}, because the topic was recreated.",
                fix=f"Use one of: {same}.",
            )
        letters += named
    return letters


@contextmanager
def _index(settings: Settings) -> Iterator[tuple[Index, LetterTopic]]:
    topic = LetterTopic(settings)
    with ExitStack() as stack:
        with _bar("reading", None) as advance:
            seen = 0

            def on_progress(done: int, _total: int) -> None:
                nonlocal seen
                advance(done - seen)
                seen = done

            index = topic.index(on_progress)
        stack.callback(index.close)
        yield index, topic


def _confirm(question: str, *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and nothing elsewhere. Call the yielded function with each advance."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _raise_if_incomplete(report: Report, gone: int, *, dry_run: bool) -> None:
    stays: Any = report.stays
    if stays or gone:
        left = number_of(stays.total() + gone, "dead letter")
        raise ReplayIncomplete(
            f"Not sent: {left}." if not dry_run else f"Would not be sent: {left}.",
            fix="Correct the tenant's contract and replay again, or resolve them: auditlane dlq resolve --reason …",
        )
