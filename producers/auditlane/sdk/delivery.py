"""Delivers events to Kafka. A librdkafka producer sends them, and a thread polls it and reports to the tracker.

Under gevent and eventlet, that thread is a green thread. Blocking inside librdkafka would then stop all other threads,
so it polls without waiting and sleeps in Python.
"""

# ruff: noqa: SLF001  librdkafka's names for its own errors start with an underscore
from __future__ import annotations

import ctypes
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditlane.contract import librdkafka
from auditlane.contract.tenants import tenant_of_key
from auditlane.runtime.errors import AuditlaneError, ClientClosed, DeliveryFailed, KafkaUnavailable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.logs import log_later
from auditlane.sdk.outage import REPEAT_S, Away, Back, Outage, lost_text
from auditlane.sdk.plain_encoding import event_id_of
from auditlane.sdk.results import Failure
from auditlane.sdk.transport import Message as Batched
from auditlane.sdk.transport import (
    NotOffered,
    OnBatch,
    OnError,
    OnSettled,
    Receiver,
    Refused,
    Undelivered,
    call,
    report_error,
    threads_are_green,
    wait_for_room,
)

if TYPE_CHECKING:
    from auditlane.sdk.spool.event import Event

_LINGER_MS: Final = 5  # how long a batch waits for more events
_DURABLE_LINGER_MS: Final = 20  # the same for events that are on disk; larger batches interrupt `emit` less often
_POLL_S: Final = 0.2  # delivery reports end a poll early, so this bounds only how soon `stop` is noticed
_SETTLE_S: Final = 0.02  # time limit of a poll while the receiver has events to settle
_GREEN_POLL_S: Final = 0.01  # a green thread's poll interval while events are in flight
_GREEN_IDLE_S: Final = 0.05  # a green thread's poll interval while no events are in flight
_PROBE_S: Final = 1.0  # time limit for checking whether Kafka is back
_GREEN_PROBE_S: Final = 0.1  # time limit for that check where it blocks all green threads
_STOPPED: Final = "The audit client was closed while the event waited for room; it was not sent."
_MESSAGE_OVERHEAD: Final = 65_536  # in bytes, for key, headers and batch, besides the largest event


