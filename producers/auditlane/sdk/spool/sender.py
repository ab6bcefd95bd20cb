"""Decides for each event whether it is written to the spool, handed to Kafka's client, or both.

In the mode `fast`, events are only in memory while Kafka acknowledges them. As soon as one is not acknowledged in time,
all of them are written, and so is every later event until Kafka has those on disk. In the other modes, every event is
written before `send` returns.

A written event is also handed to Kafka's client, unless earlier ones wait on disk: those are read and sent first.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaError, KafkaException

from auditlane.runtime.errors import AuditlaneError, ClientClosed, SpoolFailed, SpoolFull
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery import OnSettled
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.results import Failure
from auditlane.sdk.spool.event import Event, Headers, Offer
from auditlane.sdk.spool.frames import Record
from auditlane.sdk.spool.group_commit import GroupCommit, sync_and_close
from auditlane.sdk.spool.losses import FULL, REFUSED, Loss, combined
from auditlane.sdk.spool.own_set import OwnSet
from auditlane.sdk.spool.record_set import RecordSet, Segment

SPILL_S: Final = 0.8  # age at which an event that is only in memory is written
RETRY_S: Final = 1.0  # time between attempts to send records again
_SEGMENT_BYTES: Final = 8 << 20
_SMALLEST_SEGMENT: Final = 65_536
_WINDOW_BYTES: Final = 4 << 20  # records read from disk that Kafka has not acknowledged
_KEPT_EPOCHS: Final = 64
_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)
# Errors of one message, which it would get again and again. All others may pass.
_PERMANENT: Final = (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD)


class SpoolSender:
    """Thread-safe. A signal handler that interrupts `send` may call it too."""

    def __init__(
        self,
        config: ClientConfig,
        tracker: DeliveryTracker,
        offer: Offer,
        explain: Callable[[KafkaError, str], AuditlaneError],
        report: Callable[[AuditlaneError, str | None], None],
        may_wait: Callable[[], bool],
    ) -> None:
        """`explain` describes a failed delivery, `report` passes it to `on_error`, and `may_wait` returns whether this
        thread may wait for Kafka.
        """
        self._config = config
        self._folder = Path(config.spool_dir)
        self._tracker = tracker
        self._offer = offer
        self._explain = explain
        self._report = report
        self._may_wait = may_wait
        self._segment_bytes = min(_SEGMENT_BYTES, max(_SMALLEST_SEGMENT, config.spool_bytes // 8))
        self.wake = threading.Event()  # set when the keeper has work to do
        self._reset()

    def _reset(self) -> None:
        self.lock = threading.RLock()
        self._room = threading.Condition(self.lock)
        self._inside = 0  # the thread that is changing the state
        self.own: OwnSet | None = None
        self.adopted: RecordSet | None = None
        self.on_disk: Counter[str] = Counter()  # this process's open records by tenant
        self.losses: list[Loss] = []  # losses that are not in a file of the set yet
        self.others_bytes = 0  # size of other processes' sets
        self.retry_at = 0.0  # monotonic time before which nothing is read from disk again
        self.closed = False
        self._memory: dict[Event, None] = {}  # events that are only in memory, in order
        self._flying: dict[int, Event] = {}  # events that are on disk and were handed to the client
        self._settlers: dict[int, OnSettled] = {}  # of events that are only on disk
        self._epochs: list[tuple[int, Epoch]] = []  # the first number of each epoch
        self._window = 0  # bytes read from disk and not acknowledged
        self._written = 0  # records
        self._group = GroupCommit(self._written_so_far)

    def after_fork(self, tracker: DeliveryTracker) -> None:
        """Start over in a forked child; the parent keeps its files."""
        if self.own is not None:
            self.own.close_inherited()
        self._tracker = tracker
        self.wake = threading.Event()
        self._reset()

    def send(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        tenant: str,
        on_settled: OnSettled | None = None,
        headers: Headers | None = None,
        *,
        keep: bool = False,
        on_spooled: Callable[[], None] | None = None,
    ) -> None:
        """Accept an event; `keep` writes it in every mode. `on_spooled` is called, with the lock held, once it is
        written.

        Raises SpoolFull and SpoolFailed, in which case it was not accepted, and ClientClosed.
        """
        tracker, size = self._tracker, len(value)
        event = Event(topic, key, value, event_id, tenant, headers or {})
        event.on_settled, event.on_spooled = on_settled, on_spooled
        event.at = time.monotonic()
        event.emitted_us = time.time_ns() // 1_000
        event.epoch = epoch = tracker.open(size)
        try:
            with self.entered() as nested:
                written = self._accept(event, keep=keep, nested=nested)
        except BaseException:
            tracker.withdraw(epoch, size)
            raise
        finally:
            tracker.handed_over(epoch)
        if written and self._config.spool_sync == "always":
            try:
                self._group.wait(written)
            except OSError as error:
                raise SpoolFailed(
                    f"The spool in {self._folder} cannot be synced to disk: {error.strerror}.",
                    fix="Check the disk of AUDITLANE_SPOOL_DIR. The event may still be delivered.",
                ) from error

    @contextlib.contextmanager
    def entered(self) -> Iterator[bool]:
        """Lock; yield whether this is a signal handler that interrupted a thread inside the lock."""
        me = threading.get_ident()
        nested = self._inside == me
        with self.lock:
            self._inside = me
            try:
                yield nested
            finally:
                self._inside = me if nested else 0

    @property
    def interrupted(self) -> bool:
        """Whether this is a signal handler that interrupted this thread inside the lock, so that it cannot wait."""
        return self._inside == threading.get_ident()

    @property
    def spooled(self) -> int:
        """Number of this process's events on disk that Kafka has not acknowledged."""
        own = self.own
        return own.ledger.open if own is not None else 0

    @property
    def unsafe(self) -> int:
        """Number of events that are only in memory."""
        return len(self._memory)

    def sweep(self, now: float, now_us: int) -> None:
        """Write all events in memory if the oldest was not acknowledged in time. Raises SpoolFull and SpoolFailed."""
        with self.entered():
            oldest = next(iter(self._memory), None)
            if oldest is not None and now - oldest.at >= SPILL_S:
                self.spill()
                oldest = None
            if self.own is not None:
                self.own.owner.swept(now_us if oldest is None else oldest.emitted_us)

    def spill(self) -> None:
        """Write all events that are only in memory. Raises SpoolFull and SpoolFailed."""
        with self.entered():
            for event in list(self._memory):
                self._store(event, may_wait=False)
                del self._memory[event]

    def fill(self, now: float) -> None:
        """Read records that wait on disk, and hand them to Kafka's client, up to the window's size."""
        for adopted in (True, False):
            while not self.closed and now >= self.retry_at and self._window < _WINDOW_BYTES:
                with self.entered():  # for each record, so that others can emit in between
                    source: RecordSet | None = self.adopted if adopted else self.own
                    waiting = source.next_waiting() if source is not None and source.ledger.waiting else None
                    if source is None or waiting is None:
                        break
                    if not self._resend(source, *waiting):
                        return

    def reclaim(self) -> None:
        """Delete the files of records that Kafka has."""
        with self.entered():
            freed = [found.reclaim() for found in (self.own, self.adopted) if found is not None]
            if any(freed):
                self._room.notify_all()

    def take_losses(self) -> None:
        """Keep the losses so far in a file of the set, from which they are reported."""
        with self.entered():
            if self.losses and self.own is not None:
                rows, self.losses = combined(self.losses), []
                name = f"{rows[0].until_us:016x}"
                with contextlib.suppress(OSError):  # they are still in memory
                    self.own.lost(name, rows)

    def sync(self) -> None:
        """Sync the records written so far. Raises OSError."""
        with self.lock:
            if self.own is None or not self.own.dirty:
                return
            self.own.dirty = False
            descriptor = self.own.duplicate()
        sync_and_close(descriptor)

    def close(self) -> None:
        """Leave the files to other processes. Call it after the client's last report."""
        with self.entered():
            self.closed = True
            self.take_losses()
            for found in (self.own, self.adopted):
                if found is not None:
                    found.reclaim()
                    found.leave()
            self.own = self.adopted = None

    def _written_so_far(self) -> tuple[int, int]:
        with self.lock:
            return self._written, self.own.duplicate() if self.own is not None else -1

    def _accept(self, event: Event, *, keep: bool, nested: bool) -> int:
        """Accept an event; return how many records were written with it, or 0 if it was not written."""
        own = self.own or self._opened()
        fast = self._config.delivery_mode == "fast"
        if fast:
            event.slot = own.owner.emitted(event.tenant, event.emitted_us)
        try:
            if fast and not keep and not own.ledger.open and self._offered_from_memory(event):
                return 0
            try:
                waits = self._store(event, may_wait=not nested and self._may_wait(), alone=nested)
            except (SpoolFull, SpoolFailed):
                if fast and self._offered_from_memory(event):
                    return 0
                raise
        except BaseException:
            if event.slot:
                own.owner.withdrawn(event.slot)
            raise
        if not waits:
            self._hand_over(event)
        return self._written

    def _offered_from_memory(self, event: Event) -> bool:
        """Hand over an event that is not on disk; return whether the client's buffer had room for it."""
        self._memory[event] = None
        try:
            self._offer(event, partial(self._reported, event))
        except BufferError:
            del self._memory[event]
            return False
        except BaseException as error:
            self._memory.pop(event, None)
            if isinstance(error, KafkaException):
                raise self._explain(error.args[0], event.event_id) from error
            raise
        return True

    def _opened(self) -> OwnSet:
        try:
            self.own = OwnSet.create(
                self._folder, segment_bytes=self._segment_bytes, syncs=self._config.spool_sync != "never"
            )
        except OSError as error:
            raise self._failure(error) from error
        return self.own

    def _store(self, event: Event, *, may_wait: bool, alone: bool = False) -> bool:
        """Write an event; return whether earlier records wait on disk, so that this one waits, too."""
        own = self.own
        assert own is not None
        given = event.headers.items()
        headers = tuple((name, value if type(value) is bytes else str(value).encode()) for name, value in given)
        size = len(event.value) + len(event.key) + 200
        deadline = 0.0
        while True:
            deadline = self._wait_for_room(own, size, deadline, may_wait=may_wait)
            waits = own.ledger.waiting > 0
            nth = own.owner.next_spilled(event.slot) if event.slot else 0
            try:
                event.number, event.segment = own.append(
                    event.tenant,
                    event.event_id,
                    event.topic,
                    event.key,
                    event.value,
                    headers,
                    event.emitted_us,
                    nth=nth,
                    alone=alone,
                    waiting=waits,
                )
                break
            except OSError as error:
                if error.errno not in _FULL_DISK:
                    raise self._failure(error) from error
                deadline = self._make_room(own, deadline, may_wait=may_wait, error=error)
        event.source = own
        if event.slot:
            own.owner.spilled(event.slot)
        self.on_disk[event.tenant] += 1
        if event.epoch is not None and (not self._epochs or self._epochs[-1][1] is not event.epoch):
            self._add_epoch(event.number, event.epoch)
        self._written += 1
        if event.on_spooled is not None:
            event.on_spooled()
        if waits:
            self._let_go(event)
            self.wake.set()
        else:
            self._flying[event.number] = event
        return waits

    def _hand_over(self, event: Event) -> bool:
        """Hand an event that is on disk to Kafka's client; return whether there was room for it. If not, it waits."""
        try:
            self._offer(event, partial(self._reported, event))
        except KafkaException as error:
            self._reported(event, error.args[0])
            return False
        except BufferError:
            self._failed(event, retry_s=0.0)
            return False
        except AuditlaneError:
            self._failed(event)
            return False
        return True

    def _resend(self, source: RecordSet, segment: Segment, record: Record) -> bool:
        """Hand over a record that was read from disk; return whether the client's buffer had room for it."""
        event = Event(record.topic, record.key, record.value, record.event_id, record.tenant, dict(record.headers))
        event.number, event.segment, event.source = record.number, segment, source
        event.emitted_us, event.from_disk = record.emitted_us, True
        source.sent(record.number, segment)
        self._window += len(record.value)
        if source is self.own:
            event.epoch = self._epoch_of(record.number)
            event.on_settled = self._settlers.pop(record.number, None)
            self._flying[record.number] = event
        return self._hand_over(event)

    def _reported(self, event: Event, error: KafkaError | None) -> None:
        """Handle the client's report on one event."""
        with self.entered():
            if self.closed:
                return
            failure = None if error is None else self._final_failure(event, error)
            if error is not None and failure is None:
                self._failed(event)
                return
            open_before = self._settled(event)
            if failure is not None:
                cause = REFUSED if error is not None and error.code() in _PERMANENT else FULL
                self.losses.append(Loss(event.tenant, 1, event.emitted_us, event.emitted_us, cause))
            if event.from_disk:
                self._window -= len(event.value)
                if self._window < _WINDOW_BYTES // 2:
                    self.wake.set()
        if event.epoch is None or not open_before:
            return
        self._tracker.settle(event.epoch, failure, len(event.value))
        if event.on_settled is not None:
            event.on_settled(failure.error if failure else None)
        if failure is not None:
            self._report(failure.error, event.event_id)

    def _final_failure(self, event: Event, error: KafkaError) -> Failure | None:
        """Return why an event is given up, or None if it is on disk and can be sent again."""
        if error.code() not in _PERMANENT:
            try:
                if event in self._memory:
                    self.spill()
                return None
            except (SpoolFull, SpoolFailed):
                if event.number:
                    return None
        return Failure(event.event_id, event.tenant, self._explain(error, event.event_id))

    def _settled(self, event: Event) -> bool:
        """Count an event as done; return whether it was open."""
        self._flying.pop(event.number, None)
        if not event.number:
            if event not in self._memory:
                return False
            del self._memory[event]
            if event.slot and self.own is not None:
                self.own.owner.settled(event.slot)
            return True
        assert event.source is not None
        if not event.source.done(event.number, event.place):
            return False
        if event.source is self.own:
            self._count_off_disk(event.tenant)
        return True

    def _failed(self, event: Event, retry_s: float = RETRY_S) -> None:
        """Let an event wait on disk."""
        if event.from_disk:
            self._window -= len(event.value)
        if event.source is not None:
            event.source.failed(event.number, event.place)
        self.retry_at = max(self.retry_at, time.monotonic() + retry_s)
        if event.source is self.own:
            self._let_go(event)

    def _let_go(self, event: Event) -> None:
        """Drop an event from memory that waits on disk."""
        self._flying.pop(event.number, None)
        if event.on_settled is not None:
            self._settlers[event.number] = event.on_settled

    def _count_off_disk(self, tenant: str) -> None:
        self.on_disk[tenant] -= 1
        if not self.on_disk[tenant]:
            del self.on_disk[tenant]

    def _wait_for_room(self, own: OwnSet, size: int, deadline: float, *, may_wait: bool) -> float:
        while own.size + self.others_bytes + size > self._config.spool_bytes:
            deadline = self._make_room(own, deadline, may_wait=may_wait)
        return deadline

    def _make_room(self, own: OwnSet, deadline: float, *, may_wait: bool, error: OSError | None = None) -> float:
        """Delete done or, with `drop_oldest`, any segments, or wait; return the deadline. Raises SpoolFull."""
        if own.reclaim():
            return deadline
        policy, now = self._config.spool_full, time.monotonic()
        if policy == "drop_oldest" and self._drop_oldest(own):
            return deadline
        deadline = deadline or now + self._config.max_block_ms / 1000
        if policy != "block" or not may_wait or now >= deadline:
            raise self._failure(error)
        self.wake.set()
        me, self._inside = self._inside, 0
        try:
            self._room.wait(min(deadline - now, 0.1))
        finally:
            self._inside = me
        if self.closed:
            raise ClientClosed("The audit client was closed while the event waited for room; it was not sent.")
        return deadline

    def _drop_oldest(self, own: OwnSet) -> bool:
        """Delete the oldest segment with all events that are only there; return whether there was one."""
        for source in (self.adopted, own):
            if source is None:
                continue
            segment = next((one for one in source.segments.values() if one.open), None)
            if segment is None:
                continue
            if not segment.sealed:
                with contextlib.suppress(OSError):
                    own.seal()
            self._drop(source, segment)
            return True
        return False

    def _drop(self, source: RecordSet, segment: Segment) -> None:
        """Delete a segment. Its events that were handed to the client are only in memory from now on."""
        for record in source.records(segment):
            event = self._flying.pop(record.number, None) if source is self.own else None
            was_waiting = source.ledger.is_waiting(record.number)
            if not source.done(record.number, segment):
                continue
            if source is self.own:
                self._count_off_disk(record.tenant)
            if event is not None:
                event.number = event.slot = 0
                self._memory[event] = None
            elif was_waiting:
                self.losses.append(Loss(record.tenant, 1, record.emitted_us, record.emitted_us, FULL))
                self._settle_dropped(source, record)
        source.delete(segment)

    def _settle_dropped(self, source: RecordSet, record: Record) -> None:
        if source is not self.own or (epoch := self._epoch_of(record.number)) is None:
            return
        error = self._failure(None, dropped=record.event_id)
        self._tracker.settle(epoch, Failure(record.event_id, record.tenant, error), len(record.value))
        if (on_settled := self._settlers.pop(record.number, None)) is not None:
            on_settled(error)

    def _failure(self, error: OSError | None, dropped: str = "") -> AuditlaneError:
        if error is not None and error.errno not in _FULL_DISK:
            return SpoolFailed(
                f"The spool in {self._folder} cannot be written: {error.strerror}; the event was not accepted.",
                fix="Correct the folder of AUDITLANE_SPOOL_DIR, and emit again.",
            )
        why = "the disk is full" if error is not None else f"it holds {self._config.spool_bytes} bytes"
        what = f"event {dropped} was dropped" if dropped else "the event was not accepted"
        return SpoolFull(
            f"The spool in {self._folder} is full, since {why}; {what}.",
            fix="Restore Kafka, free space on the disk, or raise AUDITLANE_SPOOL_BYTES or AUDITLANE_MAX_BLOCK_MS.",
        )

    def _add_epoch(self, number: int, epoch: Epoch) -> None:
        self._epochs.append((number, epoch))
        if len(self._epochs) > _KEPT_EPOCHS and self.own is not None:
            low = self.own.ledger.low
            first = max(bisect_right(self._epochs, low, key=lambda entry: entry[0]) - 1, 0)
            del self._epochs[:first]

    def _epoch_of(self, number: int) -> Epoch | None:
        at = bisect_right(self._epochs, number, key=lambda entry: entry[0])
        return self._epochs[at - 1][1] if at else None
