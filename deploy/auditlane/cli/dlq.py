"""`auditlane dlq`: the messages that workers refused; look at them, send them again, or close them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from auditlane.cli import dlq_output as output
from auditlane.cli.pipes import ignore_broken_pipe
from auditlane.cli.plural import number_of
from auditlane.cli.provenance import secrets
from auditlane.contract.dead_letter import Letter, State
from auditlane.contract.kafka_client import client_config, producer_config
from auditlane.contract.registry_client import registry_client
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.topics import existing
from auditlane.operations.dlq.dry_run import DryRunner
from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.producer import ReplayProducer
from auditlane.operations.dlq.replay import Report, chunks, found, replay
from auditlane.operations.dlq.to_json import counted, to_json
from auditlane.operations.dlq.topic import LetterTopic
from auditlane.operations.dlq.upgrade import SchemaUpgrader
from auditlane.operations.dlq.view import view
from auditlane.operations.validation import schema_cache, validator
from auditlane.query.values import parse_time
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidFilter, NotFound, ReplayIncomplete
from auditlane.runtime.failpoints import Failpoints
from auditlane.runtime.settings import Settings, load

if TYPE_CHECKING:
    from auditlane.contract.registry import RegistryClient

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look at the messages that workers refused, replay or close them."
)
_INTERRUPTED = 130

Tenant = Annotated[list[str] | None, typer.Option("--tenant", "-t", help="Of this tenant; may be repeated.")]
Code = Annotated[list[str] | None, typer.Option("--code", "-c", help="Refused with this code; may be repeated.")]
Since = Annotated[
    str, typer.Option("--since", help="Received by Kafka at this time or later: RFC 3339, or a date (UTC).")
]
Until = Annotated[str, typer.Option("--until", help="Received by Kafka before this time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Names = Annotated[
    list[str] | None, typer.Argument(help="Letters as `list` names them; else those that the options say.")
]
Everything = Annotated[bool, typer.Option("--all", help="Resolved letters too, not only open ones.")]
Limit = Annotated[int | None, typer.Option("--limit", "-n", min=1, help="At most so many letters.")]


@app.command(name="list")
def list_(
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    limit: Limit = None,
    as_json: AsJson = False,
) -> None:
    """List open letters, those received last first. A table has 200 of them unless --limit says otherwise."""
    selection = _selection(tenant, code, since, until, resolved=everything)
    with _index(load()) as (index, _topic), ignore_broken_pipe():
        if as_json:
            for letter in index.newest(selection, limit):
                print(json.dumps(to_json(letter)))
        else:
            most = limit or output.TABLE_ROWS
            output.table(index.newest(selection, most), index.count(selection), states=everything)


@app.command()
def show(
    name: Annotated[str, typer.Argument(help="The letter as `list` names it: topic:partition:offset.")],
    as_json: AsJson = False,
) -> None:
    """Show one letter: the event as far as it can be decoded, what broke, and what a replay would do now."""
    settings = load()
    with _index(settings) as (index, topic), closing(registry_client(settings)) as registry:
        [letter] = _named(index, Selection(names=(name,), resolved=True))
        record = next(found(topic, [letter]), None)
        if record is None:
            raise NotFound(f"Kafka no longer holds the letter {name}.")
        try:
            assessor, upgrader = _assessor(settings, registry)
            verdict = assessor.dry_run([record], now_ms=time.time_ns() // 1_000_000)[0]
            shown = view(record, upgrader.writer, verdict)
        except AuditlaneError as error:  # the registry is away: the bytes are still worth showing
            print(f"The event is not decoded: {error}", file=sys.stderr)
            shown = view(record, lambda _value: None, None)
        with ignore_broken_pipe():
            if as_json:
                print(json.dumps(shown))
            else:
                output.detail(shown, record.value)


@app.command()
def stats(
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    everything: Everything = False,
    as_json: AsJson = False,
) -> None:
    """Count open letters by code and tenant."""
    selection = _selection(tenant, code, since, until, resolved=everything)
    with _index(load()) as (index, topic), ignore_broken_pipe():
        if as_json:
            print(json.dumps(counted(index.counts(selection), index.foreign)))
        else:
            output.counts(index.counts(selection), index.foreign, topic.name, states=everything)


@app.command(name="replay")
def replay_(
    names: Names = None,
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    limit: Limit = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be sent and what stays.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send open letters again that are valid now; those that are not stay, and the reason is told.

    Each is resolved into its tenant's latest contract and keeps its event id and time. Run it again after an
    interruption: it goes on, and readers see nothing twice. Exit code 3 when letters stay, or would with --dry-run.
    """
    settings = load()
    selection = _selection(tenant, code, since, until, names)
    with _index(settings) as (index, topic), closing(registry_client(settings)) as registry:
        _named(index, selection)
        total = min(index.count(selection), limit or sys.maxsize)
        if total and not dry_run:
            _confirm(f"Replay {number_of(total, 'letter')}?", yes=yes)
        assessor, _ = _assessor(settings, registry)
        sender = None if dry_run else _sender(settings)
        letters = found(topic, index.in_topic_order(selection, limit))
        try:
            with _bar("replaying", total) as advance:
                report = replay(letters, assessor, sender, on_progress=advance)
        except KeyboardInterrupt:
            print("Interrupted. Run the same command again to go on.", file=sys.stderr)
            raise typer.Exit(_INTERRUPTED) from None
    gone = total - report.replayed - report.stays.total()
    output.report(report, gone, dry_run=dry_run, as_json=as_json)
    _complain(report, gone, dry_run=dry_run)


