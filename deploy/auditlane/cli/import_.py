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

from auditlane.importer.checkpoint import Checkpoint
from auditlane.importer.checkpoint import Progress as Done
from auditlane.importer.formats import FORMATS
from auditlane.importer.run import run
from auditlane.importer.sources import Source, opened
from auditlane.runtime.errors import ImportIncomplete

app = typer.Typer()
MAX_BLOCK_MS = 60_000  # a slow Kafka slows the import down, and does not fail it
_SHOWN = 20  # refused items that are printed; --json has as many as LISTED
_LISTED = 1_000
_INTERRUPTED = 130


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

    checkpoint = _checkpoint(file, (kind.value, tenant or "", config.kafka_bootstrap, config.topic), restart=restart)
    resumed = checkpoint.load().number if checkpoint else 0
    client = AuditClient(config, on_error=lambda error, event_id: None)  # a flush raises it
    try:
        with opened(file) as source, _bar(file, source) as on_batch:
            done = run(source, reading, client, checkpoint=checkpoint, on_refused=on_refused, on_batch=on_batch)
    except KeyboardInterrupt:
        print("Interrupted. Run the same command again to go on.", file=sys.stderr)
        raise typer.Exit(_INTERRUPTED) from None
    finally:
        client.close(timeout=0)
    _report(done, reading.unit, resumed, refused, as_json=as_json)
    if done.refused:
        total = done.sent + done.known + done.refused
        raise ImportIncomplete(
            f"{done.refused} of {total} {reading.unit}s were refused; the rest is imported.",
            fix="Correct them and import the file again; what is stored already is not doubled.",
        )


def _checkpoint(file: str, what: tuple[str, ...], *, restart: bool) -> Checkpoint | None:
    from auditlane.local import cache
    from auditlane.runtime.settings import load

    if file == "-" or not Path(file).is_file():
        return None
    checkpoint = Checkpoint.of(cache.folder(load().cache_dir) / "imports", Path(file), what)
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


def _report(done: Done, unit: str, resumed: int, refused: list[tuple[int, str]], *, as_json: bool) -> None:
    if as_json:
        problems = [{unit: number, "reason": why} for number, why in refused]
        print(json.dumps({"sent": done.sent, "refused": done.refused, "resumed_after": resumed, "problems": problems}))
        return
    if done.refused > _SHOWN:
        print(f"… and {done.refused - _SHOWN} more", file=sys.stderr)
    print(f"{done.sent} events imported" + (f", resumed after {unit} {resumed}" if resumed else "") + ".")
