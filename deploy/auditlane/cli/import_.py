"""`auditlane import`: the events of a file, with a progress bar, resumable; a broken line never stops the rest."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from auditlane.contract.tenants import dedicated_topic
from auditlane.importer.checkpoint import Checkpoint
from auditlane.importer.checkpoint import Progress as Done
from auditlane.importer.formats import FORMATS
from auditlane.importer.run import run
from auditlane.importer.sources import Source, opened
from auditlane.runtime.errors import ImportIncomplete

app = typer.Typer(add_completion=False)
MAX_BLOCK_MS = 60_000  # a slow Kafka slows the import down, and does not fail it
_SHOWN = 20  # refused items that are printed; --json has as many as LISTED
_LISTED = 1_000
_INTERRUPTED = 130
_GO_ON = "Run the same command again to go on."
_AGAIN = "This input cannot be resumed: import it from its beginning; what is stored already is not doubled."


class Kind(StrEnum):
    """The formats, as typer wants its choices; a test holds them equal to FORMATS."""

    auditlane = "auditlane"
    cloudtrail = "cloudtrail"


@app.command()
def command(
    file: Annotated[str, typer.Argument(help="The file, also .gz; `-` is standard input, which cannot be resumed.")],
    kind: Annotated[Kind, typer.Option("--format", help="What the file holds.")] = Kind.auditlane,
    tenant: Annotated[
        str | None, typer.Option(help="auditlane: for lines that name none. cloudtrail: for all records.")
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="From the beginning, whatever was imported.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON summary.")] = False,
) -> None:
    """Emit the events of a file. Run it again after an interruption: it goes on, and a reader sees nothing twice."""
    from auditlane.sdk import AuditClient, ClientConfig

    config = ClientConfig.load(max_block_ms=MAX_BLOCK_MS)
    reading = FORMATS[kind.value](tenant)
    refused: list[tuple[int, str]] = []

    def on_refused(number: int, why: str) -> None:
        if len(refused) < _LISTED:
            refused.append((number, why))
        if len(refused) <= _SHOWN:
            print(f"{reading.unit} {number}: {why}", file=sys.stderr)

    topics = [config.topic, *(dedicated_topic(config.topic, one) for one in sorted(config.dedicated_tenants))]
    checkpoint = _checkpoint(file, (kind.value, tenant or ""), topics, restart=restart)
    before = checkpoint.load() if checkpoint else Done()
    client = AuditClient(config, on_error=lambda error, event_id: None)  # a flush raises it
    try:
        with opened(file) as source, _bar(file, source) as on_batch:
            done = run(source, reading, client, checkpoint=checkpoint, on_refused=on_refused, on_batch=on_batch)
    except KeyboardInterrupt:
        print(f"Interrupted. {_GO_ON if checkpoint else _AGAIN}", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        client.close(timeout=0)
    _report(done, before, reading.unit, refused, as_json=as_json)
    if done.refused:
        raise _incomplete(done, reading.unit)


def _incomplete(done: Done, unit: str) -> ImportIncomplete:
    total = done.sent + done.known + done.refused
    if done.refused == total:
        said = f"The only {unit} was refused" if total == 1 else f"All {total} {unit}s were refused"
        return ImportIncomplete(f"{said}; nothing is imported.", fix="Correct them, or check --format and --tenant.")
    return ImportIncomplete(
        f"{done.refused} of {total} {unit}s {'was' if done.refused == 1 else 'were'} refused; the rest is imported.",
        fix="Correct them and import everything again; what is stored already is not doubled.",
    )


def _checkpoint(file: str, what: tuple[str, ...], topics: list[str], *, restart: bool) -> Checkpoint | None:
    """The progress of this file into these very topics; None for what cannot be read from its beginning again.

    A topic is told by its id, not by name and address: one that was made anew holds nothing of what the old one got.
    """
    from auditlane.contract.topic_ids import topic_ids
    from auditlane.local import cache
    from auditlane.runtime.settings import load

    if file == "-" or not Path(file).is_file():
        return None
    settings = load()
    ids = topic_ids(settings, topics)
    told = [f"{name}={ids.get(name, '')}" for name in topics]
    checkpoint = Checkpoint.of(cache.folder(settings.cache_dir) / "imports", Path(file), (*what, *told))
    if restart:
        checkpoint.clear()
    return checkpoint


@contextmanager
def _bar(file: str, source: Source) -> Iterator[Callable[[Done], None]]:
    """A progress bar on a terminal, by the bytes of the file; silence elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(Path(file).name, total=source.size)

        def on_batch(_: Done) -> None:
            bar.update(task, completed=source.position)

        yield on_batch


def _report(done: Done, before: Done, unit: str, refused: list[tuple[int, str]], *, as_json: bool) -> None:
    now = done.sent - before.sent
    if as_json:
        problems = [{unit: number, "reason": why} for number, why in refused]
        counts = {"sent": done.sent, "sent_earlier": before.sent, "sent_now": now, "refused": done.refused}
        print(json.dumps(counts | {"resumed_after": before.number, "problems": problems}))
        return
    if (refused_now := done.refused - before.refused) > _SHOWN:
        print(f"… and {refused_now - _SHOWN} more", file=sys.stderr)
    if before.number:
        print(
            f"{_events(done.sent)} imported: {before.sent} earlier, {now} now (resumed after {unit} {before.number})."
        )
    elif done.sent:
        print(f"{_events(done.sent)} imported.")
    elif not done.refused:  # else the error says it
        print(f"There is no {unit} in it: nothing is imported.")


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
