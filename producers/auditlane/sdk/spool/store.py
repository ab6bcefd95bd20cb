"""A client's events on disk: makes room for events, writes and settles them, and drops them when the spool is full.

`sender` decides when an event is written or sent.
"""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from auditlane.runtime.errors import AuditlaneError, ClientClosed, SpoolFailed, SpoolFull
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.results import Failure, SpoolStats
from auditlane.sdk.spool.event import Event
from auditlane.sdk.spool.frames import Record
from auditlane.sdk.spool.group_commit import GroupCommit, sync_and_close
from auditlane.sdk.spool.losses import FULL, Loss, combined
from auditlane.sdk.spool.own_set import OwnSet
from auditlane.sdk.spool.record_set import RecordSet, Segment
from auditlane.sdk.transport import OnBatch, call

_SEGMENT_BYTES: Final = 8 << 20
_SMALLEST_SEGMENT: Final = 65_536
_KEPT_EPOCHS: Final = 64
_TRY_S: Final = 0.0005  # time between attempts to take the lock
_TRIES: Final = 20
NO_BATCH: Final = None, 0
_FULL_DISK: Final = (errno.ENOSPC, errno.EDQUOT)


class SpoolStore:
    """Stores events on disk. Thread-safe. Methods that start with an underscore require the lock, and a signal handler
    may interrupt the thread that holds it.
    """

    def __init__(self, config: ClientConfig, tracker: DeliveryTracker) -> None:
        self._config = config
        self._folder = Path(config.spool_dir)
        self._segment_bytes = min(_SEGMENT_BYTES, max(_SMALLEST_SEGMENT, config.spool_bytes // 8))
        self._start(tracker)

    def _start(self, tracker: DeliveryTracker) -> None:
        self._tracker = tracker
        self.wake = threading.Event()  # set when the keeper has work to do
        self.lock = threading.RLock()
        self._room = threading.Condition(self.lock)
        self._inside = 0  # id of the thread that is changing the state
        self.own: OwnSet | None = None
        self.adopted: RecordSet | None = None
        self.on_disk: Counter[str] = Counter()  # number of this process's open records by tenant
        self._losses: list[Loss] = []  # losses not yet in a file of the set
        self._loss_slots: list[int] = []  # their tenants' slots in the owner file
        self._loss_files = 0  # written so far
        self.others_bytes = 0  # size of other processes' sets in bytes
        self.set_aside = 0  # number of files with rejected events or damaged bytes
        self.sent_from_disk = 0  # number of acknowledged events
        self.dropped: Counter[str] = Counter()  # number of lost events that were reported, by reason
        self.closed = False
        self._memory: dict[Event, None] = {}  # events that are only in memory, in order
        self._acknowledged: deque[Event] = deque()  # events to settle that no caller waits for
        self._flying: dict[int, Event] = {}  # events on disk that were handed to the client, by number
        self._flying_adopted: dict[int, Event] = {}  # the same for the adopted set, whose numbers may be the same
        # What receives the outcomes of events that are only on disk, with their indexes.
        self._settlers: dict[int, tuple[OnBatch | None, int]] = {}
        self._epochs: list[tuple[int, Epoch]] = []  # each epoch's first number
        self.held: dict[str, AuditlaneError] = {}  # tenants whose events are held, and why
        self._written = 0  # records
        # Events that are reported as spooled once they are synced, after as many records as were written up to each.
        self._unsynced: deque[tuple[int, Event]] = deque()
        self._group = GroupCommit(self._written_so_far)

    @contextlib.contextmanager
    def entered(self) -> Iterator[bool]:
        """Hold the lock. Yields whether this is a signal handler that interrupted a thread holding the lock."""
        me = threading.get_ident()
        nested = self._inside == me
        with self.lock:
            self._inside = me
            try:
                yield nested
            finally:
                self._inside = me if nested else 0

    @contextlib.contextmanager
    def entered_idle(self) -> Iterator[None]:
        """Hold the lock like `entered`, but try to take it only while no other thread holds it.

        A thread that waits for the lock gets it before it can run again. Until then, all threads that emit would have
        to wait.
        """
        for _ in range(_TRIES):
            if self.lock.acquire(blocking=False):
                break
            time.sleep(_TRY_S)
        else:
            self.lock.acquire()
        try:
            with self.entered():
                yield
        finally:
            self.lock.release()

    @property
    def interrupted(self) -> bool:
        """Whether this is a signal handler that interrupted this thread while it held the lock, and so must not
        wait.
        """
        return self._inside == threading.get_ident()

    @property
    def spooled(self) -> int:
        """The number of this process's events that are on disk and not acknowledged by Kafka."""
        own = self.own
        return own.ledger.open if own is not None else 0

    def stats(self, now_us: int) -> SpoolStats:
        """Return the state of the spool. `now_us` is the time in microseconds since 1970."""
        with self.entered():
            sets: list[RecordSet] = [found for found in (self.own, self.adopted) if found is not None]
            flying = next(iter(self._flying.values()), None)
            times = [found.oldest_us() for found in sets] + ([flying.emitted_us] if flying is not None else [])
            oldest_us = min((at for at in times if at), default=now_us)
            return SpoolStats(
                size=self.others_bytes + (self.own.size if self.own is not None else 0),
                limit=self._config.spool_bytes,
                events=sum(found.ledger.open for found in sets),
                held=sum(found.ledger.held for found in sets),
                oldest_s=max(now_us - oldest_us, 0) / 1_000_000,
                set_aside=self.set_aside,
                sent=self.sent_from_disk,
                dropped=dict(self.dropped),
            )

    def reclaim(self) -> None:
        """Delete the files of records that Kafka has."""
        with self.entered():
            freed = [found.reclaim() for found in (self.own, self.adopted) if found is not None]
            if any(freed):
                self._room.notify_all()

    def take_losses(self) -> None:
        """Save the losses so far in a file of the set, from which they are reported. If there is no space, they stay in
        memory until the next call. Raises SpoolFailed.
        """
        with self.entered():
            if not self._losses:
                return
            own = self.own or self._opened()
            try:  # each file has a name of its own, from which the ids of the events that report it are derived
                own.lost(f"{self._loss_files + 1:08x}", combined(self._losses), self._loss_slots)
            except OSError:
                return
            self._loss_files += 1
            self._losses, self._loss_slots = [], []

    def sync(self) -> None:
        """Sync the records written so far. Raises OSError."""
        with self.lock:
            if self.own is None or not self.own.dirty:
                return
            self.own.dirty = False
            descriptor = self.own.duplicate()
        sync_and_close(descriptor)

    def _written_so_far(self) -> tuple[int, int]:
        with self.lock:
            return self._written, self.own.duplicate() if self.own is not None else -1

    def _opened(self) -> OwnSet:
        if self.closed:
            raise ClientClosed("The audit client is closed.", fix="Create a new AuditClient.")
        try:
            self.own = OwnSet.create(
                self._folder, segment_bytes=self._segment_bytes, syncs=self._config.spool_sync != "never"
            )
        except OSError as error:
            raise self._failure(error) from error
        return self.own

    def _store(
        self, event: Event, *, may_wait: Callable[[], bool], alone: bool = False, handed_over: bool = False
    ) -> bool:
        """Write an event. Returns whether earlier records wait on disk, so that this one waits too. `may_wait` is
        called only if there is no room.
        """
        own = self.own
        assert own is not None
        headers: tuple[tuple[str, bytes], ...] = ()
        if given := event.headers:
            headers = tuple(
                (name, value if type(value) is bytes else str(value).encode()) for name, value in given.items()
            )
        size = len(event.value) + len(event.key) + 200
        deadline = 0.0
        while True:
            while own.size + self.others_bytes + size > self._config.spool_bytes:
                deadline = self._make_room(own, deadline, may_wait=may_wait)
            held = event.unencoded or event.tenant in self.held
            waits = (own.ledger.waiting > 0 or held) and not handed_over
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
                    nth,
                    alone,
                    waits,
                    event.unencoded,
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
        if event.batch is not None:
            if self._config.spool_sync == "always":
                self._unsynced.append((self._written, event))
            else:
                call(event.batch.spooled, event.index)
        if waits:
            if held:
                own.hold(event.number, event.place)
            self._let_go(event)
        else:
            self._flying[event.number] = event
        return waits

    def _let_go(self, event: Event) -> None:
        """Remove an event from memory. It stays on disk until it is sent."""
        assert event.source is not None
        self._flying_from(event.source).pop(event.number, None)
        if event.batch is not None:
            self._settlers[event.number] = event.batch, event.index

    def _flying_from(self, source: RecordSet) -> dict[int, Event]:
        return self._flying if source is self.own else self._flying_adopted

    def _lose(self, tenant: str, emitted_us: int, cause: str, slot: int = 0) -> None:
        """Count a lost event, also if this process is killed before the loss is in a file. `slot` already counts an
        event that was only in memory.
        """
        with contextlib.suppress(SpoolFailed):  # then, it is only in memory
            own = self.own or self._opened()
            self._loss_slots.append(slot or own.owner.emitted(tenant, emitted_us))
        self._losses.append(Loss(tenant, 1, emitted_us, emitted_us, cause))

    def _count_off_disk(self, done: Mapping[str, int]) -> None:
        """Subtract the number of records that are done, by tenant."""
        for tenant, count in done.items():
            left = self.on_disk[tenant] = self.on_disk[tenant] - count
            if left <= 0:
                del self.on_disk[tenant]
        self._forget_tenants()

    def _forget_tenants(self) -> None:
        """Reset the counts by tenant once no record is open. They may be wrong, since the tenants of unreadable records
        are unknown."""
        if self.own is not None and not self.own.ledger.open:
            self.on_disk.clear()

    def _make_room(
        self, own: OwnSet, deadline: float, *, may_wait: Callable[[], bool], error: OSError | None = None
    ) -> float:
        """Make room by deleting segments that are done, or any segments with `drop_oldest`, or by waiting. Returns the
        deadline. Raises SpoolFull.
        """
        if own.reclaim():
            return deadline
        policy, now = self._config.spool_full, time.monotonic()
        if policy == "drop_oldest" and self._drop_oldest(own):
            return deadline
        deadline = deadline or now + self._config.max_block_ms / 1000
        if policy != "block" or not may_wait() or now >= deadline:
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
        """Delete the oldest segment, including events stored only there. Returns whether there was one."""
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
        """Delete a segment. Its events that were handed to the client are then only in memory."""
        flying = self._flying_from(source)
        for record in source.records(segment):
            event = flying.pop(record.number, None)
            was_stored = source.ledger.is_stored(record.number)
            if event is not None:  # counted before it is off the disk, so that no kill leaves it uncounted
                event.slot = self.own.owner.emitted(event.tenant, event.emitted_us) if self.own is not None else 0
            elif was_stored:
                self._lose(record.tenant, record.emitted_us, FULL)
            if not source.done(record.number, segment):
                continue
            if source is self.own:
                self._count_off_disk({record.tenant: 1})
            if event is not None:
                event.number = 0
                self._memory[event] = None
            elif was_stored:
                self._settle_dropped(source, record)
        source.delete(segment)

    def _fail_unreadable(self, source: RecordSet) -> None:
        """Fail the events whose records are unreadable. The set counts them as lost."""
        numbers, source.given_up = source.given_up, []
        if source is not self.own:
            return
        error = SpoolFailed(
            f"The spool in {self._folder} has lost events, because a file was damaged or deleted.",
            fix="Do not change files in this folder. Damaged parts are kept in its subfolder `damaged`.",
        )
        for number in numbers:
            if (epoch := self._epoch_of(number)) is not None:
                self._tracker.settle(epoch, Failure("", "", error))
            self._settle_on_disk(number, error)
        self._forget_tenants()

    def _settle_dropped(self, source: RecordSet, record: Record) -> None:
        if source is not self.own or (epoch := self._epoch_of(record.number)) is None:
            return
        error = self._failure(None, dropped=record.event_id)
        self._tracker.settle(epoch, Failure(record.event_id, record.tenant, error), len(record.value))
        self._settle_on_disk(record.number, error)

    def _settle_on_disk(self, number: int, error: AuditlaneError) -> None:
        """Report the failure of an event that is only on disk."""
        batch, index = self._settlers.pop(number, NO_BATCH)
        if batch is not None:
            call(batch.settle, index, error)

    def _failure(self, error: OSError | None, dropped: str = "") -> AuditlaneError:
        if error is not None and error.errno not in _FULL_DISK:
            return SpoolFailed(
                f"The spool in {self._folder} cannot be written to ({error.strerror}); the event was not accepted.",
                fix="Check the folder in AUDITLANE_SPOOL_DIR and its disk, then emit the event again.",
            )
        why = "the disk is full" if error is not None else f"it holds {self._config.spool_bytes} bytes"
        what = f"event {dropped} was dropped" if dropped else "the event was not accepted"
        return SpoolFull(
            f"The spool in {self._folder} is full, since {why}; {what}.",
            fix="Restore the connection, free disk space, or raise AUDITLANE_SPOOL_BYTES or AUDITLANE_MAX_BLOCK_MS.",
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
