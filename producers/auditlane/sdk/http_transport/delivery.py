"""Delivers events to the gateway. A thread sends them in batches, one request at a time, so that each tenant's events
keep their order.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from auditlane.runtime.errors import (
    AuditlaneError,
    ClientClosed,
    DeliveryFailed,
    GatewayUnavailable,
    RateLimited,
)
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.http_transport import answers
from auditlane.sdk.http_transport.answers import LIMITED, Again, Outcomes, Smaller, Verdict
from auditlane.sdk.http_transport.backlog import Backlog, Item, OnReport
from auditlane.sdk.http_transport.link import Link
from auditlane.sdk.logs import log_later
from auditlane.sdk.outage import Away, Back, Outage, lost_text
from auditlane.sdk.results import Failure
from auditlane.sdk.transport import (
    Message,
    OnBatch,
    OnError,
    OnSettled,
    Receiver,
    Refused,
    Undelivered,
    call,
    report_error,
    wait_for_room,
)

if TYPE_CHECKING:
    from auditlane.sdk.spool.event import Event

MOST_EVENTS: Final = 1_000  # maximum number of events in a request; up to it, the response lists every event
_MOST_BYTES: Final = 1 << 20  # maximum size of a request, unless a single event is larger
_LINGER_S: Final = 0.005  # how long a request waits for more events
_IDLE_S: Final = 0.5  # bounds only how soon an expired event and a reminder of an outage are noticed
_SETTLE_S: Final = 0.02  # the same while the receiver has events to settle
_REFUSALS: Final = 4  # number of refusals by something in between after which an event counts as rejected
_GATEWAY: Final = "The gateway"


class HttpDelivery:
    """A connection to the gateway and the thread that uses it. Forked children create their own."""

    fatal: AuditlaneError | None = None

    def __init__(
        self,
        config: ClientConfig,
        tracker: DeliveryTracker,
        on_error: OnError | None,
        receiver: Receiver | None = None,
    ) -> None:
        """Start the thread, which connects in the background. Without `on_error`, errors are logged."""
        self._config = config
        self._tracker = tracker
        self._on_error = on_error
        self._receiver = receiver
        self._link = Link(config)
        # Reentrant, since a signal handler may emit while the interrupted thread holds it.
        self._changed = threading.Condition(threading.RLock())
        self._backlog = Backlog()
        self._sending: list[Item] = []
        self._held = 0  # total size in bytes of events without a report
        self._stopping = False
        self._waiting = False  # whether the thread waits for events
        self._most = MOST_EVENTS
        self._accepted = 0  # number of events
        self._failures = 0  # consecutive requests that failed as a whole
        self._not_before = 0.0  # monotonic time of the next request
        self._outage = Outage()
        self._problem: AuditlaneError | None = None
        self._thread = threading.Thread(target=self._serve, name="auditlane-delivery", daemon=True)
        self._thread.start()

    def produce(
        self,
        topic: str,
        key: bytes,
        value: bytes,
        event_id: str,
        tenant: str,
        on_settled: OnSettled | None = None,
        headers: dict[str, Any] | None = None,
        *,
        plain: bool = False,
    ) -> None:
        """Buffer one event. Raises BufferFull if the buffer stays full for `max_block_ms`."""
        tracker, size = self._tracker, len(value)
        epoch = tracker.open(size)
        report = partial(self._report, epoch, event_id, tenant, size, on_settled)
        deadline = 0.0
        try:
            while True:
                try:
                    self._add(event_id, tenant, value, report)
                    return
                except BufferError:
                    deadline = wait_for_room(self._config, tracker, deadline, may_wait=not self.is_this_thread())
        except BaseException:
            tracker.withdraw(epoch, size)
            raise
        finally:
            tracker.handed_over(epoch)

    def produce_all(self, messages: Sequence[Message], on_batch: OnBatch) -> list[Refused]:
        """Buffer a batch of events, as described in `Delivery`."""
        refused: list[Refused] = []
        for index, (topic, key, value, headers, event_id, tenant) in enumerate(messages):
            try:
                self.produce(topic, key, value, event_id, tenant, partial(on_batch.settle, index), headers)
            except AuditlaneError as error:
                refused.append((index, error))
        return refused

    def offer(self, event: Event) -> None:
        """Buffer one event, as described in `Delivery`."""
        self._add(event.event_id, event.tenant, event.value, partial(self._report_offered, event), event)

    def _add(self, event_id: str, tenant: str, value: bytes, on_report: OnReport, offered: Event | None = None) -> None:
        """Buffer one event. Raises BufferError if there is no room, and ClientClosed."""
        deadline = time.monotonic() + self._config.delivery_timeout_ms / 1000
        item = Item(event_id, tenant, value, on_report, deadline, offered)
        with self._changed:
            if self._stopping:
                raise ClientClosed("The audit client was closed while the event waited for room; it was not sent.")
            if self._held and self._held + len(value) > self._config.buffer_bytes:
                raise BufferError
            self._held += len(value)
            self._backlog.add(item)
            if self._waiting:
                self._changed.notify_all()

    def is_this_thread(self) -> bool:
        """Return whether the caller runs on the delivery's thread."""
        return threading.current_thread() is self._thread

    def abandon(self) -> None:
        """Report all events as not delivered. The gateway may still accept those of the request in progress."""
        with self._changed:
            items = [*self._sending, *self._backlog.clear()]
        for item in items:
            self._settle(item, Undelivered(self._abandoned))

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread once every event has its report."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if not self.is_this_thread():
            self._thread.join(timeout_s)

    def leave_to_parent(self) -> None:
        """Do nothing: the child closes only its own copies of the descriptors."""

    def _serve(self) -> None:
        while True:
            try:
                if not self._turn():
                    break
            except Exception as error:  # the thread must survive everything
                log_later(logging.ERROR, "an event could not be sent", error=error)
                with self._changed:
                    self._backlog.put_back(item for item in self._sending if not item.reported)
                    self._sending = []
                self._pause(1.0)
        self._link.close()

    def _turn(self) -> bool:
        """Send one request. Return False once the thread has nothing left to do."""
        now, receiver = time.monotonic(), self._receiver
        unsettled = receiver is not None and receiver.unsettled
        if receiver is not None and unsettled:
            call(receiver.acknowledged, ())
        idle_s = _SETTLE_S if unsettled else _IDLE_S
        for item in self._expired(now):
            self._settle(item, Undelivered(self._late))
        if self._backlog:  # otherwise, no request shows whether the outage lasts
            self._report_outage(self._outage.reminder(now))
        new = False
        with self._changed:
            if not self._backlog:
                if self._stopping and not unsettled:
                    return False
                self._not_before = 0.0
                self._wait(idle_s)
                new = bool(self._backlog)
            elif (at := max(self._backlog.next_at() or 0.0, self._not_before)) > now:
                self._wait(min(at - now, idle_s))
                if self._not_before > time.monotonic():
                    return True
        if new and not self._stopping:
            time.sleep(_LINGER_S)
        with self._changed:
            self._sending = items = self._backlog.take(time.monotonic(), self._most, _MOST_BYTES)
        if items:
            self._handle(items, self._send(items))
        return True

    def _wait(self, timeout_s: float) -> None:
        """Wait for events. Call with the lock held."""
        self._waiting = True
        try:
            self._changed.wait(timeout_s)
        finally:
            self._waiting = False

    def _pause(self, timeout_s: float) -> None:
        """Send no request for `timeout_s` seconds, unless nothing is left to send."""
        self._not_before = time.monotonic() + timeout_s

    def _expired(self, now: float) -> list[Item]:
        with self._changed:
            return self._backlog.expired(now)

    def _send(self, items: Sequence[Item]) -> Verdict:
        body = b"\n".join([item.line for item in items])
        try:
            answer, compressed = self._link.send(body)
        except AuditlaneError as error:
            return Again(error, getattr(error, "retry_after_s", None))
        ids = [item.event_id for item in items]
        return answers.read(answer, ids, self._config.url, datetime.now(UTC), compressed=compressed)

    def _handle(self, items: list[Item], verdict: Verdict) -> None:
        if isinstance(verdict, Outcomes):
            self._handle_outcomes(items, verdict)
            return
        if isinstance(verdict, Smaller):
            self._handle_smaller(items, verdict)
            return
        self._put_back(items)
        if not isinstance(verdict, Again):
            self._link.compresses = False
            return
        renewed = verdict.renew and self._link.credentials.rejected()
        self._failures += 1
        self._note(verdict.problem)
        if not (renewed and self._failures == 1):  # otherwise, the next request has a new token
            self._pause(answers.wait_s(self._failures, verdict.after_s, random.random()))  # noqa: S311

    def _handle_outcomes(self, items: list[Item], verdict: Outcomes) -> None:
        accepted: list[Item] = []
        later: list[Item] = []
        limited = 0
        for item, outcome in zip(items, verdict.each, strict=True):
            if outcome is None:
                accepted.append(item)
            elif isinstance(outcome, AuditlaneError):
                self._settle(item, Undelivered(partial(_rejected, outcome), _GATEWAY))
            else:
                later.append(item)
                limited += outcome == LIMITED
        self._settle_accepted(accepted)
        self._accepted += len(accepted)
        works = len(later) < len(items) or limited == len(items)
        if works:
            self._failures = 0
            self._most = min(self._most * 2, MOST_EVENTS)
            self._recovered()
        else:
            self._failures += 1
            self._note(GatewayUnavailable(f"The gateway at {self._config.url} cannot accept events now."))
        if limited:
            self._tracker.problem = RateLimited(f"The gateway at {self._config.url} limits the rate of a tenant.")
        wait_s = answers.wait_s(max(self._failures, 1), verdict.after_s, random.random())  # noqa: S311
        with self._changed:
            self._sending = []
            waiting = [item for item in later if not item.reported]
            if works:
                self._backlog.hold(waiting, time.monotonic() + wait_s)
                return
            self._backlog.put_back(waiting)
        self._pause(wait_s)

    def _handle_smaller(self, items: list[Item], verdict: Smaller) -> None:
        """Send fewer events per request, until the event that caused the refusal is sent alone."""
        self._failures += 1
        if len(items) > 1:
            self._most = len(items) // 2
            self._put_back(items)
            return
        [item] = items
        if self._accepted > item.refused_at:
            item.refusals += 1
        if verdict.certain or item.refusals >= _REFUSALS:
            self._settle(item, Undelivered(partial(_rejected, verdict.error), _GATEWAY))
            with self._changed:
                self._sending = []
            return
        # Something in between refuses the event, or every event. Other tenants' events show which.
        item.refused_at = self._accepted
        self._note(verdict.error)
        wait_s = answers.wait_s(self._failures, None, random.random())  # noqa: S311
        with self._changed:
            self._sending = []
            if not item.reported:
                self._backlog.hold([item], time.monotonic() + wait_s)

    def _put_back(self, items: list[Item]) -> None:
        with self._changed:
            self._sending = []
            self._backlog.put_back(item for item in items if not item.reported)

    def _settle_accepted(self, items: list[Item]) -> None:
        """Report that the gateway has accepted events, except those that have already been reported."""
        with self._changed:
            items = [item for item in items if not item.reported]
            for item in items:
                item.reported = True
                self._held -= len(item.line)
        if self._receiver is not None and (events := [item.event for item in items if item.event is not None]):
            call(self._receiver.acknowledged, events)
        for item in items:
            if item.event is None:
                call(item.report, None)

    def _settle(self, item: Item, undelivered: Undelivered) -> None:
        """Report that an event was not delivered, unless it has already been reported."""
        with self._changed:
            if item.reported:
                return
            item.reported = True
            self._held -= len(item.line)
        call(item.report, undelivered)

    def _report_offered(self, event: Event, undelivered: Undelivered | None) -> None:
        if self._receiver is not None and undelivered is not None:
            self._receiver.undelivered(event, undelivered)

    def _report(
        self,
        epoch: Epoch,
        event_id: str,
        tenant: str,
        size: int,
        on_settled: OnSettled | None,
        undelivered: Undelivered | None,
    ) -> None:
        if undelivered is None:
            self._tracker.settle(epoch, None, size)
            if on_settled:
                call(on_settled, None)
            return
        error = undelivered.explain(event_id)
        self._tracker.settle(epoch, Failure(event_id, tenant, error), size)
        if on_settled:
            call(on_settled, error)
        if self._on_error is None and self._outage.away and not undelivered.rejected_by:
            self._outage.count_lost()  # the log messages about the outage include this count
        else:
            report_error(self._on_error, error, event_id)

    def _note(self, problem: AuditlaneError) -> None:
        """Remember why a request failed. If the next one fails too, it is an outage."""
        now = time.monotonic()
        self._problem = self._tracker.problem = problem
        self._outage.suspect(problem.message, now)
        if self._failures > 1:
            self._report_outage(self._outage.unreachable(now))

    def _recovered(self) -> None:
        self._problem = self._tracker.problem = None
        if self._outage.possible:
            self._report_outage(self._outage.recovered(time.monotonic()))

    def _report_outage(self, change: Away | Back | None) -> None:
        """Report an outage to `on_error`. Without `on_error`, log the outage and the recovery."""
        if isinstance(change, Away):
            problem = self._problem or GatewayUnavailable(change.reason)
            if self._on_error is not None:
                report_error(self._on_error, problem, None)
                return
            since = f" It has lasted for {change.for_s:.0f} s." if change.for_s else ""
            log_later(logging.ERROR, "%s Events wait in the buffer.%s%s", problem, since, lost_text(change.lost))
        elif change is not None and self._on_error is None:
            at, after = self._config.url, change.after_s
            log_later(logging.WARNING, "The gateway at %s is back after %.0f s.%s", at, after, lost_text(change.lost))

    def _late(self, event_id: str) -> AuditlaneError:
        problem = self._problem
        if problem is None:
            return DeliveryFailed(
                f"Event {event_id} was not delivered in time.",
                fix="Emit it again with the same event_id, or raise AUDITLANE_DELIVERY_TIMEOUT_MS.",
            )
        return type(problem)(f"Event {event_id} was not delivered. {problem.message}", fix=problem.fix)

    def _abandoned(self, event_id: str) -> AuditlaneError:
        if self._problem is not None:
            return self._late(event_id)
        return DeliveryFailed(
            f"Event {event_id} was not delivered before the client was closed.",
            fix="Emit it again with the same event_id, occurred_at and content: the gateway may have accepted it.",
        )


def _rejected(error: AuditlaneError, event_id: str) -> AuditlaneError:
    return type(error)(f"The gateway rejected event {event_id}: {error.message}", fix=error.fix, field=error.field)
