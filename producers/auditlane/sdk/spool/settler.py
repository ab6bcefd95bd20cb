"""Settles events: those that were acknowledged are done, and those that were not delivered are retried or given up."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from auditlane.runtime.errors import AuditlaneError, SpoolFailed, SpoolFull
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.results import Failure
from auditlane.sdk.spool import folder
from auditlane.sdk.spool.event import Event
from auditlane.sdk.spool.losses import FULL, rejected_by
from auditlane.sdk.spool.store import SpoolStore
from auditlane.sdk.transport import OnBatch, Undelivered, call

RETRY_S: Final = 1.0  # time between attempts to send records again
WINDOW_BYTES: Final = 4 << 20  # maximum size of records read from disk that are not acknowledged
_AWAITED_TOGETHER: Final = 256  # maximum number of awaited events that are settled while other threads wait
_SETTLED_TOGETHER: Final = 1_024  # the same for events that no caller waits for
_LATE_S: Final = 0.1  # how long acknowledged events stay unsettled if other threads hold the lock at each attempt
_REJECTED_PART: Final = 4  # rejected events are set aside up to this part of `spool_bytes`


class SpoolSettler(SpoolStore):
    """Settles events, as described in `Receiver`. Thread-safe."""

    def __init__(
        self, config: ClientConfig, tracker: DeliveryTracker, report: Callable[[AuditlaneError, str | None], None]
    ) -> None:
        """Create a settler. `report` passes the error of a failed delivery to `on_error`."""
        super().__init__(config, tracker)
        self._report = report

    def _start(self, tracker: DeliveryTracker) -> None:
        super()._start(tracker)
        self._window = 0  # size of records read from disk that are not acknowledged
        self._rejected_bytes = 0  # size of the rejected events that were set aside
        self._settled_at = 0.0  # monotonic time at which no acknowledged event was left to be settled
        self._retry_at = 0.0  # monotonic time before which nothing more is read from disk

    def spill(self) -> None:
        """Write all events that are only in memory to disk. Raises SpoolFull or SpoolFailed."""
        with self.entered():
            for event in list(self._memory):
                self._store(event, may_wait=never, handed_over=True)
                del self._memory[event]

    def acknowledged(self, events: Sequence[Event]) -> None:
        """Settle events that were acknowledged, as described in `Receiver`."""
        now, unsettled = time.monotonic(), self._acknowledged
        awaited = [event for event in events if event.batch is not None]
        if not unsettled:
            self._settled_at = now
        unsettled.extend(events if not awaited else [event for event in events if event.batch is None])
        self._settle_awaited(awaited)
        while unsettled:
            if now - self._settled_at >= _LATE_S:
                with self.entered_idle():
                    self._settle_acknowledged()
            elif self.lock.acquire(blocking=False):
                try:
                    with self.entered():
                        self._settle_acknowledged()
                finally:
                    self.lock.release()
            else:
                return

    @property
    def unsettled(self) -> bool:
        """Whether acknowledged events are left, as described in `Receiver`."""
        return bool(self._acknowledged)

    def _settle_awaited(self, events: Sequence[Event]) -> None:
        """Settle acknowledged events whose outcomes are awaited."""
        for at in range(0, len(events), _AWAITED_TOGETHER):
            with self.entered_idle():
                if self.closed:
                    return
                settled = self._settled_each(events[at : at + _AWAITED_TOGETHER])
            batches: dict[OnBatch, list[int]] = {}  # the events' indexes
            for event in settled:
                if event.epoch is not None and event.batch is not None:
                    batches.setdefault(event.batch, []).append(event.index)
            for batch, indexes in batches.items():
                call(batch.acknowledged, indexes)

    def _settle_acknowledged(self) -> None:
        """Settle some of the acknowledged events whose outcomes are not awaited. Requires the lock."""
        take = self._acknowledged.popleft
        events = [take() for _ in range(min(_SETTLED_TOGETHER, len(self._acknowledged)))]
        if events and not self.closed and not self._settled_together(events):
            self._settled_each(events)

    def _settled_each(self, events: Sequence[Event]) -> list[Event]:
        """Count events as done. Returns those that were still open."""
        settled = [event for event in events if self._settled(event)]
        self.sent_from_disk += sum([event.from_disk for event in events])
        counts: dict[Epoch, list[int]] = {}  # number and size in bytes of this client's events
        for event in settled:
            if event.epoch is not None:
                count = counts.setdefault(event.epoch, [0, 0])
                count[0] += 1
                count[1] += event.size
        for epoch, (number, size) in counts.items():
            self._tracker.settle_all(epoch, number, size)
        return settled

    def _settled_together(self, events: list[Event]) -> bool:
        """Count events as done if this process wrote all of them to one segment between two flushes, which is usual.
        Takes a third of the time of `_settled_each`. Otherwise, does nothing and returns False.
        """
        own, epoch, segment = self.own, events[0].epoch, events[0].segment
        if own is None or epoch is None or segment is None:
            return False
        others = [one for one in events if one.segment is not segment or one.epoch is not epoch or one.from_disk]
        if others:
            return False
        numbers = [event.number for event in events]
        if not own.all_done(numbers, segment):
            return False
        for number in numbers:
            self._flying.pop(number, None)
        self._count_off_disk(Counter([event.tenant for event in events]))
        self._tracker.settle_all(epoch, len(events), sum([event.size for event in events]))
        return True

    def undelivered(self, event: Event, why: Undelivered) -> None:
        """Retry or give up an event that was not delivered, as described in `Receiver`."""
        with self.entered():
            if self.closed:
                return
            failure = self._final_failure(event, why)
            if failure is None:
                self._failed(event)
                return
            cause = rejected_by(why.rejected_by) if why.rejected_by else FULL
            slot = 0
            if event in self._memory:
                slot, event.slot = event.slot, 0  # it counts the loss instead
            self._lose(event.tenant, event.emitted_us, cause, slot)  # first, so that no kill leaves it uncounted
            was_open = self._settled(event)
            if why.rejected_by:
                self._set_aside(event)
        if event.epoch is None or not was_open:
            return
        self._tracker.settle(event.epoch, failure, event.size)
        if event.batch is not None:
            call(event.batch.settle, event.index, failure.error)
        self._report(failure.error, event.event_id)

    def _final_failure(self, event: Event, error: Undelivered) -> Failure | None:
        """Return why an event is given up, or None if it is on disk and can be sent again."""
        if not error.rejected_by:
            try:
                if event in self._memory:
                    self.spill()
                return None
            except (SpoolFull, SpoolFailed):
                if event.number:
                    return None
        return Failure(event.event_id, event.tenant, error.explain(event.event_id))

    def _set_aside(self, event: Event) -> None:
        """Save an event that was rejected, so that it can be corrected and sent again."""
        if not self._rejected_bytes:
            self._rejected_bytes = folder.size(self._folder / folder.REJECTED)
        if self._rejected_bytes + len(event.value) <= self._config.spool_bytes // _REJECTED_PART:
            self._rejected_bytes += len(event.value)
            self.set_aside += 1
            folder.set_aside(self._folder, folder.REJECTED, f"{event.tenant}-{event.event_id}", event.value)

    def _settled(self, event: Event) -> bool:
        """Count an event as done. Returns whether it was still open."""
        if event.from_disk:
            self._window -= event.size
            if self._window < WINDOW_BYTES // 2 and event.source is not None and event.source.ledger.waiting:
                self.wake.set()
        if not event.number:
            if event not in self._memory:
                return False
            del self._memory[event]
            if event.slot and self.own is not None:
                self.own.owner.settled(event.slot)
            return True
        source = event.source
        assert source is not None
        mine = source is self.own
        self._flying_from(source).pop(event.number, None)
        if mine:
            self._settlers.pop(event.number, None)
        if not source.done(event.number, event.place):
            return False
        if mine:
            self._count_off_disk({event.tenant: 1})
        return True

    def _failed(self, event: Event, retry_s: float = RETRY_S) -> None:
        if event.from_disk:
            self._window -= event.size
        if event.source is not None:
            event.source.failed(event.number, event.place, event.emitted_us)
            self._let_go(event)
        self._retry_at = max(self._retry_at, time.monotonic() + retry_s)


def never() -> bool:
    return False
