"""Emits auditlane's own audit events on the same path as tenants' events.

`record` only aggregates and queues records. A thread sends the events; an event is done once Kafka has acknowledged it.
Events that wait too long, fail to be delivered, or remain at shutdown are spooled to files, which this process or the
next one sends.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol

from auditlane.access.audit import AuditRecord, AuditSink, NullAuditSink
from auditlane.access.provenance_keys import path_of
from auditlane.contract.event import AuditEvent
from auditlane.contract.registry_reader import Observe
from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidEvent
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.trail.aggregation import AuditAggregator, DatedRecord
from auditlane.trail.client import Connect, Emitter, connect
from auditlane.trail.events import bounded, events_of, weight
from auditlane.trail.losses import Losses
from auditlane.trail.spooling import FRAME_BYTES, Spool, record_of, spool_of

MAX_QUEUED: Final = 10_000  # maximum number of records in memory
MAX_BYTES: Final = 16 << 20  # maximum total size of queued records in bytes
CLOSE_S: Final = 3.0
_MADE: Final = 500  # maximum number of events made from records before they are sent
_FULL: Final = "the spool is full"
_SHARE: Final = "the tenant's share of the spool is full"
_RETRY_S: Final = 1.0
_DRAIN_EVERY: Final = timedelta(seconds=30)  # between two drains, which also send files left by other processes
_ACKNOWLEDGED_S: Final = 10.0  # maximum wait for a file's events before newer events take precedence
_LOG_EVERY: Final = timedelta(minutes=1)
_RESERVE: Final = 65_536  # additional size of files for the summary of dropped events

Count = Callable[[str], None]
"""Called once per result of an event: `emitted` (acknowledged by Kafka), `spooled` (written to a file), `dropped` (no
space, or the file could not be written), `refused` (rejected by the client) or `undelivered` (rejected by Kafka)."""

_Key = tuple[str, str]  # (tenant, event id)


def from_settings(settings: Settings, count: Count, observe: Observe | None = None) -> ServiceAuditSink:
    """Return a process's sink. `observe` is called after each of its registry requests.

    Without Kafka, a registry or signing keys in the settings, the sink records nothing, and this is logged.
    """
    missing = [variable(name) for name in ("kafka_bootstrap", "registry_url") if not getattr(settings, name)]
    if path_of(settings) is None:
        missing.append(variable("provenance_keys_file"))
    if missing:
        get("trail").warning("trail.off", missing=", ".join(missing), means="actions in this process are not recorded")
        return NullAuditSink(f"Not set: {', '.join(missing)}.")
    return KafkaAuditSink(
        connect(settings, observe),
        spool_of(settings),
        window=timedelta(seconds=settings.audit_aggregation_s),
        max_event_bytes=settings.max_event_bytes,
        count=count,
        spool_bytes=settings.trail_spool_bytes,
        reserve=spool_of(settings, beyond=_RESERVE),
    )


def _tenant_of(event: AuditEvent) -> str:
    """Return the affected tenant, even for an event in the log of `_auditlane`. Returns "" if no tenant is affected."""
    return event.metadata.get("tenant", "") if event.tenant_id == OURS else event.tenant_id


class ServiceAuditSink(AuditSink, Protocol):
    """A sink that runs as long as the service. `problem` is the last minute's error, or empty."""

    @property
    def waiting(self) -> int | None:
        """The number of events not yet acknowledged by Kafka, or None for a sink that records nothing."""
        ...

    @property
    def spooled_bytes(self) -> int:
        """The total size of spooled events in bytes."""
        ...

    @property
    def problem(self) -> str: ...

    def running(self) -> AbstractContextManager[object]:
        """Emit events within the block. At its end, the remaining events are sent within a few seconds, or spooled."""
        ...


