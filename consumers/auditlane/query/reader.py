"""Read the store for one tenant at a time: a page, one event, a whole export; for the API, the pages and the CLI."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import urllib3.exceptions
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.access.scope import TenantScope
from auditlane.query import sql
from auditlane.query.connection import Connection
from auditlane.query.cursor import Position
from auditlane.query.filters import Filter
from auditlane.query.models import Event
from auditlane.query.stream import Broken, Source, batches
from auditlane.runtime.errors import AuditlaneError, NotFound, QueryTooLarge, StoreRefused, StoreUnavailable
from auditlane.runtime.settings import Settings
from auditlane.store.client import CONNECT_TIMEOUT_S, causes, connect, store_errors

_CODE = re.compile(rb"Code: (\d+)\. DB::Exception|\bCode: (\d+)\b")
_TOO_LONG, _TOO_MUCH_MEMORY, _TOO_MANY_AT_ONCE = {159, 160}, {241}, {202}
_NOT_MIGRATED = {60, 81}
_GRACE_S = 1.0  # for ClickHouse's own answer that a query took too long, before we stop listening
_EXPORT_SILENCE_S = 120.0  # between two pieces of an answer a sort or a busy server may be silent for long


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take. An export may take longer, because its reader may be slow."""

    page_s: float = 30.0
    export_s: float = 3_600.0
    memory_bytes: int = 2 << 30
    threads: int = 4


@dataclass(frozen=True, slots=True)
class Page:
    """Events newest first, and the positions that lead on; None where the list ends."""

    events: list[Event]
    older: Position | None
    newer: Position | None


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


