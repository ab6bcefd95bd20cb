"""Our own audit trail: what people do with auditlane becomes events on the same path as everybody's.

`record` only counts and queues; a thread emits, and takes an event as done once Kafka has acknowledged it. What waits
too long, was not delivered, or is left at an orderly stop goes into a file, which this process or the next one sends.
"""

from __future__ import annotations

import contextlib
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, Protocol

from auditlane.access.audit import AuditRecord, AuditSink, NullAuditSink
from auditlane.contract.event import AuditEvent
from auditlane.contract.tenants import OURS
from auditlane.runtime.errors import AuditlaneError, ConfigError, InvalidEvent
from auditlane.runtime.log import get
from auditlane.runtime.settings import Settings, variable
from auditlane.runtime.spool import FileSpool, NoSpool, Spool
from auditlane.server.audit.aggregation import AuditAggregator, DatedRecord
from auditlane.server.audit.client import Connect, Emitter, connect
from auditlane.server.audit.events import bounded, events_of, weight
from auditlane.server.audit.losses import Losses

MOST_QUEUED: Final = 10_000  # records in memory
MOST_BYTES: Final = 16 << 20  # of them
CLOSE_S: Final = 3.0
_MADE: Final = 500  # events that are made of them before they are sent
_FULL: Final = "the files hold as much as they may"
_SHARE: Final = "the files hold as much of one tenant's as they may"
_LINE: Final = 10  # bytes of a record's line besides the record
_RETRY_S: Final = 1.0
_LOOK_EVERY: Final = timedelta(seconds=30)  # for what other processes left
_ACKNOWLEDGED_S: Final = 10.0  # how long the records of a file may take before newer events go first
_COMPLAIN_EVERY: Final = timedelta(minutes=1)
_RESERVE: Final = 65_536  # bytes of files beyond the bound, for the event that tells what was dropped

Count = Callable[[str], None]
"""Called once an event with `emitted` (Kafka acknowledged it), `spooled` (it waits in a file), `dropped` (no room, or
the file could not be written), `refused` (the client would not take it) or `undelivered` (Kafka did not take it)."""

_Key = tuple[str, str]  # tenant and event id


def from_settings(settings: Settings, count: Count) -> ServiceAuditSink:
    """Return the service's sink. Without Kafka and a registry in the settings it keeps nothing, and logs that once."""
    missing = [variable(name) for name in ("kafka_bootstrap", "registry_url") if not getattr(settings, name)]
    if missing:
        get("trail").warning("trail.off", missing=", ".join(missing), means="what people do here is not recorded")
        return NullAuditSink(f"Not set: {', '.join(missing)}.")
    return KafkaAuditSink(
        connect(settings),
        spool_of(settings),
        window=timedelta(seconds=settings.audit_aggregation_s),
        max_event_bytes=settings.max_event_bytes,
        count=count,
        spool_bytes=settings.trail_spool_bytes,
        reserve=spool_of(settings, beyond=_RESERVE),
    )


def spool_folder(settings: Settings) -> Path | None:
    """Where events wait for Kafka between two runs; None where no setting says it."""
    if settings.trail_spool_dir:
        return settings.trail_spool_dir
    return settings.signing_keys_file.parent / "trail" if settings.signing_keys_file else None


def spool_of(settings: Settings, *, beyond: int = 0) -> Spool:
    """The files in that folder, with `beyond` bytes more than they may have."""
    folder = spool_folder(settings)
    return FileSpool(folder, most_bytes=settings.trail_spool_bytes + beyond) if folder else NoSpool()


def record_of(event: AuditEvent) -> bytes:
    """The event as it waits in a file."""
    return event.model_dump_json(exclude={"fields"}).encode()


def _tenant_of(event: AuditEvent) -> str:
    """The tenant whose record it tells of, also in our own log; empty without one."""
    return event.metadata.get("tenant", "") if event.tenant_id == OURS else event.tenant_id


class ServiceAuditSink(AuditSink, Protocol):
    """A sink that lasts as long as the service. `problem` is what went wrong within the last minute, or empty."""

    @property
    def waiting(self) -> int | None:
        """Events that Kafka has not taken yet; None for a sink that keeps nothing."""
        ...

    @property
    def spooled_bytes(self) -> int:
        """What waits in files."""
        ...

    @property
    def problem(self) -> str: ...

    def running(self) -> AbstractContextManager[object]:
        """Within it events are emitted; at its end what is left goes out, for some seconds at most, or into a file."""
        ...


