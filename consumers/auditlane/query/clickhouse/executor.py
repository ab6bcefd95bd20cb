"""Sends statements to ClickHouse, verifies that each result is complete, and maps failures to auditlane errors.

ClickHouse responds with 200 before a query is done. If the query then fails, ClickHouse ends the body early or writes
its error into the body. So every result is read up to the end marker of its Arrow stream.
"""

from __future__ import annotations

import io
import json
import math
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, Protocol, cast

import pyarrow as pa
import urllib3.exceptions
from clickhouse_connect.driver.exceptions import DatabaseError

from auditlane.query.clickhouse.cancellation import pool_for
from auditlane.query.clickhouse.statements import EVENTS, TO_PERIOD, Statement
from auditlane.runtime.errors import AuditlaneError, QueryTooLarge, RateLimited, StoreRefused, StoreUnavailable
from auditlane.runtime.fair_share import current, reads
from auditlane.runtime.settings import Settings, variable
from auditlane.store.client import CONNECT_TIMEOUT_S, LazyClient, causes, connect, store_errors
from auditlane.store.partitioning import Partitioning

_CODE = re.compile(rb"Code: (\d+)\. DB::Exception|\bCode: (\d+)\b")
_TOO_LONG, _TOO_MUCH_MEMORY, _TOO_MANY_ROWS, _TOO_MANY_AT_ONCE = {159, 160}, {241}, {158, 307}, {202}
_NOT_MIGRATED = {60, 81}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one query. An export may run longer, because the client that reads it may be slow."""

    page_s: float = 30.0
    export_s: float = 3_600.0
    memory_bytes: int = 2 << 30
    threads: int = 4
    # ClickHouse's `priority` setting: a query pauses for `PAUSE_MS` per block while one with a smaller number runs.
    priority: int = 1
    rows_read: int = 0  # maximum number of rows that a tenant's query may read; 0 is unlimited

    @classmethod
    def of(cls, settings: Settings) -> Limits:
        """Read the limits of queries from the settings."""
        return cls(
            page_s=settings.query_timeout_s,
            memory_bytes=settings.query_memory_bytes,
            rows_read=settings.query_max_rows_read,
        )


QUERY_S: Final = 0.02  # the cost of any statement …
BYTES_PER_S: Final = 500_000_000  # … plus the data that it reads, uncompressed

_GRACE_S: Final = 1.0  # time for ClickHouse to report its own time-out before the connection times out
PAUSE_MS: Final = 20  # pause per block while a query with a higher priority runs

# The route pattern of the current statements' request.
ROUTE: Final[ContextVar[str]] = ContextVar("route", default="(background)")
# (route, seconds, rows, bytes): the time until the response began, and what ClickHouse had read by then.
Observe = Callable[[str, float, int, int], None]

# An export buffers several blocks at a time, and a page ends within a block. A statement may override this.
_SMALL_BLOCKS: Final = {"max_block_size": 4_096}
# ClickHouse ends a query when its client closes the connection, but only checks the connections of read-only queries.
_CANCELLED: Final = {"readonly": 2, "cancel_http_readonly_queries_on_client_close": 1}


class TenantConcurrency:
    """Limits a tenant's concurrent queries, so that its dashboards do not starve other tenants.

    A query over the limit is rejected immediately instead of waiting. Thread-safe.
    """

    def __init__(self, limit: int, *, what: str = "queries", setting: str = "query_concurrency") -> None:
        """Set the limit for each tenant. `what` and `setting` name the limit in the error."""
        self._limit = limit
        self._what = what
        self._setting = setting
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, tenant: str) -> Iterator[None]:
        """Hold one of the tenant's slots. Raises RateLimited if all are taken."""
        with self._lock:
            if self._running[tenant] >= self._limit:
                raise RateLimited(
                    f"{self._limit} {self._what} of this tenant are already running.",
                    fix=f"Repeat the request after the time in Retry-After; {variable(self._setting)} is the limit.",
                )
            self._running[tenant] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[tenant] -= 1
                if not self._running[tenant]:
                    del self._running[tenant]


class Source(Protocol):
    """The body of a response from the HTTP client."""

    def read(self, amt: int) -> bytes: ...
    def close(self) -> None: ...