@app.command()
def resolve(
    reason: Annotated[str, typer.Option("--reason", help="Why they need no replay; kept with the letters.")],
    names: Names = None,
    tenant: Tenant = None,
    code: Code = None,
    since: Since = "",
    until: Until = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Close open letters without sending them. The letters themselves stay in Kafka."""
    if not reason.strip():
        raise ConfigError("--reason is empty.", fix="Say why these letters need no replay.")
    settings = load()
    selection = _selection(tenant, code, since, until, names)
    if not selection.narrows:
        raise InvalidFilter("Nothing says which letters.", fix="Name letters, or give --tenant, --code or --since.")
    with _index(settings) as (index, topic):
        _named(index, selection)
        total = index.count(selection)
        if total:
            _confirm(f"Close {number_of(total, 'letter')} without sending?", yes=yes)
        sender = _sender(settings)
        with _bar("closing", total) as advance:
            closed = 0
            for chunk in chunks(found(topic, index.in_topic_order(selection))):
                closed += sender.resolve(chunk, State.discarded, reason)
                advance(len(chunk))
    print(json.dumps({"closed": closed}) if as_json else f"{number_of(closed, 'letter')} closed.")


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
                f"There is no code {name[:60]!r}.", field="code", fix=f"Codes: {', '.join(RejectCode)}."
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
    """The letters that are named. Raises NotFound for a name that no letter has, InvalidFilter for one of several."""
    letters: list[Letter] = []
    for name in selection.names:
        named = list(index.newest(Selection(names=(name,), resolved=True)))
        if not named:
            raise NotFound(f"There is no letter {name[:300]!r}.", fix="See `auditlane dlq list --all`.")
        if len(named) > 1:
            same = ", ".join(str(letter.identity) for letter in named)
            raise InvalidFilter(f"Several letters are called {name}: the topic was created anew.", fix=f"Say {same}.")
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


def _assessor(settings: Settings, registry: RegistryClient) -> tuple[DryRunner, SchemaUpgrader]:
    schemas = schema_cache(settings, registry)
    upgrader = SchemaUpgrader(registry, schemas.known, topic=settings.topic)
    keys = secrets(settings)
    judge = validator(settings, schemas, keys)
    return DryRunner(upgrader, judge, existing(settings), keys.keys), upgrader


def _sender(settings: Settings) -> ReplayProducer:
    options = producer_config(client_config(settings))
    return ReplayProducer(options, settings.dead_letter_topic, Failpoints.from_environment())


def _confirm(question: str, *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        typer.confirm(question, abort=True, err=True)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal; silence elsewhere."""
    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=total)
        yield lambda count: bar.advance(task, count)


def _complain(report: Report, gone: int, *, dry_run: bool) -> None:
    stays: Any = report.stays
    if stays or gone:
        left = number_of(stays.total() + gone, "letter")
        raise ReplayIncomplete(
            f"Not sent: {left}." if not dry_run else f"Would not be sent: {left}.",
            fix="Correct the tenant's contract and replay again, or close them: auditlane dlq resolve --reason …",
        )
