"""Sends statements to ClickHouse, reads each result to its end marker, and maps every failure to an auditlane error."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Final, cast

import pyarrow as pa
import urllib3.exceptions
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.query.clickhouse.arrow_stream import Source, TruncatedResult, batches
from auditlane.query.clickhouse.cancellation import pool_for
from auditlane.query.clickhouse.concurrency import TenantConcurrency
from auditlane.query.clickhouse.lazy_client import LazyClient
from auditlane.query.clickhouse.statements import Statement
from auditlane.runtime.errors import AuditlaneError, QueryTooLarge, StoreRefused, StoreUnavailable
from auditlane.runtime.fair_share import current, reads
from auditlane.runtime.settings import Settings
from auditlane.store.client import CONNECT_TIMEOUT_S, causes, connect, store_errors

_CODE = re.compile(rb"Code: (\d+)\. DB::Exception|\bCode: (\d+)\b")
_TOO_LONG, _TOO_MUCH_MEMORY, _TOO_MANY_ROWS, _TOO_MANY_AT_ONCE = {159, 160}, {241}, {158, 307}, {202}
_NOT_MIGRATED = {60, 81}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one query may take. An export may take longer, because its reader may be slow."""

    page_s: float = 30.0
    export_s: float = 3_600.0
    memory_bytes: int = 2 << 30
    threads: int = 4
    priority: int = 1  # ClickHouse's: a query pauses, `PAUSE_MS` at a block, while one with a smaller number runs
    rows_read: int = 0  # 0: as many as there are; of a tenant's query

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Those of the settings."""
        return cls(
            page_s=settings.query_timeout_s,
            memory_bytes=settings.query_memory_bytes,
            rows_read=settings.query_max_rows_read,
        )


QUERY_S: Final = 0.02  # of ClickHouse's work for any statement …
BYTES_PER_S: Final = 500_000_000  # … and for what it reads, uncompressed

_GRACE_S: Final = 1.0  # for ClickHouse's own answer that a query took too long, before we stop listening
PAUSE_MS: Final = 20  # of a query with others before it, at each block

# ClickHouse ends a query whose client has gone, or gave it up. It only looks at the connections of queries that read.
_CANCELLED: Final = {"readonly": 2, "cancel_http_readonly_queries_on_client_close": 1}


class QueryExecutor:
    """Runs statements under one set of limits. Thread-safe; connects with the first statement.

    ClickHouse may be silent for `silence_s`, and a statement may take `seconds`. `concurrency` limits how many
    statements of a tenant run at once.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        *,
        silence_s: float,
        seconds: float,
        concurrency: TenantConcurrency | None = None,
    ) -> None:
        self._limits = limits
        self._concurrency = concurrency
        self._seconds = seconds
        self._pool = pool_for(settings)
        self._connection = LazyClient(
            lambda: connect(
                settings,
                connect_timeout=min(CONNECT_TIMEOUT_S, silence_s),
                send_receive_timeout=silence_s,
                query_limit=0,
                pool_mgr=self._pool,
            )
        )

    @classmethod
    def for_pages(
        cls, settings: Settings, limits: Limits | None = None, concurrency: TenantConcurrency | None = None
    ) -> QueryExecutor:
        """For statements that people wait for: each takes `page_s` at most, and a silent ClickHouse a second longer."""
        limits = limits or Limits.of(settings)
        silence_s = limits.page_s + _GRACE_S
        return cls(settings, limits, silence_s=silence_s, seconds=limits.page_s, concurrency=concurrency)

    def open(self, statement: Statement, seconds: float | None = None) -> Source:
        """Start a statement; its body is for `verified_batches`, and the caller closes it.

        `seconds` replaces the time limit of every statement.
        """
        limits = {
            "max_execution_time": math.ceil(self._seconds if seconds is None else seconds),
            "max_memory_usage": self._limits.memory_bytes,
            "max_threads": self._limits.threads,
            "priority": self._limits.priority,
            "low_priority_query_wait_time_ms": PAUSE_MS,
            "max_rows_to_read": 0 if statement.shared else self._limits.rows_read,
            # Small blocks: an export holds a few of them at a time.
            "max_block_size": 4_096,
        }
        with errors():
            return cast(
                Source,
                self._connection.client().raw_stream(
                    statement.sql, statement.parameters, statement.settings | limits | _CANCELLED, fmt="ArrowStream"
                ),
            )

    def rows(self, statement: Statement, tenant: str = "", seconds: float | None = None) -> list[dict[str, Any]]:
        """Run a statement with a small result. Raises RateLimited when the tenant has too many running."""
        with self._concurrency.slot(tenant) if self._concurrency and tenant else nullcontext():
            source = self.open(statement, seconds)
            reads().charge(_work_s(source))
            try:
                return current().charged(
                    lambda: [row for batch in verified_batches(source) for row in batch.to_pylist()]
                )()
            finally:
                source.close()

    def ping(self, database: str) -> None:
        """Raise StoreUnavailable or StoreRefused unless the view can be read."""
        with errors():
            self._connection.client().query(
                "SELECT 1 FROM {database:Identifier}.log LIMIT 0", parameters={"database": database}
            )

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._pool.clear()


def _work_s(source: Source) -> float:
    """What a statement cost ClickHouse, by what it has read: the same however busy ClickHouse is with others."""
    try:
        summary = json.loads(getattr(source, "headers", {}).get("X-ClickHouse-Summary", "{}"))
        return QUERY_S + int(summary.get("read_bytes", 0)) / BYTES_PER_S
    except (ValueError, AttributeError):
        return QUERY_S


def verified_batches(source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the record batches, of which the last one is the result's last.

    Raises TruncatedResult, or QueryTooLarge and StoreUnavailable when ClickHouse says why it stopped.
    """
    try:
        yield from batches(source)
    except TruncatedResult as error:
        found = _CODE.search(error.tail)
        raise _limit_error(int(found[1] or found[2]) if found else None) or error from error
    except urllib3.exceptions.HTTPError as error:
        raise TruncatedResult(
            "ClickHouse sent nothing for too long" if _timed_out(error) else "the connection was cut"
        ) from error


def _timed_out(cause: BaseException) -> bool:
    # A refused connection counts as a time-out in urllib3's tree.
    refused = urllib3.exceptions.NewConnectionError
    return isinstance(cause, urllib3.exceptions.TimeoutError) and not isinstance(cause, refused)


@contextmanager
def errors() -> Iterator[None]:
    """What asking ClickHouse raises, as StoreUnavailable, StoreRefused or QueryTooLarge."""
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
    if code in _TOO_MANY_ROWS:
        return QueryTooLarge("The query had to read more rows than it may.", fix="Narrow it: a shorter time range.")
    if code in _TOO_MANY_AT_ONCE:
        return StoreUnavailable("ClickHouse is answering too many queries.", fix="Try again in a moment.")
    return None