class QueryExecutor:
    """Runs statements under one set of limits. It connects when the first statement is run. Thread-safe.

    ClickHouse may be silent for `silence_s` seconds, and a statement may take `seconds`. `concurrency` limits the
    concurrent statements of each tenant, and `observe` is called when a response begins.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        *,
        silence_s: float,
        seconds: float,
        concurrency: TenantConcurrency | None = None,
        observe: Observe | None = None,
    ) -> None:
        self._observe = observe
        self._limits = limits
        self._concurrency = concurrency
        self._seconds = seconds
        self._event_tables: dict[str, tuple[str, Partitioning]] = {}  # by database
        self._cores = limits.threads  # of ClickHouse, at most `threads`
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
        cls,
        settings: Settings,
        limits: Limits | None = None,
        concurrency: TenantConcurrency | None = None,
        observe: Observe | None = None,
    ) -> QueryExecutor:
        """Make an executor for interactive statements. Each takes at most `page_s` seconds, and one more second if
        ClickHouse does not respond.
        """
        limits = limits or Limits.of(settings)
        silence_s = limits.page_s + _GRACE_S
        return cls(
            settings, limits, silence_s=silence_s, seconds=limits.page_s, concurrency=concurrency, observe=observe
        )

    def open(self, statement: Statement, seconds: float | None = None) -> Source:
        """Start a statement. The caller reads the body with `verified_batches` and then closes it.

        `seconds` overrides the time limit of the executor.
        """
        parameters, sql = statement.parameters, statement.sql
        if EVENTS in sql:
            table, partitioning = self._event_table(parameters["database"])
            sql = sql if table == "events" else statement.sharded_sql or sql
            sql = sql.replace(TO_PERIOD, partitioning.function)
            parameters = parameters | {"events": table}
        limits = {
            "max_execution_time": math.ceil(self._seconds if seconds is None else seconds),
            "max_memory_usage": self._limits.memory_bytes,
            "max_threads": self._cores if statement.is_summary else self._limits.threads,
            "priority": self._limits.priority,
            "low_priority_query_wait_time_ms": PAUSE_MS,
            "max_rows_to_read": _lower(statement.rows_read, 0 if statement.shared else self._limits.rows_read),
        }
        began = perf_counter()
        with errors():
            source = cast(
                Source,
                self._connection.client().raw_stream(
                    sql, parameters, _SMALL_BLOCKS | statement.settings | limits | _CANCELLED, fmt="ArrowStream"
                ),
            )
        if self._observe is not None:
            self._observe(ROUTE.get(), perf_counter() - began, *_read(source))
        return source

    def event_table(self, database: str) -> str:
        """Return the table that has every stored copy of an event. It is the distributed table in a cluster, and the
        local table otherwise.

        Raises the same errors as `rows`.
        """
        return self._event_table(database)[0]

    def _event_table(self, database: str) -> tuple[str, Partitioning]:
        if database not in self._event_tables:
            count = (
                "SELECT count() AS tables, countIf(name = 'events_all') AS sharded,"
                " anyIf(partition_key, name = 'events') AS key, (SELECT toUInt32OrZero(extract(default, '[0-9]+'))"
                " FROM system.settings WHERE name = 'max_threads') AS cores FROM system.tables"
            )
            sql = f"{count} WHERE database = {{database:String}} AND name IN ('events', 'events_all')"
            [row] = self.rows(Statement(sql, {"database": database}, {}, shared=True))
            self._cores = min(self._cores, row["cores"] or self._cores)
            if not row["tables"]:
                return "events", Partitioning.MONTH  # not created yet
            key = row["key"].decode() if isinstance(row["key"], bytes) else row["key"]
            partitioning = Partitioning.of(key) or Partitioning.MONTH
            self._event_tables[database] = "events_all" if row["sharded"] else "events", partitioning
        return self._event_tables[database]

    def rows(self, statement: Statement, tenant: str = "", seconds: float | None = None) -> list[dict[str, Any]]:
        """Run a statement with a small result. Raises RateLimited if the tenant has too many queries running."""
        with self._concurrency.slot(tenant) if self._concurrency and tenant else nullcontext():
            source = self.open(statement, seconds)
            reads().charge(QUERY_S + _read(source)[1] / BYTES_PER_S)
            try:
                return current().charged(
                    lambda: [row for batch in verified_batches(source) for row in batch.to_pylist()]
                )()
            finally:
                source.close()

    def ping(self, database: str) -> None:
        """Check that the view can be read. Raises StoreUnavailable or StoreRefused otherwise."""
        with errors():
            self._connection.client().query(
                "SELECT 1 FROM {database:Identifier}.log LIMIT 0", parameters={"database": database}
            )

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()
        self._pool.clear()


def _lower(*limits: int) -> int:
    """Return the lower of two limits, where 0 means unlimited."""
    return min(filter(None, limits), default=0)


def _read(source: Source) -> tuple[int, int]:
    """Return how many rows and bytes a statement had read when its response began, or 0 if ClickHouse did not report
    this.

    Unlike durations, these numbers do not depend on the load of ClickHouse.
    """
    try:
        summary = json.loads(getattr(source, "headers", {}).get("X-ClickHouse-Summary", "{}"))
        return int(summary.get("read_rows", 0)), int(summary.get("read_bytes", 0))
    except (ValueError, AttributeError):
        return 0, 0


END_MARKER: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_TAIL_BYTES: Final = 4_096
_REST_BYTES: Final = 1 << 16  # read after a failure, since ClickHouse's error may follow


class TruncatedResult(StoreUnavailable):
    """A result ended before its end marker. `tail` contains the last bytes, which may include ClickHouse's error."""

    def __init__(self, reason: str, tail: bytes = b"") -> None:
        super().__init__(f"The result is incomplete: {reason}.", fix="Try again, and discard the data read so far.")
        self.tail = tail