def producer_options(config: ClientConfig) -> dict[str, Any]:
    """Return librdkafka's options for an idempotent producer that waits for all in-sync replicas.

    `kafka_extra` takes precedence. ClientConfig has rejected options that weaken guarantees.
    """
    return {
        "bootstrap.servers": config.kafka_bootstrap,
        "client.id": "auditlane-sdk",
        **librdkafka.PRODUCER,
        "compression.type": config.compression,
        "delivery.timeout.ms": config.delivery_timeout_ms,
        "linger.ms": _DURABLE_LINGER_MS if config.delivery_mode == "durable" else _LINGER_MS,
        "queue.buffering.max.kbytes": max(1, config.buffer_bytes // 1024),
        "queue.buffering.max.messages": 0,  # the buffer is limited only in bytes
        "message.max.bytes": max(1_000_000, config.max_event_bytes + _MESSAGE_OVERHEAD),
        **config.kafka_extra,
    }


class KafkaDelivery:
    """A producer and its poll thread. The publisher replaces them after a fatal error and in a forked child."""

    def __init__(
        self,
        config: ClientConfig,
        tracker: DeliveryTracker,
        on_error: OnError | None,
        receiver: Receiver | None = None,
    ) -> None:
        """Start the producer. Without `on_error`, log errors. Raises ConfigError if librdkafka rejects an option."""
        self._config = config
        self._tracker = tracker
        self._on_error = on_error
        self._receiver = receiver
        self.fatal: AuditlaneError | None = None
        self._stopping = False
        self._outage = Outage()
        self._warned: dict[int, float] = {}  # when each transient error, by code, was last logged
        options = producer_options(config) | {"error_cb": self._on_kafka_error}
        logger = _LibrdkafkaLog(everything="debug" in config.kafka_extra)
        self.producer: Producer = librdkafka.client(Producer, options, logger=logger)
        # This and the next are only used by the thread that polls.
        self._acknowledged: list[_SharedReport | _BatchReport] = []
        self._on_report = self._reported  # one bound method for all events
        self._offered: list[Event] = []  # offered events that Kafka has acknowledged since the last poll
        self._shared = _SharedReport(Epoch(), self._acknowledged, self._fail)
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
        """Hand one event to librdkafka. `plain` means that `plain_encoding` encoded the value, and nobody waits for
        this event.

        Raises BufferFull if the buffer stays full for `max_block_ms`. The event was then not accepted.
        """
        tracker, size = self._tracker, len(value)
        epoch = tracker.open(size)
        report: Callable[[KafkaError | None, Message], None]
        if plain:  # one object for all events in flight, which also saves work for the garbage collector
            shared = self._shared
            if shared.epoch is not epoch:
                self._shared = shared = _SharedReport(epoch, self._acknowledged, self._fail)
            report = shared.receive
        else:
            report = partial(self._report, epoch, event_id, tenant, size, on_settled)
        deadline = 0.0
        try:
            while True:
                if self._stopping:
                    raise ClientClosed(_STOPPED)
                try:
                    # Keywords would take a quarter longer: partition, callback, its other name, timestamp, headers.
                    self.producer.produce(topic, value, key, -1, report, None, 0, headers)
                    return
                except BufferError:
                    deadline = wait_for_room(self._config, tracker, deadline, may_wait=not self.is_this_thread())
        except BaseException as error:
            tracker.withdraw(epoch, size)
            if isinstance(error, KafkaException):
                raise self._explain(error.args[0], event_id) from error
            raise
        finally:
            tracker.handed_over(epoch)

    def produce_all(self, messages: Sequence[Batched], on_batch: OnBatch) -> list[Refused]:
        """Hand a batch of events to librdkafka, as described in `Delivery`. They share one delivery report."""
        tracker, produce = self._tracker, self.producer.produce
        try:
            epoch = tracker.open_all(len(messages), sum(len(message[2]) for message in messages))
        except ClientClosed as error:
            return [(index, error) for index in range(len(messages))]
        refused: list[Refused] = []
        receive = _BatchReport(epoch, on_batch, self._acknowledged, self._fail_in_batch).receive
        deadline = 0.0
        for index, message in enumerate(messages):
            topic, key, value, headers, event_id, _ = message
            try:
                while True:
                    if self._stopping:
                        raise ClientClosed(_STOPPED)
                    try:
                        produce(topic, value, key, -1, partial(receive, index), None, 0, headers)
                        break
                    except BufferError:
                        deadline = wait_for_room(self._config, tracker, deadline, may_wait=not self.is_this_thread())
            except (AuditlaneError, KafkaException) as error:
                tracker.withdraw(epoch, len(value))
                explained = self._explain(error.args[0], event_id) if isinstance(error, KafkaException) else error
                refused.append((index, explained))
            except BaseException:
                for unsent in messages[index:]:
                    tracker.withdraw(epoch, len(unsent[2]))
                    tracker.handed_over(epoch)
                raise
            if epoch.in_hand:
                tracker.handed_over(epoch)
        return refused

    def _fail_in_batch(self, epoch: Epoch, on_settled: OnSettled, message: Message, error: KafkaError) -> None:
        value, key = message.value() or b"", message.key() or b""
        self._report(epoch, event_id_of(value), tenant_of_key(key), len(value), on_settled, error, message)

    def offer(self, event: Event) -> None:
        """Hand one event to librdkafka, as described in `Delivery`."""
        headers, event.reported = event.headers, self._on_report
        given: dict[str, Any] | None = None
        if headers:  # the producer accepts no other Mapping
            given = headers if type(headers) is dict else {**headers}
        try:
            self.producer.produce(event.topic, event.value, event.key, -1, event, None, 0, given)
        except KafkaException as error:
            raise NotOffered(self._undelivered(error.args[0])) from error

    def _reported(self, event: Event, error: KafkaError | None) -> None:
        if error is None:
            self._offered.append(event)
            return
        assert self._receiver is not None
        self._receiver.undelivered(event, self._undelivered(error))

    def _undelivered(self, error: KafkaError) -> Undelivered:
        return Undelivered(partial(self._explain, error), "Kafka" if error.code() in _PERMANENT else "")

    def is_this_thread(self) -> bool:
        """Return whether the caller runs on the poll thread, which frees the buffer and therefore must never wait for
        it.
        """
        return threading.current_thread() is self._thread

    def abandon(self) -> None:
        """Drop the events that Kafka has not acknowledged. Each is reported as failed."""
        self.producer.purge()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Stop the thread once every event has its delivery report."""
        self._stopping = True
        if not self.is_this_thread():
            self._thread.join(timeout_s)

    def leave_to_parent(self) -> None:
        """Leak the producer on purpose, in a forked child: destroying it would wait for threads that exist only in the
        parent.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self.producer))

    def _serve(self) -> None:
        poll = self._poll_green if threads_are_green() else self._poll
        while not self._stopping or len(self.producer) or self._unsettled():
            poll()
            if self._acknowledged or self._offered or self._unsettled():
                self._settle_acknowledged()
            self._check_outage(time.monotonic())

    def _poll(self) -> None:
        self.producer.poll(_SETTLE_S if self._unsettled() else _POLL_S)

    def _poll_green(self) -> None:
        self.producer.poll(0)
        time.sleep(_GREEN_POLL_S if len(self.producer) else _GREEN_IDLE_S)

    def _unsettled(self) -> bool:
        return self._receiver is not None and self._receiver.unsettled

    def _settle_acknowledged(self) -> None:
        """Settle the events that the last poll has reported as acknowledged."""
        for report in self._acknowledged:
            report.settle(self._tracker)
        self._acknowledged.clear()
        events, self._offered = self._offered, []
        if self._receiver is not None and (events or self._receiver.unsettled):
            self._receiver.acknowledged(events)
        if self._outage.possible:
            self._report_outage(self._outage.recovered(time.monotonic()))

    def _fail(self, epoch: Epoch, message: Message, error: KafkaError) -> None:
        """Handle the failure of an event whose value `plain_encoding` encoded."""
        value, key = message.value() or b"", message.key() or b""
        self._report(epoch, event_id_of(value), tenant_of_key(key), len(value), None, error, message)

    def _report(
        self,
        epoch: Epoch,
        event_id: str,
        tenant: str,
        size: int,
        on_settled: OnSettled | None,
        error: KafkaError | None,
        message: Message,
    ) -> None:
        if error is None:
            self._tracker.settle(epoch, None, size)
            if self._outage.possible:
                self._report_outage(self._outage.recovered(time.monotonic()))
            if on_settled:
                call(on_settled, None)
            return
        failure = Failure(event_id, tenant, self._explain(error, event_id))
        self._tracker.settle(epoch, failure, size)
        if on_settled:
            call(on_settled, failure.error)
        if self._on_error is None and isinstance(failure.error, KafkaUnavailable):
            self._outage.count_lost()  # so that the outage's log messages include this event
        else:
            report_error(self._on_error, failure.error, event_id)

    def _on_kafka_error(self, error: KafkaError) -> None:
        """Handle a connection error, which is transient unless it is fatal or part of an outage."""
        if error.fatal():
            self.fatal = DeliveryFailed(
                f"The Kafka producer stopped after a fatal error: {error.str()}.",
                fix="Emit again; the next event starts a new producer.",
            )
            report_error(self._on_error, self.fatal, None)
        elif error.code() in _AWAY:
            now = time.monotonic()
            if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._outage.reason:
                self._outage.suspect(error.str(), now)
            self._tracker.problem = self._away(self._outage.reason)
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                self._report_outage(self._outage.unreachable(now))
        elif (now := time.monotonic()) - self._warned.get(error.code(), -REPEAT_S) >= REPEAT_S:
            self._warned[error.code()] = now
            log_later(logging.WARNING, "Kafka: %s", error.str())

    def _check_outage(self, now: float) -> None:
        """Probe Kafka from time to time during an outage. Without events in flight, nothing else would show that it is
        back.
        """
        if self._outage.is_probe_due(now) and not self._stopping:
            try:
                timeout_s = _GREEN_PROBE_S if threads_are_green() else _PROBE_S
                self.producer.list_topics(self._config.topic, timeout=timeout_s)
            except KafkaException as error:
                if error.args[0].code() in _AWAY:
                    self._tracker.problem = self._away(self._outage.reason)
                    self._report_outage(self._outage.unreachable(time.monotonic()))
                    return
            self._tracker.problem = None
            self._report_outage(self._outage.recovered(time.monotonic()))
        else:
            self._report_outage(self._outage.reminder(now))

    def _report_outage(self, change: Away | Back | None) -> None:
        """Report an outage to `on_error`. Without `on_error`, log the outage and the recovery."""
        if isinstance(change, Away) and self._on_error is not None:
            report_error(self._on_error, self._away(change.reason), None)
        elif isinstance(change, Away):
            since = f" It has been unreachable for {change.for_s:.0f} s." if change.for_s else ""
            error, lost = self._away(change.reason), lost_text(change.lost)
            log_later(logging.ERROR, "%s Events wait in the buffer.%s%s", error, since, lost)
        elif change is not None and self._on_error is None:
            at, after, lost = self._config.kafka_bootstrap, change.after_s, lost_text(change.lost)
            log_later(logging.WARNING, "Kafka at %s is back after %.0f s.%s", at, after, lost)

    def _away(self, reason: str) -> KafkaUnavailable:
        return KafkaUnavailable(
            f"Kafka at {self._config.kafka_bootstrap} is not reachable: {reason}.",
            fix="Start Kafka, or correct AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA.",
        )

    def _explain(self, error: KafkaError, event_id: str) -> AuditlaneError:
        problem = self._tracker.problem
        if error.code() in _LATE and problem is not None:
            return KafkaUnavailable(f"Event {event_id} was not delivered. {problem.message}", fix=problem.fix)
        return DeliveryFailed(
            f"Event {event_id} was not delivered: {error.str()}.", fix=_FIXES.get(error.code(), "Emit it again.")
        )


