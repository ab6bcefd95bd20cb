"""Implements `auditlane import`, which emits events from files and shows progress. It can be resumed, and invalid lines
never stop it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from auditlane.cli.help_text import examples
from auditlane.contract.tenants import dedicated_topic
from auditlane.importer.checkpoint import Checkpoint
from auditlane.importer.checkpoint import Progress as Done
from auditlane.importer.formats import FORMATS
from auditlane.importer.inputs import inputs
from auditlane.importer.run import run
from auditlane.importer.sources import Source, opened
from auditlane.runtime.errors import ImportIncomplete, InvalidInput

app = typer.Typer(add_completion=False)
MAX_BLOCK_MS = 60_000  # a slow Kafka must slow down the import, not make it fail
_SHOWN = 20  # maximum number of problems printed; --json lists up to _LISTED
_LISTED = 1_000
_INTERRUPTED = 130
_RESUME = "Run the same command again to resume."
_START_AGAIN = "This input cannot be resumed: import it again from its beginning. Readers see no event twice."


class Kind(StrEnum):
    """The import formats as an enum, which Typer needs for choices. A test compares it with FORMATS."""

    auditlane = "auditlane"
    cloudtrail = "cloudtrail"


@app.command(
    epilog=examples(
        "import events.jsonl --tenant acme",
        "import exports/ --restart",
        "import --format cloudtrail --tenant acme 'trail/*.json.gz'",
    )
)
def command(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...",
            help="Files (plain or .gz), folders and patterns, or `-` for standard input, which cannot be resumed.",
        ),
    ],
    kind: Annotated[Kind, typer.Option("--format", help="Format of the files.")] = Kind.auditlane,
    tenant: Annotated[
        str | None,
        typer.Option(
            help="With --format auditlane, the tenant of lines that name none; with cloudtrail, that of all records."
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Import from the beginning instead of resuming.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary.")] = False,
) -> None:
    """Import events from files.

    After an interruption, run the same command again: it resumes, and readers see no event twice. Invalid lines are
    reported and skipped. The exit code is 3 if something was not imported.
    """
    from auditlane.sdk import AuditClient, ClientConfig

    config = ClientConfig.load(url="", max_block_ms=MAX_BLOCK_MS)  # to Kafka, as the topics below
    given = inputs(paths)
    topics = [config.topic, *(dedicated_topic(config.topic, name) for name in sorted(config.dedicated_tenants))]
    summary = _Summary(unit=FORMATS[kind.value](tenant).unit, files=len(given.files), others=given.others)
    summary.unread += given.unread
    client = AuditClient(config, on_error=lambda error, event_id: None)  # `flush` raises the error
    try:
        for file in given.files:
            reading = FORMATS[kind.value](tenant)
            checkpoint = _checkpoint(file, (kind.value, tenant or ""), topics, restart=restart)
            before = checkpoint.load() if checkpoint else Done()
            summary.begin(file, before)
            try:
                with opened(file) as source, _bar(file, source) as on_batch:

                    def on_done(done: Done, shown: Callable[[Done], None] = on_batch) -> None:
                        summary.now = done
                        shown(done)

                    run(
                        source,
                        reading,
                        client,
                        checkpoint=checkpoint,
                        on_refused=summary.reject,
                        on_passed=summary.skip,
                        on_batch=on_done,
                    )
            except KeyboardInterrupt:
                print(f"Interrupted. {_RESUME if checkpoint else _START_AGAIN}", file=sys.stderr)
                raise typer.Exit(_INTERRUPTED) from None
            except InvalidInput as error:  # this file is missing or damaged, so continue with the others
                summary.unread.append((file, error))
    finally:
        client.close(timeout=0)
    summary.end()
    if as_json:
        print(json.dumps(summary.document()))
    else:
        _report(summary)
    if incomplete := _incomplete(summary):
        raise incomplete


class _Summary:
    """The results over all files.

    `now` is the current file's progress, and `before` the progress at which the files were resumed.
    """

    def __init__(self, *, unit: str, files: int, others: int) -> None:
        self.unit = unit
        self.files = files
        self.others = others
        self.now = self._began = Done()
        self.done = self.before = Done()
        self.refused: list[tuple[str, int, str]] = []
        self.unread: list[tuple[str, InvalidInput]] = []
        self._file = ""
        self._problems_seen = 0

    def begin(self, file: str, before: Done) -> None:
        self.end()
        self._file = file
        self.now = self._began = before

    def end(self) -> None:
        self.done += self.now
        self.before += self._began
        self.now = self._began = Done()

    def reject(self, number: int, why: str) -> None:
        if len(self.refused) < _LISTED:
            self.refused.append((self._file, number, why))
        self._print_problem(number, why)

    def skip(self, number: int, why: str) -> None:
        self._print_problem(number, f"{why}: skipped")

    def unprinted(self) -> int:
        return max(0, self._problems_seen - _SHOWN)

    def document(self) -> dict[str, Any]:
        done, before = self.done, self.before
        where = {"file": ""} if self.files > 1 else {}
        found: dict[str, Any] = {
            "sent": done.sent,
            "sent_earlier": before.sent,
            "sent_now": done.sent - before.sent,
            "refused": done.refused,
            "resumed_after": before.number,
            "problems": [
                {**dict.fromkeys(where, file), self.unit: number, "reason": why} for file, number, why in self.refused
            ],
        }
        if done.passed:
            found["passed_over"] = done.passed
        if self.unread:
            found["unread"] = [{"file": file, "reason": error.message} for file, error in self.unread]
        return found

    def _print_problem(self, number: int, why: str) -> None:
        self._problems_seen += 1
        if self._problems_seen <= _SHOWN:
            place = f"{self._file}, {self.unit}" if self.files > 1 else self.unit
            print(f"{place} {number}: {why}", file=sys.stderr)


def _incomplete(summary: _Summary) -> InvalidInput | None:
    """Return the command's final error, or None if everything was imported."""
    done, unit = summary.done, summary.unit
    if summary.unread:
        file, error = summary.unread[0]
        if summary.files <= 1 and not done.number:
            return error
        others = f" (and {len(summary.unread) - 1} other files)" if len(summary.unread) > 1 else ""
        refused = f", {done.refused} {unit}{'s were' if done.refused > 1 else ' was'} rejected" if done.refused else ""
        return ImportIncomplete(
            f"{file} could not be read completely{others}: {error.message} "
            f"{_events(done.sent)} of the readable part {_were(done.sent)} imported{refused}.",
            fix=f"{error.fix} Then import it again; readers see no event twice.".strip(),
        )
    if not done.refused:
        return None
    total = done.sent + done.known + done.refused
    cut = f" Events after {done.cut} of them may be lost." if done.cut else ""
    if done.refused == total:
        all_refused = f"The only {unit} was rejected" if total == 1 else f"All {total} {unit}s were rejected"
        cut = " Events after it may be lost." if cut and total == 1 else cut
        return ImportIncomplete(
            f"{all_refused}; nothing was imported.{cut}", fix="Correct them, or check --format and --tenant."
        )
    return ImportIncomplete(
        f"{done.refused} of {total} {unit}s {_were(done.refused)} rejected; "
        f"{_events(done.sent)} {_were(done.sent)} imported.{cut}",
        fix="Correct them and import everything again; readers see no event twice.",
    )