class KafkaAuditSink:
    """Thread-safe."""

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
        """`reserve` takes what tells of losses, when there is no room in `spool`.

        Events of one tenant's records fill half of the memory at most, and half of what there is room for in `spool`,
        which may hold `spool_bytes`.
        """
        self._connect = connect
        self._spool = spool
        self._reserve = reserve or spool
        self._max_event_bytes = max_event_bytes
        self._count = count
        self._tally = AuditAggregator(window)
        self._changed = threading.Condition()
        # An event is in one of these four until Kafka has acknowledged it or a file holds it.
        self._queue: deque[DatedRecord] = deque()
        self._unsent: deque[AuditEvent] = deque()
        self._in_flight: dict[_Key, AuditEvent] = {}
        self._returned: list[AuditEvent] = []
        self._queued_bytes = 0
        self._bytes_of: Counter[str] = Counter()  # of the queue, by the tenant that a record is about
        self._deeds_of: Counter[str] = Counter()
        self._spool_bytes = spool_bytes
        self._spooled_of: Counter[str] = Counter()  # what this process wrote since all files were last sent
        self._of_files: set[_Key] = set()  # those in flight that a file holds as well
        self._losses = Losses()
        self._takes = False  # Kafka acknowledged the last event that it answered for
        self._look_at = datetime.min.replace(tzinfo=UTC)
        self._stopping = self._closed = False
        self._client: Emitter | None = None
        self._thread = threading.Thread(target=self._run, name="auditlane-trail", daemon=True)
        self._complained: datetime | None = None
        self._trouble: tuple[datetime, str] | None = None
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
        trouble = self._trouble
        return trouble[1] if trouble and datetime.now(UTC) - trouble[0] < _COMPLAIN_EVERY else ""

    def record(self, record: AuditRecord) -> None:
        """Count or queue one record. Never blocks on anything but other threads that do the same."""
        record = bounded(record, self._max_event_bytes)
        if self._closed:
            self._write_down(self._events(DatedRecord(record, datetime.now(UTC))))
            return
        with self._changed:
            idle = self._tally.wakes_at() is None
            ready = self._tally.add(record, datetime.now(UTC))
            self._take(ready)
            if ready or idle:  # else the thread knows already when to look
                self._changed.notify_all()

    def close(self) -> None:
        """End every group, emit what waits, give Kafka a little time, and write the rest into a file.

        All of it is over well before whoever stops us kills us.
        """
        with self._changed:
            self._take(self._tally.flush())
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
            left = [one for key, one in self._in_flight.items() if key not in self._of_files]
            left += [*self._returned, *self._unsent]
        self._write_down(left)
        if self._client is not None:
            self._client.close(0)  # what Kafka takes after all is sent again, and stored once

    def _write_down(self, events: Sequence[AuditEvent]) -> None:
        """Into the file, and what there is no room for is dropped; at the end, when there is no other way left."""
        left, why = self._keep(events)
        with self._changed:
            for one in left:
                self._drop(one.action, one.occurred_at, why)
            told = self._losses.take_summary()
        if told is not None:
            self._keep(
                self._events(DatedRecord(bounded(told, self._max_event_bytes), datetime.now(UTC))), self._reserve
            )

    def _take(self, ready: Sequence[DatedRecord]) -> None:
        """With the lock held."""
        for one in ready:
            if self._room_for(one):
                self._queue.append(one)
                self._waits(one, 1)
            else:
                self._drop(one.record.action, one.at, "as many events wait as may")

    def _room_for(self, one: DatedRecord) -> bool:
        """With the lock held. Makes room by dropping the newest records of another tenant that has more than half."""
        size = weight(one.record)
        while len(self._queue) >= MOST_QUEUED or self._queued_bytes + size > MOST_BYTES:
            flooding = next((tenant for tenant, _ in self._deeds_of.most_common(1)), "")
            if self._deeds_of[flooding] * 2 <= len(self._queue):
                flooding = next((tenant for tenant, _ in self._bytes_of.most_common(1)), "")
                if self._bytes_of[flooding] * 2 <= self._queued_bytes:
                    return False
            if flooding in ("", one.record.tenant):
                return False
            places = range(len(self._queue) - 1, -1, -1)
            place = next((at for at in places if self._queue[at].record.tenant == flooding), -1)
            if place < 0:
                return False
            gone = self._queue[place]
            del self._queue[place]
            self._waits(gone, -1)
            self._drop(gone.record.action, gone.at, "as many events of one tenant wait as may")
        return True

    def _waits(self, one: DatedRecord, count: int) -> None:
        """With the lock held: a record came into the queue (1) or left it (-1)."""
        size, tenant = count * weight(one.record), one.record.tenant or ""
        self._queued_bytes += size
        for held, more in ((self._bytes_of, size), (self._deeds_of, count)):
            held[tenant] += more
            if not held[tenant]:
                del held[tenant]

    def _run(self) -> None:
        while True:
            try:
                moving = self._step()
            except Exception as error:  # whatever it is, it must not end the thread
                self._complain("trail.waits", error)
                moving = False
            with self._changed:
                ready = bool(self._queue or self._returned)
                if self._stopping and not (moving and ready):
                    return
                if not moving:
                    self._changed.wait_for(lambda: self._stopping, _RETRY_S)
                elif not ready:
                    self._changed.wait(self._patience())

    def _step(self) -> bool:
        """Emit what is ready and then what files hold; whether Kafka's client takes events."""
        with self._changed:
            self._take(self._tally.due(datetime.now(UTC)))
            if self._takes and (told := self._losses.take_summary()):
                self._queue.append(one := DatedRecord(bounded(told, self._max_event_bytes), datetime.now(UTC)))
                self._waits(one, 1)
        self._make()
        moving = self._sent()
        with self._changed:
            returned, self._returned = self._returned, []
        returned, _ = self._keep(returned)
        with self._changed:
            self._unsent.extend(returned)
        if not moving:
            self._relieve()
        if moving and not self._stopping and datetime.now(UTC) >= self._look_at:
            self._drain()
        return moving

    def _patience(self) -> float:
        at = self._look_at if (wakes := self._tally.wakes_at()) is None else min(wakes, self._look_at)
        return max(0.0, (at - datetime.now(UTC)).total_seconds())

    def _relieve(self) -> None:
        """When memory is half full: from there into the file, as far as that has room. What is beyond a tenant's share
        of the file is dropped: it would keep the others' from getting there."""
        while len(self._queue) > MOST_QUEUED // 2 or self._queued_bytes > MOST_BYTES // 2:
            within, beyond = self._shared_out(list(self._unsent))
            left, _ = self._keep(within)
            with self._changed:
                for one in beyond:
                    self._drop(one.action, one.occurred_at, _SHARE)
                self._unsent = deque(left)
            if left:
                return
            self._make()

    def _make(self) -> None:
        """Records of the queue into events, while few wait to be sent."""
        with self._changed:
            while self._queue and (len(self._unsent) < _MADE or self._closed):
                one = self._queue.popleft()
                self._waits(one, -1)
                self._unsent.extend(self._events(one))

    def _events(self, one: DatedRecord) -> list[AuditEvent]:
        try:
            return events_of(one.record, at=one.at, event_id=one.event_id)
        except Exception as error:  # a mistake of ours, which must not stop the others
            self._count("refused")
            self._losses.add(str(one.record.action), one.at, str(error))
            self._complain("trail.refused", error, action=str(one.record.action))
            return []

    def _sent(self) -> bool:
        """Hand over what is unsent; false when the client takes no more for now."""
        while self._unsent:
            try:
                self._hand_over(self._unsent[0])
            except InvalidEvent as error:  # it alone is not taken, and may be later
                self._count("refused")
                self._complain("trail.refused", error, action=self._unsent[0].action)
                with self._changed:
                    self._returned.append(self._unsent.popleft())
            except AuditlaneError as error:
                self._takes = False
                self._complain("trail.waits", error)
                return False
            else:
                with self._changed:
                    self._unsent.popleft()
        return True

    def _hand_over(self, event: AuditEvent, *, of_file: bool = False) -> None:
        if self._client is None:
            self._client = self._connect(self._noted)
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
        """From the client's thread."""
        with self._changed:
            event = self._in_flight.pop(key, None)
            of_file = key in self._of_files
            self._of_files.discard(key)
            self._takes = error is None
            if event is not None and error is not None and not (of_file and self._stopping):
                self._returned.append(event)
            self._changed.notify_all()
        if error is None:
            self._count("emitted")
        elif not self._stopping:  # else it was given up for the file
            self._count("undelivered")
            self._complain("trail.undelivered", error)

    def _drain(self) -> None:
        """Send what waits in files, of this process and of those that ended."""
        self._look_at = datetime.now(UTC) + _LOOK_EVERY
        try:
            drained = self._spool.drain(self._resent)
        except OSError as error:
            self._complain("trail.spool", error)
            return
        if drained.damaged:
            self._log.warning("trail.damaged", lines=drained.damaged, means="what a crash cut short was no event yet")
        if drained.complete:
            with self._changed:
                self._spooled_of.clear()
        if drained.sent:
            self._log.info("trail.resent", events=drained.sent)

    def _resent(self, records: Sequence[bytes]) -> bool:
        """Whether Kafka has all of them, or a file has them anew."""
        mine: set[_Key] = set()
        for record in records:
            try:
                event = AuditEvent.model_validate_json(record)
            except ValueError:  # of a release that had other events
                with self._changed:
                    self._drop("unknown", datetime.now(UTC), "what a file held is no event")
                continue
            key = event.tenant_id, event.event_id
            mine.add(key)
            if key not in self._in_flight:
                try:
                    self._hand_over(event, of_file=True)
                except InvalidEvent as error:
                    self._complain("trail.refused", error, action=event.action)
                    with self._changed:
                        self._returned.append(event)
                except AuditlaneError as error:
                    self._complain("trail.waits", error)
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
        """Write events into the file; (those that are not there, and why)."""
        within, beyond = (events, []) if spool else self._shared_out(events)
        records = [record_of(one) for one in within]
        kept, why = 0, _FULL
        try:
            if records:
                kept = (spool or self._spool).append(records)
        except OSError as error:
            why = f"the file could not be written: {error.strerror or error}"
            self._complain("trail.spool", error)
        with self._changed:
            for one, record in zip(within[:kept], records, strict=False):
                self._spooled_of[_tenant_of(one)] += len(record) + _LINE
        for _ in range(kept):
            self._count("spooled")
        return [*within[kept:], *beyond], _SHARE if beyond and kept == len(within) else why

    def _shared_out(self, events: Sequence[AuditEvent]) -> tuple[list[AuditEvent], list[AuditEvent]]:
        """(those that the file is for, those of a tenant that would have more of it than is left for everybody)."""
        if self._spool_bytes is None:
            return list(events), []
        within: list[AuditEvent] = []
        beyond: list[AuditEvent] = []
        room = self._spool_bytes - self._spool.size()
        with self._changed:
            held = Counter(self._spooled_of)
        for one in events:
            tenant, size = _tenant_of(one), len(record_of(one)) + _LINE
            if tenant and held[tenant] + size > room - size:
                beyond.append(one)
                continue
            within.append(one)
            held[tenant] += size
            room -= size
        return within, beyond

    def _noted(self, error: AuditlaneError, event_id: str | None) -> None:
        """From the client's thread; what concerns one event is told by `_settled`."""
        if event_id is None:
            self._complain("trail.waits", error)

    def _drop(self, action: str, at: datetime, why: str) -> None:
        """With the lock held."""
        self._count("dropped")
        self._losses.add(str(action), at, why)
        self._complain("trail.dropped", ConfigError(f"An event of our own was dropped: {why}."))

    def _complain(self, event: str, error: Exception, **facts: str) -> None:
        """Log it, at most once a minute; the metric has every one."""
        now = datetime.now(UTC)
        self._trouble = now, str(error)
        if self._complained is None or now - self._complained >= _COMPLAIN_EVERY:
            self._complained = now
            with contextlib.suppress(Exception):
                self._log.warning(event, problem=str(error), **facts)
