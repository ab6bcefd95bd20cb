"""Decides for each event whether to write it to the spool, hand it to the delivery, or both.

In the mode `fast`, events stay in memory as long as they are acknowledged in time. As soon as one is late, all of them
are written to disk, as are later events until every event on disk is acknowledged. In the other modes, each event is
written before `send` returns.

A written event is also handed to the delivery, unless earlier events are waiting on disk, which are sent first.

If a tenant's contract is not available, the tenant's events are held on disk until it is. Other tenants' events are not
affected.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from auditlane.runtime.errors import (
    AuditlaneError,
    ClientClosed,
    InvalidEvent,
    RegistryUnavailable,
    SpoolFailed,
    SpoolFull,
)
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker
from auditlane.sdk.spool.event import Encode, Event, Headers, Offer, Ready, Single
from auditlane.sdk.spool.frames import Record
from auditlane.sdk.spool.own_set import OwnSet
from auditlane.sdk.spool.record_set import RecordSet, Segment
from auditlane.sdk.spool.settler import WINDOW_BYTES, SpoolSettler, never
from auditlane.sdk.spool.store import NO_BATCH
from auditlane.sdk.transport import Message, NotOffered, OnBatch, OnSettled, Refused, Undelivered, call

SPILL_S: Final = 0.8  # maximum age of an event that is only in memory; older ones are written to disk
_NO_HEADERS: Final[Headers] = {}
_TOGETHER: Final = 256  # maximum number of events of a batch that are accepted while other threads wait
CONTRACT: Final = "The tenant's contract"
_NO_CONTRACT: Final = RegistryUnavailable(
    "Events wait in the spool, since the schema registry is unavailable and their tenants' contracts are not cached.",
    fix="Start the registry, or correct AUDITLANE_REGISTRY_URL.",
)


class SpoolSender(SpoolSettler):
    """Writes and sends events. Thread-safe. A signal handler may call `send`, even if it interrupted `send`."""

    def __init__(
        self,
        config: ClientConfig,
        tracker: DeliveryTracker,
        offer: Offer,
        report: Callable[[AuditlaneError, str | None], None],
        may_wait: Callable[[], bool],
        encode: Encode,
        ready: Ready,
    ) -> None:
        """Create a sender.

        `report` passes the error of a failed delivery to `on_error`. `may_wait` returns whether this thread may wait
        for room.
        """
        super().__init__(config, tracker, report)
        self._offer = offer
        self._encode = encode
        self._ready = ready
        self._may_wait = may_wait

    def after_fork(self, tracker: DeliveryTracker) -> None:
        """Start over in a forked child. The parent keeps its files."""
        if self.own is not None:
            self.own.close_inherited()
        self._start(tracker)

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
        unencoded: bool = False,
        on_spooled: Callable[[], None] | None = None,
    ) -> None:
        """Accept an event. With `keep`, it is written to disk in every mode. If it is `unencoded`, the value is JSON,
        and it is written to disk and held until its tenant's contract is available.

        If this raises SpoolFull, SpoolFailed or ClientClosed, the event was not accepted.
        """
        tracker, size = self._tracker, len(value)
        now, now_us = time.monotonic(), time.time_ns() // 1_000
        event = Event(topic, key, value, event_id, tenant, headers or _NO_HEADERS, now, now_us)
        event.unencoded = unencoded
        if on_settled is not None or on_spooled is not None:
            event.batch = Single(on_settled, on_spooled)
        event.epoch = epoch = tracker.open(size)
        me = threading.get_ident()
        try:
            nested = self._inside == me
            with self.lock:  # like `entered`, which would take longer
                self._inside = me
                try:
                    if unencoded:
                        self._hold(tenant, _NO_CONTRACT)
                    written = self._accept(event, self._may_wait, keep=keep or unencoded, nested=nested)
                finally:
                    self._inside = me if nested else 0
        except BaseException:
            tracker.withdraw(epoch, size)
            raise
        finally:
            tracker.handed_over(epoch)
        if written and self._config.spool_sync == "always":
            self._wait_for_sync(written)

    def send_all(self, messages: Sequence[Message], on_batch: OnBatch) -> list[Refused]:
        """Accept events in their order, like `send`. Much cheaper than a call for each.

        Returns the events that were not accepted. `on_batch` receives the outcomes of the others.
        """
        refused: list[Refused] = []
        written: dict[int, int] = {}  # by index, what `_accept` returned
        may_wait = self._may_wait_together()
        for first in range(0, len(messages), _TOGETHER):
            self._send_together(messages[first : first + _TOGETHER], first, on_batch, may_wait, refused, written)
        if written and self._config.spool_sync == "always":
            try:
                self._wait_for_sync(max(written.values()))
            except SpoolFailed as error:
                refused += [(index, error) for index in written]
        return refused

    def _send_together(
        self,
        messages: Sequence[Message],
        first: int,
        on_batch: OnBatch,
        may_wait: Callable[[], bool],
        refused: list[Refused],
        written: dict[int, int],
    ) -> None:
        """Accept some of a batch's events, the first of which has the index `first`, while other threads wait."""
        tracker, left, me = self._tracker, len(messages), threading.get_ident()
        now, now_us = time.monotonic(), time.time_ns() // 1_000
        try:
            epoch = tracker.open_all(left, sum([len(message[2]) for message in messages]))
        except ClientClosed as error:
            refused += [(first + place, error) for place in range(left)]
            return
        try:
            nested = self._inside == me
            with self.lock:  # like `entered`, which would take longer
                self._inside = me
                try:
                    for index, (topic, key, value, headers, event_id, tenant) in enumerate(messages, first):
                        event = Event(topic, key, value, event_id, tenant, headers or _NO_HEADERS, now, now_us)
                        event.batch, event.index, event.epoch = on_batch, index, epoch
                        try:
                            if number := self._accept(event, may_wait, keep=False, nested=nested):
                                written[index] = number
                        except AuditlaneError as error:
                            tracker.withdraw(epoch, event.size)
                            refused.append((index, error))
                        left -= 1
                        if epoch.in_hand:
                            tracker.handed_over(epoch)
                finally:
                    self._inside = me if nested else 0
        finally:
            for message in messages[len(messages) - left :]:  # after an exception that is not about one event
                tracker.withdraw(epoch, len(message[2]))
                tracker.handed_over(epoch)

    def _may_wait_together(self) -> Callable[[], bool]:
        """Return a function like `may_wait` for the events of a batch, which together wait for at most
        `max_block_ms`.
        """
        deadline = 0.0

        def may_wait() -> bool:
            nonlocal deadline
            now = time.monotonic()
            deadline = deadline or now + self._config.max_block_ms / 1000
            return now < deadline and self._may_wait()

        return may_wait

    def _wait_for_sync(self, written: int) -> None:
        """Return once this many records are synced to disk, and reported as spooled. Raises SpoolFailed."""
        try:
            self._group.wait(written)
            for event in self._taken_unsynced(written):
                assert event.batch is not None
                call(event.batch.spooled, event.index)
        except OSError as error:
            self._taken_unsynced(written)
            raise SpoolFailed(
                f"The spool in {self._folder} cannot be synced to disk: {error.strerror}.",
                fix="Check the disk of AUDITLANE_SPOOL_DIR. The event may still be delivered.",
            ) from error

    def _taken_unsynced(self, written: int) -> list[Event]:
        """Remove the events that have waited for a sync of this many records. Returns those that are still open."""
        taken = []
        with self.entered():
            while self._unsynced and self._unsynced[0][0] <= written:
                _, event = self._unsynced.popleft()
                if event.number in self._flying or event.number in self._settlers:
                    taken.append(event)
        return taken

    @property
    def unsafe(self) -> int:
        """The number of events that are only in memory."""
        return len(self._memory)

    def sweep(self, now: float, now_us: int) -> None:
        """Write all events in memory to disk if the oldest was not acknowledged in time. Raises SpoolFull or
        SpoolFailed.
        """
        spilled = False
        with self.entered():
            oldest = next(iter(self._memory), None)
            if oldest is not None and now - oldest.at >= SPILL_S:
                self.spill()
                oldest, spilled = None, True
            if self.own is not None:
                self.own.owner.swept(now_us if oldest is None else oldest.emitted_us)
            written = self._written
        if self._config.spool_sync == "always" and (spilled or self._unsynced):
            self._wait_for_sync(written)

    def fill(self, now: float) -> None:
        """Read records waiting on disk, and hand them to the delivery until the window is full."""
        for adopted in (True, False):
            while not self.closed and now >= self._retry_at and self._window < WINDOW_BYTES:
                with self.entered():  # per record, so that others can emit in between
                    source: RecordSet | None = self.adopted if adopted else self.own
                    waiting = source.next_waiting() if source is not None and source.ledger.waiting else None
                    if source is not None and source.given_up:
                        self._fail_unreadable(source)
                    if source is None or waiting is None:
                        break
                    segment, record = waiting
                    if record.tenant in self.held:
                        source.hold(record.number, segment)
                        continue
                    event = _event_of(source, segment, record)
                    if not record.unencoded and not self._resend(event):
                        return
                if record.unencoded and not self._resend_unencoded(event):
                    return

    def delayed(self, now: float, delayed_s: float) -> dict[str, int]:
        """Return the number of records on disk by tenant. If Kafka has acknowledged the others in time, includes only
        held tenants.
        """
        with self.entered():
            oldest = next(iter(self._flying.values()), None)
            is_late = oldest is not None and now - oldest.at >= delayed_s
            if not self.held or is_late or (self.own is not None and self.own.ledger.waiting):
                return dict(self.on_disk)
            return {tenant: self.on_disk[tenant] for tenant in self.held if tenant in self.on_disk}

    def release(self) -> None:
        """Let the events of held tenants wait to be sent if their contracts are now available."""
        ready = [tenant for tenant in list(self.held) if self._ready(tenant)]
        if not ready:
            return
        with self.entered():
            for tenant in ready:
                del self.held[tenant]
            for source in (self.adopted, self.own):  # those of other tenants are held again once they are read
                if source is not None and source.ledger.held:
                    source.release()
            self.wake.set()

    def close(self) -> None:
        """Leave the files to other processes. Call this after the client's last report."""
        with self.entered():
            while self._acknowledged:
                self._settle_acknowledged()
            with contextlib.suppress(SpoolFailed):
                self.take_losses()
            self.closed = True
            for found in (self.own, self.adopted):
                if found is not None:
                    found.reclaim()
                    found.leave()
            self.own = self.adopted = None

    def _accept(self, event: Event, may_wait: Callable[[], bool], *, keep: bool, nested: bool) -> int:
        """Accept an event. Returns the number of records written up to this one, or 0 if it was not written."""
        own = self.own or self._opened()
        fast = self._config.delivery_mode == "fast" and not keep
        if fast and not own.ledger.open and self._offered_from_memory(own, event):
            return 0
        try:
            if self._memory and not nested:
                self.spill()  # earlier events stay before this one
            waits = self._store(event, may_wait=never if nested else may_wait, alone=nested)
        except (SpoolFull, SpoolFailed):
            if fast and self._offered_from_memory(own, event):
                return 0
            raise
        if not waits:
            self._hand_over(event)
        return self._written

    def _offered_from_memory(self, own: OwnSet, event: Event) -> bool:
        """Hand over an event that is not on disk. Returns whether the client's buffer had room."""
        event.slot = slot = own.owner.emitted(event.tenant, event.emitted_us)
        self._memory[event] = None
        try:
            self._offer(event)
        except BaseException as error:
            self._memory.pop(event, None)
            own.owner.withdrawn(slot)
            event.slot = 0
            if isinstance(error, BufferError):
                return False
            if isinstance(error, NotOffered):
                raise error.why.explain(event.event_id) from error
            raise
        return True

    def _hand_over(self, event: Event) -> bool:
        """Hand an event on disk to the delivery. Returns whether there was room; otherwise, the event waits."""
        try:
            self._offer(event)
        except NotOffered as error:
            self.undelivered(event, error.why)
            return False
        except BufferError:
            self._failed(event, retry_s=0.0)
            return False
        except AuditlaneError:
            self._failed(event)
            return False
        return True

    def _resend(self, event: Event) -> bool:
        """Hand over an event read from disk. Returns whether the client's buffer had room."""
        self._take(event)
        return self._hand_over(event)

    def _resend_unencoded(self, event: Event) -> bool:
        """Encode and hand over an event read from disk, or hold it if that is not possible yet. Returns whether the
        client's buffer had room. Call without the lock, since encoding may take a while.
        """
        problem: AuditlaneError | None = None
        try:
            self._encode(event)
        except AuditlaneError as error:
            problem = error
        assert event.source is not None
        with self.entered():
            if self.closed or not event.source.ledger.is_waiting(event.number):  # dropped in the meantime
                return True
            if problem is None:
                return self._resend(event)
            if not isinstance(problem, InvalidEvent):
                self._hold(event.tenant, problem)
                event.source.hold(event.number, event.place)
                return True
            self._take(event)
        self.undelivered(event, Undelivered(partial(_rejected, problem), CONTRACT))
        return True

    def _hold(self, tenant: str, problem: AuditlaneError) -> None:
        """Hold a tenant's events until `release`."""
        self.held[tenant] = self._tracker.problem = problem

    def _take(self, event: Event) -> None:
        """Count an event read from disk as handed over."""
        assert event.source is not None
        event.at = time.monotonic()
        event.source.sent(event.number, event.place)
        self._window += event.size
        self._flying_from(event.source)[event.number] = event
        if event.source is self.own:
            event.epoch = self._epoch_of(event.number)
            event.batch, event.index = self._settlers.pop(event.number, NO_BATCH)


def _event_of(source: RecordSet, segment: Segment, record: Record) -> Event:
    """Return the event of a record read from disk."""
    number, _, emitted_us, tenant, event_id, topic, key, value, headers, unencoded = record
    event = Event(topic, key, value, event_id, tenant, dict(headers), 0.0, emitted_us)
    event.number, event.segment, event.source = number, segment, source
    event.from_disk, event.unencoded = True, unencoded
    return event


def _rejected(error: AuditlaneError, event_id: str) -> AuditlaneError:
    return type(error)(
        f"Event {event_id} was emitted while its tenant's contract was not available, and violates it: {error.message}",
        fix=error.fix,
        field=error.field,
    )
