"""Count what a filter matches, then stream exactly that as a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pyarrow as pa

from auditlane.access.scope import TenantScope
from auditlane.query.columns import COLUMNS
from auditlane.query.export import sql
from auditlane.query.filters import Filter
from auditlane.query.results import Limits, Results, checked
from auditlane.query.sql import compile_count
from auditlane.query.stream import Broken, Source
from auditlane.runtime.settings import Settings
from auditlane.store.client import CONNECT_TIMEOUT_S

_SILENCE_S = 120.0  # between two pieces of an answer a sort or a busy server may be silent for long


class Export:
    """A file in the making. `rows` is what it will hold; iterating gives its bytes, whole lines at a time.

    Iterating raises StoreUnavailable or QueryTooLarge when the result breaks off: what was given until then is not
    whole. `close` may be called at any time and ends the query.
    """

    def __init__(self, rows: int, header: bytes, lines: Iterator[pa.RecordBatch], source: Source | None) -> None:
        self.rows = rows
        self.written = 0
        self._header = header
        self._lines = lines
        self._source = source

    def __iter__(self) -> Iterator[bytes]:
        if self._header:
            yield self._header
        for batch in self._lines:
            if batch.num_rows:
                self.written += batch.num_rows
                yield b"".join(cast(list[bytes], batch.column(0).to_pylist()))
        # More is possible: rows of the bound's own millisecond that another worker was still inserting.
        if self.written < self.rows:
            raise Broken(f"{self.written} rows came, {self.rows} were counted")

    def close(self) -> None:
        """End the query. The rest of the body is not read; ClickHouse notices that nobody takes it."""
        if self._source is not None:
            self._source.close()


class Exporter:
    """Exports from any number of threads; connects when it is first asked something."""

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        limits = limits or Limits(page_s=settings.query_timeout_s)
        self._database = settings.clickhouse_database
        self._counts = Results(settings, limits, silence_s=limits.page_s + 1.0, seconds=limits.page_s)
        silence_s = max(limits.page_s, _SILENCE_S) + CONNECT_TIMEOUT_S
        self._files = Results(settings, limits, silence_s=silence_s, seconds=limits.export_s)

    def export(self, scope: TenantScope, filter_: Filter, *, format_: sql.Format, neutralise: bool = True) -> Export:
        """Count, then start an export of what was counted. Raises before the first byte whatever fails by then."""
        counted = self._counts.rows(compile_count(self._database, scope, filter_))[0]
        rows = int(counted["rows"])
        header = (",".join(COLUMNS) + "\r\n").encode() if format_ == "csv" else b""
        if not rows:
            return Export(0, header, iter(()), None)
        statement = sql.compile_export(
            self._database, scope, filter_, bound_ms=int(counted["bound"]), format_=format_, neutralise=neutralise
        )
        source = self._files.open(statement)
        try:
            lines = _primed(checked(source))
        except BaseException:
            source.close()
            raise
        return Export(rows, header, lines, source)

    def close(self) -> None:
        """Close the connections."""
        self._counts.close()
        self._files.close()


def _primed(lines: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches with the first one read already, so that most failures come before an answer has begun."""
    first = next(lines, None)

    def all_of_them() -> Iterator[pa.RecordBatch]:
        if first is not None:
            yield first
            yield from lines

    return all_of_them()
