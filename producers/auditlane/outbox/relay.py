"""Sends outbox rows to Kafka, and deletes rows that Kafka has acknowledged.

If the relay is killed between sending and deleting a row, it sends the row again with the same bytes, and readers see
the event once. A high-water mark on `seq` is not used, because it would lose rows that are committed late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, Table, delete, func, literal, select, update

from auditlane.runtime.errors import (
    AuditlaneError,
    BufferFull,
    DeliveryFailed,
    InvalidEvent,
    RegistryRefused,
    Unavailable,
)
from auditlane.sdk import AuditClient
from auditlane.sdk.event_text import event_of

_ATTEMPTS: Final = 5  # maximum number of times that Kafka or the registry may refuse a row before it is set aside
_LOCKS: Final = 0x61756474  # class of PostgreSQL's advisory locks: "audt"
_TURN_S: Final = 0.2

Settled = tuple[int, AuditlaneError | None]  # (seq, reason for the failure if it was not delivered)


@dataclass(frozen=True, slots=True)
class Step:
    """One step's result. `error` is a failure that a later step may overcome. `more` is whether rows are left."""

    sent: int = 0
    set_aside: int = 0
    more: bool = False
    error: AuditlaneError | None = None

    def followed_by(self, other: Step) -> Step:
        """Combine the results of this step and another."""
        return Step(
            self.sent + other.sent,
            self.set_aside + other.set_aside,
            self.more or other.more,
            self.error or other.error,
        )


class Relay:
    """Sends rows. Several relays may share a table, except on SQLite, where a second relay would send rows twice."""

    def __init__(
        self, engine: Engine, table: Table, client: AuditClient, *, batch: int = 500, ordered: bool = False
    ) -> None:
        """Create a relay that sends at most `batch` rows per transaction. If `ordered`, relays never send rows with the
        same key concurrently.
        """
        self._engine = engine
        self._table = table
        self._client = client
        self._batch = batch
        self._ordered = ordered
        self._attempts: Counter[int] = Counter()

    def step(self) -> Step:
        """Send one batch. If ordered, send one batch of each bucket that no other relay is sending.

        Raises SQLAlchemy's errors.
        """
        done = self._encode()
        if not self._ordered:
            return done.followed_by(self._send(None))
        columns = self._table.c
        waiting = select(columns.bucket).where(columns.problem.is_(None))
        with self._engine.connect() as connection:
            buckets = connection.scalars(waiting.group_by(columns.bucket).order_by(func.min(columns.seq))).all()
        for bucket in buckets:
            done = done.followed_by(self._send(bucket))
        return done

    def _encode(self) -> Step:
        """Encode rows whose contract was unknown during their transaction.

        The result is committed before it is sent, so a row is never sent with two encodings.
        """
        columns = self._table.c
        pending = select(columns.seq, columns.event).where(columns.payload.is_(None), columns.problem.is_(None))
        aside = 0
        error: AuditlaneError | None = None
        with self._engine.begin() as connection:
            rows = connection.execute(self._oldest(pending)).all()
            for row in rows:
                values: dict[str, Any]
                try:
                    values = {"payload": self._client.encode(event_of(row.event)), "event": None}
                except InvalidEvent as problem:
                    values, aside = {"problem": str(problem)}, aside + 1
                except RegistryRefused as problem:  # other tenants' contracts may be valid
                    error = problem
                    if not self._gives_up(row.seq):
                        continue
                    values, aside = {"problem": str(problem)}, aside + 1
                except AuditlaneError as problem:  # the registry is unavailable
                    error = problem
                    break
                connection.execute(update(self._table).where(columns.seq == row.seq).values(**values))
        return Step(set_aside=aside, more=len(rows) == self._batch and error is None, error=error)

    def _send(self, bucket: int | None) -> Step:
        columns = self._table.c
        wanted: list[ColumnElement[bool]] = [columns.problem.is_(None)]
        wanted += [columns.payload.is_not(None)] if bucket is None else [columns.bucket == bucket]
        names = (columns.seq, columns.id, columns.aggregatetype, columns.aggregateid, columns.payload)
        with self._engine.begin() as connection, self._locked(connection, bucket) as locked:
            if not locked:
                return Step()
            rows = connection.execute(self._oldest(select(*names).where(*wanted))).all()
            whole = len(rows) == self._batch
            if bucket is not None:  # rows behind one that is not encoded have to wait for it
                rows = rows[: next((at for at, row in enumerate(rows) if row.payload is None), len(rows))]
            sent, refused, error = self._deliver(rows)
            if sent:
                connection.execute(delete(self._table).where(columns.seq.in_(sent)))
            for seq, problem in refused.items():
                connection.execute(update(self._table).where(columns.seq == seq).values(problem=problem))
        return Step(len(sent), len(refused), whole and bool(sent), error)

    def _deliver(self, rows: Sequence[Row[Any]]) -> tuple[list[int], dict[int, str], AuditlaneError | None]:
        """Send rows and wait for Kafka. Returns the acknowledged rows, the rows to set aside, and the error that the
        remaining rows had."""
        settled: SimpleQueue[Settled] = SimpleQueue()
        open_ = 0
        error: AuditlaneError | None = None
        for row in rows:

            def settle(problem: AuditlaneError | None, seq: int = row.seq) -> None:
                settled.put((seq, problem))

            try:
                self._client.send_prepared(
                    row.aggregatetype, row.aggregateid.encode(), bytes(row.payload), row.id, settle
                )
            except (BufferFull, Unavailable) as full:  # the rest is sent in the next step
                error = full
                break
            except DeliveryFailed as failure:
                settled.put((row.seq, failure))
            open_ += 1
        sent: list[int] = []
        refused: dict[int, str] = {}
        while open_:
            try:
                seq, problem = settled.get(timeout=_TURN_S)
            except Empty:  # the client reports each event, after its delivery timeout at the latest
                continue
            open_ -= 1
            if problem is None:
                sent.append(seq)
                self._attempts.pop(seq, None)
                continue
            error = problem
            if isinstance(problem, DeliveryFailed) and self._gives_up(seq):
                refused[seq] = str(problem)
        return sent, refused, error

    def _gives_up(self, seq: int) -> bool:
        """Count a failed attempt to send a row, and return whether it was the last."""
        self._attempts[seq] += 1
        if self._attempts[seq] < _ATTEMPTS:
            return False
        del self._attempts[seq]
        return True

    def _oldest(self, query: Select[Any]) -> Select[Any]:
        """Return the query for a batch of the oldest rows, skipping rows locked by another relay."""
        return query.order_by(self._table.c.seq).limit(self._batch).with_for_update(skip_locked=not self._ordered)

    @contextmanager
    def _locked(self, connection: Connection, bucket: int | None) -> Iterator[bool]:
        """Hold a bucket's lock. Yields False if another relay holds it."""
        dialect = self._engine.dialect.name
        if bucket is None or dialect == "sqlite":  # SQLite has only one relay
            yield True
        elif dialect == "postgresql":  # released at the end of the transaction
            yield bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCKS, bucket))))
        else:
            name = f"{self._table.fullname}.{bucket}"
            got = connection.scalar(select(func.get_lock(literal(name), 0)))
            try:
                yield got == 1
            finally:
                if got == 1:
                    connection.execute(select(func.release_lock(literal(name))))