class _TailRecorder(io.RawIOBase):
    """Passes a body to pyarrow without copying it, and keeps its last bytes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Return the next `size` bytes, or fewer at the end of the body."""
        pieces = []
        while size > 0 and (piece := self._source.read(size)):
            pieces.append(piece)
            size -= len(piece)
            self.tail = (self.tail + piece)[-_TAIL_BYTES:] if len(piece) < _TAIL_BYTES else piece[-_TAIL_BYTES:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def batches(source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of the body. Raises TruncatedResult unless the body ends exactly with the end marker."""
    with _TailRecorder(source) as body:
        try:
            with pa.ipc.open_stream(body) as reader:
                yield from reader
            ended = body.tail.endswith(END_MARKER)
            ended &= not body.read(_REST_BYTES)
        except (pa.ArrowException, OSError, ValueError) as error:
            body.read(_REST_BYTES)
            raise TruncatedResult(f"{type(error).__name__}: {error}".splitlines()[0][:300], body.tail) from error
    if not ended:
        raise TruncatedResult("it has no end marker", body.tail)


def verified_batches(source: Source) -> Iterator[pa.RecordBatch]:
    """Yield the record batches of a complete result.

    Raises TruncatedResult if it is incomplete, or QueryTooLarge or StoreUnavailable if ClickHouse reports the reason.
    """
    try:
        yield from batches(source)
    except TruncatedResult as error:
        found = _CODE.search(error.tail)
        raise _limit_error(int(found[1] or found[2]) if found else None) or error from error
    except urllib3.exceptions.HTTPError as error:
        raise TruncatedResult("ClickHouse timed out" if _timed_out(error) else "the connection was cut") from error


def _timed_out(cause: BaseException) -> bool:
    # urllib3 derives its error for a refused connection from its time-out errors.
    refused = urllib3.exceptions.NewConnectionError
    return isinstance(cause, urllib3.exceptions.TimeoutError) and not isinstance(cause, refused)


@contextmanager
def errors() -> Iterator[None]:
    """Convert errors from ClickHouse calls into StoreUnavailable, StoreRefused or QueryTooLarge."""
    try:
        with store_errors():
            yield
    except StoreUnavailable as error:
        if any(_timed_out(cause) for cause in causes(error)):
            raise StoreUnavailable("ClickHouse did not respond in time.", fix="Try again in a moment.") from error
        raise
    except StoreRefused as error:
        cause = error.__cause__
        code = cause.code if isinstance(cause, DatabaseError) else None
        if code in _NOT_MIGRATED:
            raise StoreRefused("The tables do not exist yet.", fix="Run `auditlane init`.") from error
        raise _limit_error(code) or error from cause


def _limit_error(code: int | None) -> AuditlaneError | None:
    if code in _TOO_LONG:
        return QueryTooLarge("The query exceeded its time limit.", fix="Use a shorter time range or more filters.")
    if code in _TOO_MUCH_MEMORY:
        return QueryTooLarge("The query exceeded its memory limit.", fix="Use a shorter time range.")
    if code in _TOO_MANY_ROWS:
        return QueryTooLarge("The query exceeded its limit of rows to read.", fix="Use a shorter time range.")
    if code in _TOO_MANY_AT_ONCE:
        return StoreUnavailable("ClickHouse is running too many queries.", fix="Try again in a moment.")
    return None