class _SharedReport:
    """Receives the delivery reports of an epoch's events, and counts those that Kafka has acknowledged since the last
    poll.
    """

    __slots__ = ("_acknowledged", "_fail", "count", "epoch", "receive", "size")

    def __init__(
        self,
        epoch: Epoch,
        acknowledged: list[_SharedReport | _BatchReport],
        fail: Callable[[Epoch, Message, KafkaError], None],
    ) -> None:
        self.epoch = epoch
        self._acknowledged = acknowledged
        self._fail = fail
        self.count = 0
        self.size = 0  # bytes
        self.receive = self._receive  # one bound method for all events

    def _receive(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._fail(self.epoch, message, error)
            return
        if not self.count:
            self._acknowledged.append(self)
        self.count += 1
        self.size += len(message)

    def settle(self, tracker: DeliveryTracker) -> None:
        """Count the events that Kafka has acknowledged since the last poll."""
        tracker.settle_all(self.epoch, self.count, self.size)
        self.count = self.size = 0


class _BatchReport:
    """Receives the delivery reports of a batch's events, and passes on those that Kafka has acknowledged after each
    poll.
    """

    __slots__ = ("_acknowledged", "_epoch", "_fail", "_indexes", "_on_batch", "_size")

    def __init__(
        self,
        epoch: Epoch,
        on_batch: OnBatch,
        acknowledged: list[_SharedReport | _BatchReport],
        fail: Callable[[Epoch, OnSettled, Message, KafkaError], None],
    ) -> None:
        self._epoch = epoch
        self._on_batch = on_batch
        self._acknowledged = acknowledged
        self._fail = fail
        self._indexes: list[int] = []
        self._size = 0  # bytes

    def receive(self, index: int, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._fail(self._epoch, partial(self._on_batch.settle, index), message, error)
            return
        if not self._indexes:
            self._acknowledged.append(self)
        self._indexes.append(index)
        self._size += len(message)

    def settle(self, tracker: DeliveryTracker) -> None:
        """Record the events that Kafka has acknowledged since the last poll."""
        indexes, size = self._indexes, self._size
        self._indexes, self._size = [], 0
        tracker.settle_all(self._epoch, len(indexes), size)
        call(self._on_batch.acknowledged, indexes)


class _LibrdkafkaLog:
    """Receives librdkafka's log lines on the poll thread. Lines about connections are dropped, since outages are
    reported separately.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything

    def log(self, level: int, form: str, *values: object) -> None:
        if self._everything or not {"FAIL", "ERROR"}.intersection(values[:1]):
            log_later(level, form, *values)


_AWAY: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
    }
)
# Errors that a message would get every time. All others may be temporary.
_PERMANENT: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG, KafkaError.INVALID_RECORD})
_LATE: Final = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_NO_TOPIC: Final = "Create the topic with `auditlane init`, or correct AUDITLANE_TOPIC."
_FIXES: Final[dict[int, str]] = {
    KafkaError._UNKNOWN_TOPIC: _NO_TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART: _NO_TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Grant this client WRITE and DESCRIBE on the topic.",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Grant this client IDEMPOTENT_WRITE on the cluster.",
    KafkaError.MSG_SIZE_TOO_LARGE: "Raise the topic's max.message.bytes, or lower AUDITLANE_MAX_EVENT_BYTES.",
    KafkaError._MSG_TIMED_OUT: "Emit it again once Kafka responds, or raise AUDITLANE_DELIVERY_TIMEOUT_MS.",
    KafkaError._PURGE_QUEUE: "Emit it again, and close the client with a longer timeout.",
    KafkaError._PURGE_INFLIGHT: "Emit it again with the same event_id: Kafka may have stored it before the close.",
}