class Reader:
    """Reads from any number of threads; connects when it is first asked something.

    What a page needs is answered or StoreUnavailable within `page_s` and a second, also when ClickHouse hangs.
    """

    def __init__(self, settings: Settings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits(page_s=settings.query_timeout_s)
        self._database = settings.clickhouse_database
        page_s = self._limits.page_s
        self._pages = self._connection(page_s + _GRACE_S)
        self._exports = self._connection(max(page_s, _EXPORT_SILENCE_S) + CONNECT_TIMEOUT_S)

    def _connection(self, silence_s: float) -> Connection:
        """`silence_s` is how long ClickHouse may send nothing."""
        return Connection(
            lambda: connect(
                self._settings,
                connect_timeout=min(CONNECT_TIMEOUT_S, silence_s),
                send_receive_timeout=silence_s,
                query_limit=0,
            )
        )

    def page(self, scope: TenantScope, filter_: Filter, *, limit: int, position: Position | None = None) -> Page:
        """The page beside a position, or the newest one. `limit` is the most events on it."""
        statement = sql.compile_page(self._database, scope, filter_, position=position, limit=limit + 1)
        rows = self._rows(statement)
        towards_newer = position is not None and position.newer
        more, rows = len(rows) > limit, rows[:limit]
        if towards_newer:
            rows.reverse()
        if not rows:
            return Page([], None, None)
        # Where we came from there is something, so only the side that we went to can have an end.
        older = more or towards_newer
        newer = more if towards_newer else position is not None
        return Page(
            [_event(row["line"]) for row in rows],
            _position(rows[-1], newer=False) if older else None,
            _position(rows[0], newer=True) if newer else None,
        )

    def event(self, scope: TenantScope, event_id: str) -> Event:
        """One event, or NotFound: also when it is another tenant's."""
        rows = self._rows(sql.compile_one(self._database, scope, event_id))
        if not rows:
            raise NotFound(f"There is no event {event_id}.", fix="Check the id; an event takes a moment to be stored.")
        return _event(rows[0]["line"])

    def count(self, scope: TenantScope, filter_: Filter) -> int:
        """How many events the filter matches now."""
        return int(self._rows(sql.compile_count(self._database, scope, filter_))[0]["rows"])

    def export(self, scope: TenantScope, filter_: Filter, *, format_: sql.Format, neutralise: bool = True) -> Export:
        """Count, then start an export of what was counted. Raises before the first byte whatever fails by then."""
        counted = self._rows(sql.compile_count(self._database, scope, filter_))[0]
        rows = int(counted["rows"])
        header = (",".join(sql.COLUMNS) + "\r\n").encode() if format_ == "csv" else b""
        if not rows:
            return Export(0, header, iter(()), None)
        statement = sql.compile_export(
            self._database, scope, filter_, bound_ms=int(counted["bound"]), format_=format_, neutralise=neutralise
        )
        source = self._open(self._exports, statement, seconds=self._limits.export_s)
        try:
            lines = _primed(_checked(source))
        except BaseException:
            source.close()
            raise
        return Export(rows, header, lines, source)

    def ping(self) -> None:
        """Raise StoreUnavailable or StoreRefused unless the view can be read."""
        with _errors():
            self._pages.client().query(
                "SELECT 1 FROM {database:Identifier}.log LIMIT 0", parameters={"database": self._database}
            )

    def close(self) -> None:
        """Close the connections."""
        self._pages.close()
        self._exports.close()

    def _rows(self, statement: sql.Statement) -> list[dict[str, Any]]:
        source = self._open(self._pages, statement, seconds=self._limits.page_s)
        try:
            return [row for batch in _checked(source) for row in batch.to_pylist()]
        finally:
            source.close()

    def _open(self, connection: Connection, statement: sql.Statement, *, seconds: float) -> Source:
        limits = {
            "max_execution_time": math.ceil(seconds),
            "max_memory_usage": self._limits.memory_bytes,
            "max_threads": self._limits.threads,
            # Small blocks: an export holds a few of them at a time.
            "max_block_size": 4_096,
        }
        with _errors():
            return cast(
                Source,
                connection.client().raw_stream(
                    statement.sql, statement.parameters, statement.settings | limits, fmt="ArrowStream"
                ),
            )


def _event(line: bytes) -> Event:
    return Event.model_validate_json(line.decode(errors="replace"))


def _position(row: dict[str, Any], *, newer: bool) -> Position:
    id_ = row["id"]
    return Position(int(row["occurred_us"]), id_.decode() if isinstance(id_, bytes) else str(id_), newer)


def _primed(lines: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same batches with the first one read already, so that most failures come before an answer has begun."""
    first = next(lines, None)

    def all_of_them() -> Iterator[pa.RecordBatch]:
        if first is not None:
            yield first
            yield from lines

    return all_of_them()


def _checked(source: Source) -> Iterator[pa.RecordBatch]:
    """The batches, with what made the stream break off said by its proper name."""
    try:
        yield from batches(source)
    except Broken as error:
        found = _CODE.search(error.tail)
        raise _limit_error(int(found[1] or found[2]) if found else None) or error from error
    except urllib3.exceptions.HTTPError as error:
        raise Broken(f"{type(error).__name__}: {error}"[:300]) from error


def _timed_out(cause: BaseException) -> bool:
    # A refused connection counts as a time-out in urllib3's tree.
    refused = urllib3.exceptions.NewConnectionError
    return isinstance(cause, urllib3.exceptions.TimeoutError) and not isinstance(cause, refused)


@contextmanager
def _errors() -> Iterator[None]:
    try:
        with store_errors():
            yield
    except StoreUnavailable as error:
        if any(_timed_out(cause) for cause in causes(error)):
            raise StoreUnavailable("ClickHouse did not answer in time.", fix="Try again in a moment.") from error
        raise
    except StoreRefused as error:
        cause = error.__cause__
        code = cause.code if isinstance(cause, DatabaseError) else None
        if code in _NOT_MIGRATED:
            raise StoreRefused("The tables are not there yet.", fix="Run `auditlane init`.") from error
        raise _limit_error(code) or error from cause


def _limit_error(code: int | None) -> AuditlaneError | None:
    if code in _TOO_LONG:
        return QueryTooLarge("The query took longer than it may.", fix="Narrow it: a shorter time range, more filters.")
    if code in _TOO_MUCH_MEMORY:
        return QueryTooLarge("The query needed more memory than it may.", fix="Narrow it: a shorter time range.")
    if code in _TOO_MANY_AT_ONCE:
        return StoreUnavailable("ClickHouse is answering too many queries.", fix="Try again in a moment.")
    return None