class KafkaAuditSink:
    """Aggregates, queues, sends and spools audit events. Thread-safe."""

    def __init__(
        self,
        connect: Connect,
        spool: Spool,
        *,
        window: timedelta,
        max_event_bytes: int,
        count: Count,
        spool_bytes: int | None = None,
        reserve: Spool | None = None,
    ) -> None:
        """Create the sink. `reserve` is the spool for summaries of dropped events when `spool` is full.

        One tenant's events may take up at most half of the memory, and half of the space left in `spool`, whose limit
        is `spool_bytes`.
        """
        self._connect = connect
        self._spool = spool
        self._reserve = reserve or spool
        self._max_event_bytes = max_event_bytes
        self._count = count
        self._aggregator = AuditAggregator(window)
        self._changed = threading.Condition()
        # Until acknowledged or spooled, an event is in exactly one of these four collections.
        self._queue: deque[DatedRecord] = deque()
        self._unsent: deque[AuditEvent] = deque()
        self._in_flight: dict[_Key, AuditEvent] = {}
        self._returned: list[AuditEvent] = []
        self._queued_bytes = 0
        self._bytes_of: Counter[str] = Counter()  # bytes in the queue by tenant concerned
        self._records_of: Counter[str] = Counter()
        self._spool_bytes = spool_bytes
        self._spooled_of: Counter[str] = Counter()  # bytes spooled by this process since the spool was last empty
        self._of_files: set[_Key] = set()  # events in flight that are also in a file
        self._losses = Losses()
        self._kafka_accepts = False  # whether Kafka acknowledged the last settled event
        self._drain_at = datetime.min.replace(tzinfo=UTC)
        self._stopping = self._closed = False
        self._client: Emitter | None = None
        self._thread = threading.Thread(target=self._run, name="auditlane-trail", daemon=True)
        self._logged_at: datetime | None = None
        self._last_error: tuple[datetime, str] | None = None
        self._log = get("trail")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self.close()

    @property
    def waiting(self) -> int:
        with self._changed:
            return len(self._queue) + len(self._unsent) + len(self._in_flight) + len(self._returned)

    @property
    def spooled_bytes(self) -> int:
        return self._spool.size()

    @property
    def problem(self) -> str:
        error = self._last_error
        return error[1] if error and datetime.now(UTC) - error[0] < _LOG_EVERY else ""

    def record(self, record: AuditRecord) -> None:
        """Aggregate or queue one record. Blocks only while other threads do the same."""
        record = bounded(record, self._max_event_bytes)
        if self._closed:
            self._write_down(self._events(DatedRecord.of(record, datetime.now(UTC))))
            return
        with self._changed:
            wakes_at = self._aggregator.wakes_at()
            ready = self._aggregator.add(record, datetime.now(UTC))
            self._take(ready)
            if ready or self._aggregator.wakes_at() != wakes_at:
                self._changed.notify_all()

    def close(self) -> None:
        """End all groups, send queued events, wait briefly for Kafka, and spool the rest.

        Takes at most CLOSE_S, well below the time after which a supervisor kills the process.
        """
        with self._changed:
            self._take(self._aggregator.flush())
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(CLOSE_S / 2)
        with self._changed:
            self._changed.wait_for(lambda: self._of_files.issuperset(self._in_flight), CLOSE_S / 2)
        self._closed = True
        while self._queue:
            self._make()
        with self._changed:
            left = [event for key, event in self._in_flight.items() if key not in self._of_files]
            left += [*self._returned, *self._unsent]
        self._write_down(left)
        if self._client is not None:
            self._client.close(0)  # events acknowledged after this are sent again, and stored only once

    def _write_down(self, events: Sequence[AuditEvent]) -> None:
        """Spool events, dropping those that do not fit. Used at shutdown, when they can no longer be sent."""
        left, why = self._keep(events)
        with self._changed:
            for event in left:
                self._drop(event.action, event.occurred_at, why)
            summary = self._losses.take_summary()
        if summary is not None:
            self._keep(
                self._events(DatedRecord(bounded(summary, self._max_event_bytes), datetime.now(UTC))), self._reserve
            )

    def _take(self, ready: Sequence[DatedRecord]) -> None:
        """Queue records. Requires the lock."""
        for dated in ready:
            if self._room_for(dated):
                self._queue.append(dated)
                self._waits(dated, 1)
            else:
                self._drop(dated.record.action, dated.at, "the queue is full")

    def _room_for(self, dated: DatedRecord) -> bool:
        """Return whether a record fits, after dropping the newest records of a tenant that uses more than half of the
        memory. Requires the lock.
        """
        size = weight(dated.record)
        while len(self._queue) >= MAX_QUEUED or self._queued_bytes + size > MAX_BYTES:
            flooding = next((tenant for tenant, _ in self._records_of.most_common(1)), "")
            if self._records_of[flooding] * 2 <= len(self._queue):
                flooding = next((tenant for tenant, _ in self._bytes_of.most_common(1)), "")
                if self._bytes_of[flooding] * 2 <= self._queued_bytes:
                    return False
            if flooding in ("", dated.record.tenant):
                return False
            places = range(len(self._queue) - 1, -1, -1)
            place = next((at for at in places if self._queue[at].record.tenant == flooding), -1)
            if place < 0:
                return False
            gone = self._queue[place]
            del self._queue[place]
            self._waits(gone, -1)
            self._drop(gone.record.action, gone.at, "the tenant's share of the queue is full")
        return True

    def _waits(self, dated: DatedRecord, count: int) -> None:
        """Update the totals for a record added to the queue (1) or removed from it (-1). Requires the lock."""
        size, tenant = count * weight(dated.record), dated.record.tenant or ""
        self._queued_bytes += size
        for counts, change in ((self._bytes_of, size), (self._records_of, count)):
            counts[tenant] += change
            if not counts[tenant]:
                del counts[tenant]

    def _run(self) -> None:
        while True:
            try:
                moving = self._step()
            except Exception as error:  # no error may end the thread
                self._report("trail.waits", error)
                moving = False
            with self._changed:
                ready = bool(self._queue or self._returned or (self._kafka_accepts and self._losses.count))
                if self._stopping and not (moving and ready):
                    return
                if not moving:
                    self._changed.wait_for(lambda: self._stopping, _RETRY_S)
                elif not ready:
                    self._changed.wait(self._patience())

    def _step(self) -> bool:
        """Send queued events, then spooled events. Returns whether the client accepts events."""
        with self._changed:
            self._take(self._aggregator.due(datetime.now(UTC)))
            if self._kafka_accepts and (summary := self._losses.take_summary()):
                self._queue.append(dated := DatedRecord(bounded(summary, self._max_event_bytes), datetime.now(UTC)))
                self._waits(dated, 1)
        self._make()
        moving = self._sent()
        with self._changed:
            returned, self._returned = self._returned, []
        returned, _ = self._keep(returned)
        with self._changed:
            self._unsent.extend(returned)
        if not moving:
            self._relieve()
        if moving and not self._stopping and datetime.now(UTC) >= self._drain_at:
            self._drain()
        return moving

    def _patience(self) -> float:
        at = self._drain_at if (wakes := self._aggregator.wakes_at()) is None else min(wakes, self._drain_at)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())

    def _relieve(self) -> None:
        """Move events to the spool while more than half of the memory is used.

        Events beyond a tenant's share of the spool are dropped, so that they do not displace other tenants' events.
        """
        while len(self._queue) > MAX_QUEUED // 2 or self._queued_bytes > MAX_BYTES // 2:
            within, beyond = self._shared_out(list(self._unsent))
            left, _ = self._keep(within)
            with self._changed:
                for event in beyond:
                    self._drop(event.action, event.occurred_at, _SHARE)
                self._unsent = deque(left)
            if left:
                return
            self._make()

    def _make(self) -> None:
        """Convert queued records to events, up to a limit of unsent events."""
        with self._changed:
            while self._queue and (len(self._unsent) < _MADE or self._closed):
                dated = self._queue.popleft()
                self._waits(dated, -1)
                self._unsent.extend(self._events(dated))

    def _events(self, dated: DatedRecord) -> list[AuditEvent]:
        try:
            return events_of(dated.record, at=dated.at, event_id=dated.event_id)
        except Exception as error:  # a defect, which must not block the other records
            self._count("refused")
            self._losses.add(str(dated.record.action), dated.at, str(error))
            self._report("trail.refused", error, action=str(dated.record.action))
            return []

    def _sent(self) -> bool:
        """Pass unsent events to the client. Returns False if the client accepts no more for now."""
        while self._unsent:
            try:
                self._hand_over(self._unsent[0])
            except InvalidEvent as error:  # only this event is rejected, and it may be accepted later
                self._count("refused")
                self._report("trail.refused", error, action=self._unsent[0].action)
                with self._changed:
                    self._returned.append(self._unsent.popleft())
            except AuditlaneError as error:
                self._kafka_accepts = False
                self._report("trail.waits", error)
                return False
            else:
                with self._changed:
                    self._unsent.popleft()
        return True

    def _hand_over(self, event: AuditEvent, *, of_file: bool = False) -> None:
        if self._client is None:
            self._client = self._connect(self._on_error)
        key = event.tenant_id, event.event_id
        with self._changed:
            self._in_flight[key] = event
            if of_file:
                self._of_files.add(key)
        try:
            self._client.send(event, partial(self._settled, key))
        except BaseException:
            with self._changed:
                self._in_flight.pop(key, None)
                self._of_files.discard(key)
            raise

    def _settled(self, key: _Key, error: AuditlaneError | None) -> None:
        """Record an event's result. Called from the client's thread."""
        with self._changed:
            event = self._in_flight.pop(key, None)
            of_file = key in self._of_files
            self._of_files.discard(key)
            self._kafka_accepts = error is None
            if event is not None and error is not None and not (of_file and self._stopping):
                self._returned.append(event)
            self._changed.notify_all()
        if error is None:
            self._count("emitted")
        elif not self._stopping:  # otherwise, it was abandoned and spooled
            self._count("undelivered")
            self._report("trail.undelivered", error)

    def _drain(self) -> None:
        """Send spooled events, including those spooled by processes that have ended."""
        self._drain_at = datetime.now(UTC) + _DRAIN_EVERY
        try:
            drained = self._spool.drain(self._resent)
        except OSError as error:
            self._report("trail.spool", error)
            return
        if drained.damaged:
            self._log.warning("trail.damaged", records=drained.damaged, means="they are in the subfolder `damaged`")
        if drained.complete:
            with self._changed:
                self._spooled_of.clear()
        if drained.sent:
            self._log.info("trail.resent", events=drained.sent)

    def _resent(self, records: Sequence[bytes]) -> bool:
        """Send a file's events. Returns whether all of them were acknowledged or spooled again."""
        mine: set[_Key] = set()
        for record in records:
            try:
                event = AuditEvent.model_validate_json(record)
            except ValueError:  # written by an incompatible release
                with self._changed:
                    self._drop("unknown", datetime.now(UTC), "a spooled record is not a valid event")
                continue
            key = event.tenant_id, event.event_id
            mine.add(key)
            if key not in self._in_flight:
                try:
                    self._hand_over(event, of_file=True)
                except InvalidEvent as error:
                    self._report("trail.refused", error, action=event.action)
                    with self._changed:
                        self._returned.append(event)
                except AuditlaneError as error:
                    self._report("trail.waits", error)
                    return False
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._stopping or mine.isdisjoint(self._in_flight), timeout=_ACKNOWLEDGED_S
            )
            if not settled or not mine.isdisjoint(self._in_flight):
                return False
            returned, self._returned = self._returned, []
        left, _ = self._keep(returned)
        with self._changed:
            self._returned += left
        return not left

    def _keep(self, events: Sequence[AuditEvent], spool: Spool | None = None) -> tuple[list[AuditEvent], str]:
        """Spool events. Returns the events that were not written, and why."""
        within, beyond = (events, []) if spool else self._shared_out(events)
        records = [record_of(event) for event in within]
        kept, why = 0, _FULL
        try:
            if records:
                kept = (spool or self._spool).append(records)
        except OSError as error:
            why = f"the spool could not be written: {error.strerror or error}"
            self._report("trail.spool", error)
        with self._changed:
            for event, record in zip(within[:kept], records, strict=False):
                self._spooled_of[_tenant_of(event)] += len(record) + FRAME_BYTES
        for _ in range(kept):
            self._count("spooled")
        return [*within[kept:], *beyond], _SHARE if beyond and kept == len(within) else why

    def _shared_out(self, events: Sequence[AuditEvent]) -> tuple[list[AuditEvent], list[AuditEvent]]:
        """Split the events into those within their tenant's share of the spool and the rest."""
        if self._spool_bytes is None:
            return list(events), []
        within: list[AuditEvent] = []
        beyond: list[AuditEvent] = []
        room = self._spool_bytes - self._spool.size()
        with self._changed:
            held = Counter(self._spooled_of)
        for event in events:
            tenant, size = _tenant_of(event), len(record_of(event)) + FRAME_BYTES
            if tenant and held[tenant] + size > room - size:
                beyond.append(event)
                continue
            within.append(event)
            held[tenant] += size
            room -= size
        return within, beyond

    def _on_error(self, error: AuditlaneError, event_id: str | None) -> None:
        """Log an error of the client itself, on the client's thread. Errors of single events go to `_settled`."""
        if event_id is None:
            self._report("trail.waits", error)

    def _drop(self, action: str, at: datetime, why: str) -> None:
        """Count a dropped event. Requires the lock."""
        self._count("dropped")
        self._losses.add(str(action), at, why)
        self._report("trail.dropped", ConfigError(f"An audit event was dropped: {why}."))

    def _report(self, event: str, error: Exception, **facts: str) -> None:
        """Log an error at most once a minute. The metric counts every error."""
        now = datetime.now(UTC)
        self._last_error = now, str(error)
        if self._logged_at is None or now - self._logged_at >= _LOG_EVERY:
            self._logged_at = now
            with contextlib.suppress(Exception):
                self._log.warning(event, problem=str(error), **facts)