def _checkpoint(file: str, what: tuple[str, ...], topics: list[str], *, restart: bool) -> Checkpoint | None:
    """Return the checkpoint of this file for these topics, or None for input that cannot be read again.

    A topic is identified by its id rather than by name and address, because a recreated topic does not contain the
    events sent before.
    """
    from auditlane.contract.topic_ids import topic_ids
    from auditlane.local import cache
    from auditlane.runtime.settings import load

    if file == "-" or not Path(file).is_file():
        return None
    settings = load()
    ids = topic_ids(settings, topics)
    topics_by_id = [f"{name}={ids.get(name, '')}" for name in topics]
    checkpoint = Checkpoint.of(cache.folder(settings.cache_dir) / "imports", Path(file), (*what, *topics_by_id))
    if restart:
        checkpoint.clear()
    return checkpoint


@contextmanager
def _bar(file: str, source: Source) -> Iterator[Callable[[Done], None]]:
    """Show a progress bar of the file's bytes on a terminal, and nothing elsewhere.

    Call the yielded function after each batch.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(Path(file).name, total=source.size)

        def on_batch(_: Done) -> None:
            bar.update(task, completed=source.position)

        yield on_batch


def _report(summary: _Summary) -> None:
    done, before, unit = summary.done, summary.before, summary.unit
    if unprinted := summary.unprinted():
        print(f"… and {unprinted} more", file=sys.stderr)
    if summary.others:
        print(f"{summary.others} other files in folders were ignored.", file=sys.stderr)
    passed = f" {done.passed} {unit}{'s' * (done.passed != 1)} skipped." if done.passed else ""
    if before.number:
        counts = f"{before.sent} earlier, {done.sent - before.sent} now (resumed after {unit} {before.number})"
        print(f"{_events(done.sent)} imported: {counts}.{passed}")
    elif done.sent:
        print(f"{_events(done.sent)} imported.{passed}")
    elif not (done.refused or summary.unread):  # otherwise the error reports it
        print(f"No {'other ' * bool(done.passed)}{unit}s found; nothing was imported.{passed}")


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
