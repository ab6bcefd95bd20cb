"""Counts the events that a filter matches, and then streams exactly those events as a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import pyarrow as pa

from auditlane.access.scope import TenantScope
from auditlane.query.clickhouse.executor import (
    Limits,
    Observe,
    QueryExecutor,
    Source,
    TenantConcurrency,
    TruncatedResult,
    verified_batches,
)
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.export.document_process import DocumentBounds
from auditlane.query.export.download_pool import DownloadPool
from auditlane.query.export.encoders import completed, encoder
from auditlane.query.export.formats import PDF_ROWS, Encoder, Form, Format, Heading
from auditlane.query.export.sql import compile_export
from auditlane.query.filters import Filter
from auditlane.query.sort import Position
from auditlane.query.sql import compile_count
from auditlane.runtime.errors import QueryTooLarge
from auditlane.runtime.settings import Settings
from auditlane.store.client import CONNECT_TIMEOUT_S

_SILENCE_S: Final = 120.0  # seconds without data: a sort or a busy server may send nothing for a long time


@dataclass(frozen=True, slots=True)
class Counted:
    """The number of events in an export, and their newest `ingested_at` in milliseconds."""

    rows: int
    bound_ms: int


class Export:
    """An export of `rows` events that is in progress. Each item of the iterator contains the bytes of whole rows, and
    may be empty.

    Iterating raises StoreUnavailable or QueryTooLarge if the result is incomplete, and propagates the errors of
    `check`, which is called before every batch of rows. In either case, the file is incomplete. `close` ends the query,
    and may be called at any time. `written` and `position` describe the end of the latest chunk.
    """

    def __init__(
        self,
        rows: int,
        encoder: Encoder,
        batches: Iterator[pa.RecordBatch],
        source: Source | None,
        *,
        written: int = 0,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.rows = rows
        self.written = written
        self.position: Position | None = None
        self._encoder = encoder
        self._batches = batches
        self._source = source
        self._check = check
        self._continued = written > 0

    def __iter__(self) -> Iterator[bytes]:
        if not self._continued and (first := self._encoder.begin()):
            yield first
        for batch in self._batches:
            self._check()
            if batch.num_rows:
                piece = self._encoder.add(batch)
                self.written += batch.num_rows
                self.position = Position.of(batch.slice(batch.num_rows - 1).to_pylist()[0])
                yield piece
        # More rows may exist, since another worker may still insert events up to the bound.
        if self.written < self.rows:
            raise TruncatedResult(f"it has {self.written} of {self.rows} rows")
        yield from self._encoder.end()

    def close(self) -> None:
        """End the query. ClickHouse notices the closed connection, and the rest of the body is not read."""
        self._encoder.close()
        if self._source is not None:
            self._source.close()


class Exporter:
    """Runs exports. Connects with the first query. Thread-safe.

    `require_standing` raises an error if the requester may not read the rest of an export, for example because their
    key was revoked.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits | None = None,
        *,
        require_standing: Callable[[TenantScope], None] = lambda scope: None,
        concurrency: TenantConcurrency | None = None,
        observe: Observe | None = None,
    ) -> None:
        """Create an exporter. `concurrency` limits the counts of a tenant together with its other queries."""
        # An export reads as many rows as it exports. It runs on one thread and yields to interactive lists.
        limits = limits or replace(Limits.of(settings), rows_read=0)
        self.database = settings.clickhouse_database
        self._font: Path | None = settings.export_font
        self._counts = QueryExecutor(
            settings,
            limits,
            silence_s=limits.page_s + 1.0,
            seconds=limits.page_s,
            concurrency=concurrency,
            observe=observe,
        )
        silence_s = max(limits.page_s, _SILENCE_S) + CONNECT_TIMEOUT_S
        behind = replace(limits, threads=1, priority=2)
        self._files = QueryExecutor(settings, behind, silence_s=silence_s, seconds=limits.export_s, observe=observe)
        self._require_standing = require_standing
        self._bounds = {
            Format.pdf: DocumentBounds(settings.export_pdf_memory_bytes, settings.export_pdf_timeout_s),
            Format.xlsx: DocumentBounds(settings.export_xlsx_memory_bytes, settings.export_xlsx_timeout_s),
        }
        self.downloads = DownloadPool.of(settings)

    def count(self, scope: TenantScope, filter_: Filter, format_: Format) -> Counted:
        """Count the events in an export that starts now. Raises QueryTooLarge if the format cannot hold them."""
        return self.counted(compile_count(self.database, scope, filter_), scope, format_)

    def counted(self, statement: Statement, scope: TenantScope, format_: Format) -> Counted:
        """Count like `count`, but with the given statement, which returns a single row with `rows` and `bound`."""
        found = self._counts.rows(statement, scope.tenant)[0]
        counted = Counted(int(found["rows"]), int(found["bound"]))
        if format_ is Format.pdf and counted.rows > PDF_ROWS:
            raise QueryTooLarge(
                f"A PDF holds at most {PDF_ROWS} events, and {counted.rows} match.",
                field="format",
                fix="Narrow the filter, or use csv, xlsx, jsonl, parquet or ocsf, which have no limit.",
            )
        return counted

    def export(
        self,
        scope: TenantScope,
        filter_: Filter,
        form: Form,
        *,
        counted: Counted | None = None,
        after: Position | None = None,
        written: int = 0,
    ) -> Export:
        """Start an export of the counted events. They are counted first if necessary. Most errors are raised here,
        before the first byte is sent.

        `after` and `written` resume an export after the rows already written. Only line-based formats can be resumed.
        """
        counted = counted or self.count(scope, filter_, form.format)
        statement = compile_export(
            self.database, scope, filter_, form, bound_ms=counted.bound_ms, after=after if written else None
        )
        return self.started(statement, scope, form, counted, include_access=filter_.include_access, written=written)

    def started(
        self,
        statement: Statement,
        scope: TenantScope,
        form: Form,
        counted: Counted,
        *,
        include_access: bool,
        written: int = 0,
    ) -> Export:
        """Start an export like `export`, but with the given statement, which must select the columns of
        `compile_export`.
        """
        check = partial(self._require_standing, scope)
        check()
        made_at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
        heading = Heading(scope.tenant, counted.rows, made_at, include_access)
        coder = encoder(form, heading, self._font, self._bounds.get(form.format))
        if counted.rows <= written:
            return Export(counted.rows, coder, iter(()), None, written=written, check=check)
        source = self._files.open(statement)
        try:
            batches = _primed(completed(verified_batches(source), form))
        except BaseException:
            source.close()
            raise
        return Export(counted.rows, coder, batches, source, written=written, check=check)

    @property
    def executor(self) -> QueryExecutor:
        """The executor for interactive statements."""
        return self._counts

    def close(self) -> None:
        """Close the connections."""
        self._counts.close()
        self._files.close()


def _primed(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Read the first batch, and return an iterator over all batches, so that most failures occur before the response
    starts.
    """
    first = next(batches, None)

    def chained() -> Iterator[pa.RecordBatch]:
        if first is not None:
            yield first
            yield from batches

    return chained()
