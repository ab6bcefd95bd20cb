"""Implements `auditlane export`, which writes a tenant's matching events to a file or to standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from auditlane.access.scope import TenantScope
from auditlane.cli import filter_options as options
from auditlane.cli.help_text import examples
from auditlane.cli.pipes import ignore_broken_pipe
from auditlane.contract.sentence import LANGUAGES
from auditlane.query.export.columns import choose, of_ocsf, of_table
from auditlane.query.export.exporter import Export, Exporter
from auditlane.query.export.formats import Dialect, Form, Format, OcsfVersion, Separator
from auditlane.query.export.sentences import Sentences
from auditlane.query.fields import parse_zone
from auditlane.query.filters import Filter, one_of
from auditlane.runtime.errors import ConfigError, Conflict
from auditlane.runtime.settings import load
from auditlane.store.client import LazyClient, connect
from auditlane.store.structure_cache import StructureCache

app = typer.Typer(add_completion=False)


@app.command(
    epilog=examples(
        "export --tenant acme --format csv --output audit.csv",
        "export --tenant acme --format csv --dialect spreadsheet --zone Europe/Berlin --output audit.csv",
        "export --tenant acme --from 2030-01-01 --severity Critical --columns occurred_at,actor_id,action",
        "export --tenant acme --format csv --columns occurred_at,sentence --language de",
        "export --tenant acme --format ocsf --ocsf-version 1.8.0 --output audit.ocsf.jsonl",
    )
)
@options.filtered
def command(
    tenant: options.Tenant,
    format_: Annotated[Format, typer.Option("--format", "-f", help="Format of the file.")] = Format.jsonl,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="standard output")
    ] = None,
    columns: Annotated[
        str | None, typer.Option(help="Comma-separated fields, in order.", show_default="every stored field")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    raw_formulas: Annotated[
        bool, typer.Option("--raw-formulas", help="Do not escape CSV cells that a spreadsheet would run as formulas.")
    ] = False,
    dialect: Annotated[
        Dialect,
        typer.Option(
            help="Intended reader of the CSV: spreadsheet files have a byte order mark and times without a zone."
        ),
    ] = Dialect.raw,
    separator: Annotated[Separator, typer.Option(help="Separator of CSV cells.")] = Separator.comma,
    zone: Annotated[str, typer.Option(help="Time zone (IANA) of the times in a file for spreadsheets.")] = "UTC",
    language: Annotated[
        str, typer.Option(help="Language of the column sentence.", metavar=f"[{'|'.join(LANGUAGES)}]")
    ] = LANGUAGES[0],
    ocsf_version: Annotated[OcsfVersion, typer.Option(help="Version of OCSF events.")] = OcsfVersion.v1_8_0,
    *,
    filter_: Filter,
) -> None:
    """Export a tenant's events to a file or to standard output, newest first.

    The file appears under its name only when it is complete. Reads ClickHouse directly, at AUDITLANE_CLICKHOUSE_URL.
    """
    scope = TenantScope.for_operator(options.checked_tenant(tenant))
    if output is not None:
        _check_target(output, force=force)
    elif not format_.lines and sys.stdout.isatty():
        raise ConfigError(
            f"A terminal cannot display {format_.label}.", fix="Pass --output, or redirect standard output."
        )
    local_zone, language = parse_zone("zone", zone), one_of("language", language, LANGUAGES)
    settings = load()
    exporter, store = Exporter(settings), LazyClient(lambda: connect(settings))
    try:
        structure = StructureCache(store.client, settings.clickhouse_database).of(scope.tenant)
        chosen = choose(structure, columns, everything=True)
        if format_ is Format.pdf and columns is None:
            chosen = of_table(chosen)
        if format_ is Format.ocsf:
            chosen = of_ocsf(chosen, structure, everything=True)
        form = Form(
            format_,
            chosen,
            raw_formulas,
            ocsf_version,
            dialect=dialect,
            separator=separator,
            zone=local_zone.key,
            sentences=Sentences(language, structure.actions),
        )
        export = exporter.export(scope, filter_, form)
        if output is None:
            with ignore_broken_pipe():
                _copy(export, sys.stdout.buffer)
        else:
            with _atomic_writer(output) as file:
                _copy(export, file)
            access = "with" if filter_.include_access else "without"
            print(f"{export.written} events in {output}, {access} events about access to the log", file=sys.stderr)
    finally:
        exporter.close()
        store.close()


def _check_target(path: Path, *, force: bool) -> None:
    """Raise ConfigError if `path` is not a regular file, since a rename would destroy a device, and Conflict if the
    file exists.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(
            f"{path} is not a file.", fix="Choose a file name, or omit --output and redirect standard output."
        )
    if path.exists() and not force:
        raise Conflict(f"{path} already exists.", fix="Choose another name, or pass --force to replace it.")


def _copy(export: Export, file: BinaryIO) -> None:
    columns = (TextColumn("exporting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    shown = console.is_terminal and not (file is sys.stdout.buffer and sys.stdout.isatty())
    try:
        with Progress(*columns, console=console, transient=True, disable=not shown) as progress:
            task = progress.add_task("", total=export.rows)
            for piece in export:
                file.write(piece)
                progress.update(task, completed=export.written)
        file.flush()
    finally:
        export.close()


@contextmanager
def _atomic_writer(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file, renamed to `path` on success and deleted otherwise. Raises ConfigError."""
    path = path.resolve()  # a symbolic link must still point to the file
    part = path.with_name(path.name + ".part")
    try:
        file = part.open("wb")
    except OSError as error:
        raise _unwritable(part, error) from error
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        part.unlink(missing_ok=True)


def _unwritable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"Cannot write {path}: {error.strerror}.", fix="Choose another --output.")
