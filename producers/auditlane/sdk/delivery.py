"""Delivery to Kafka: one librdkafka producer, and the thread that serves it and reports to the tracker.

Where gevent or eventlet have replaced threads, that thread is a green one: a wait inside librdkafka would stop every
other, so it only looks, and sleeps in Python.
"""

# ruff: noqa: SLF001  librdkafka's names for its own errors begin with an underscore
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditlane.contract import librdkafka
from auditlane.runtime.errors import AuditlaneError, BufferFull, ClientClosed, DeliveryFailed, KafkaUnavailable
from auditlane.sdk import green
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.delivery_tracker import DeliveryTracker, Epoch
from auditlane.sdk.logs import say
from auditlane.sdk.outage import REPEAT_S, Away, Back, Outage
from auditlane.sdk.results import Failure

_POLL_S: Final = 0.2  # a delivery report wakes the poll; this bounds only how soon a stop is seen
_LOOK_S: Final = 0.01  # how often a green thread looks while events are on their way …
_IDLE_LOOK_S: Final = 0.05  # … and while none is
_ASK_S: Final = 1.0  # how long Kafka may take to say that it is back
_ASK_GREEN_S: Final = 0.1  # … as no green thread runs meanwhile
_MESSAGE_ROOM: Final = 65_536  # key, headers and batch beside the largest event
# `None` in place of the event's id: what concerns the connection, not one event.
OnError = Callable[[AuditlaneError, str | None], None]
# What became of one event: None when Kafka acknowledged it.
OnSettled = Callable[[AuditlaneError | None], None]


def producer_options(config: ClientConfig) -> dict[str, Any]:
    """librdkafka's options. The extra ones win, but `ClientConfig` lets none of them weaken the guarantees. Pure."""
    return {
        "bootstrap.servers": config.kafka_bootstrap,
        "client.id": "auditlane-sdk",
        **librdkafka.PRODUCER,
        "compression.type": config.compression,
        "delivery.timeout.ms": config.delivery_timeout_ms,
        "linger.ms": 5,
        "queue.buffering.max.kbytes": max(1, config.buffer_bytes // 1024),
        "queue.buffering.max.messages": 0,  # bytes alone bound the buffer
        "message.max.bytes": max(1_000_000, config.max_event_bytes + _MESSAGE_ROOM),
        **config.kafka_extra,
    }


class Delivery:
    """A producer and its poll thread. Made again by the client after a fatal error and in a forked child."""

    def __init__(self, config: ClientConfig, tracker: DeliveryTracker, on_error: OnError | None) -> None:
        """Without `on_error` errors are logged. Raises ConfigError when librdkafka refuses an option."""
        self._config = config
        self._tracker = tracker
        self._on_error = on_error
        self.fatal: AuditlaneError | None = None
        self._stopping = False
        self._outage = Outage()
        self._warned: dict[int, float] = {}  # errors that mend themselves, by code, and when they were logged last
        options = producer_options(config) | {"error_cb": self._on_kafka_error}
        logger = _LibrdkafkaLog(everything="debug" in config.kafka_extra)
        self.producer: Producer = librdkafka.client(Producer, options, logger=logger)
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
        headers: Mapping[str, str | bytes] | None = None,
    ) -> None:
        """Hand one event to librdkafka.

        Raises BufferFull when there is no room for `max_block_ms`: the event was not taken.
        """
        epoch = self._tracker.open()

        def report(error: KafkaError | None, _: Message) -> None:
            self._report(epoch, event_id, tenant, error, on_settled)

        try:
            self._hand_over(topic, key, value, dict(headers or {}), report)
        except BaseException as error:
            self._tracker.withdraw(epoch)
            if isinstance(error, KafkaException):
                raise self._explain(error.args[0], event_id) from error
            raise
        finally:
            self._tracker.handed_over(epoch)

    def _hand_over(
        self, topic: str, key: bytes, value: bytes, headers: dict[str, Any], report: Callable[..., None]
    ) -> None:
        deadline = 0.0
        while True:
            if self._stopping:
                raise ClientClosed("The audit client was closed meanwhile; the event was not sent.")
            try:
                self.producer.produce(topic, value, key, on_delivery=report, headers=headers)
                return
            except BufferError:
                now = time.monotonic()
                deadline = deadline or now + self._config.max_block_ms / 1000
                if now >= deadline or self.is_this_thread():
                    raise self._full() from None
                self._tracker.wait_for_room(min(deadline - now, 0.1))

    def is_this_thread(self) -> bool:
        """Whether the caller is the thread that makes room and reports, which nobody may let wait for itself."""
        return threading.current_thread() is self._thread

    def abandon(self) -> None:
        """Give up what Kafka has not taken: each such event is reported as failed."""
        self.producer.purge()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread once every event has its report."""
        self._stopping = True
        if not self.is_this_thread():
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        serve = self._look if green.threads() else self._poll
        while not self._stopping or len(self.producer):
            serve()
            self._mind_the_outage(time.monotonic())

    def _poll(self) -> None:
        self.producer.poll(_POLL_S)

    def _look(self) -> None:
        self.producer.poll(0)
        time.sleep(_LOOK_S if len(self.producer) else _IDLE_LOOK_S)

    def _report(
        self, epoch: Epoch, event_id: str, tenant: str, error: KafkaError | None, on_settled: OnSettled | None
    ) -> None:
        if error is None:
            self._tracker.settle(epoch, None)
            self._say(self._outage.works(time.monotonic()))
            if on_settled:
                self._call(on_settled, None)
            return
        failure = Failure(event_id, tenant, self._explain(error, event_id))
        self._tracker.settle(epoch, failure)
        if on_settled:
            self._call(on_settled, failure.error)
        if self._on_error is None and isinstance(failure.error, KafkaUnavailable):
            self._outage.lose()  # what is said of the outage counts them
        else:
            self._tell(failure.error, event_id)

    def _on_kafka_error(self, error: KafkaError) -> None:
        """librdkafka reports what concerns the connection; all of it but the two cases here mends itself."""
        if error.fatal():
            self.fatal = DeliveryFailed(
                f"The Kafka producer stopped for good: {error.str()}.", fix="The next emit makes a new one."
            )
            self._tell(self.fatal, None)
        elif error.code() in _AWAY:
            now = time.monotonic()
            if error.code() != KafkaError._ALL_BROKERS_DOWN or not self._outage.reason:
                self._outage.suspect(error.str(), now)
            self._tracker.problem = self._away(self._outage.reason)
            if error.code() == KafkaError._ALL_BROKERS_DOWN:
                self._say(self._outage.gone(now))
        elif (now := time.monotonic()) - self._warned.get(error.code(), -REPEAT_S) >= REPEAT_S:
            self._warned[error.code()] = now
            say(logging.WARNING, "Kafka: %s", error.str())

    def _mind_the_outage(self, now: float) -> None:
        """Where nothing is on its way that would tell whether Kafka is there, it is asked."""
        if self._outage.due(now) and not self._stopping:
            try:
                self.producer.list_topics(self._config.topic, timeout=_ASK_GREEN_S if green.threads() else _ASK_S)
            except KafkaException as error:
                if error.args[0].code() in _AWAY:
                    self._tracker.problem = self._away(self._outage.reason)
                    self._say(self._outage.gone(time.monotonic()))
                    return
            self._tracker.problem = None
            self._say(self._outage.works(time.monotonic()))
        else:
            self._say(self._outage.repeated(now))

    def _say(self, what: Away | Back | None) -> None:
        """To `on_error` that Kafka is away; without it to the log, also that it is back."""
        if isinstance(what, Away) and self._on_error is not None:
            self._tell(self._away(what.reason), None)
        elif isinstance(what, Away):
            since = f" It has been away for {what.for_s:.0f} s." if what.for_s else ""
            say(
                logging.ERROR, "%s Events wait in the buffer.%s%s", self._away(what.reason), since, _given_up(what.lost)
            )
        elif what is not None and self._on_error is None:
            at, after, lost = self._config.kafka_bootstrap, what.after_s, _given_up(what.lost)
            say(logging.WARNING, "Kafka at %s is back after %.0f s.%s", at, after, lost)

    def _tell(self, error: AuditlaneError, event_id: str | None) -> None:
        if self._on_error is None:
            say(logging.ERROR, "%s", error)
        else:
            self._call(self._on_error, error, event_id)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        """A function of the caller's: what it raises must not end the thread."""
        try:
            what(*arguments)
        except Exception as error:
            say(logging.ERROR, "a callback raised", error=error)

    def _full(self) -> BufferFull:
        problem = self._tracker.problem
        why = f" {problem.message}" if problem else ""
        return BufferFull(
            f"The buffer of {self._config.buffer_bytes} bytes has no room; the event was not taken.{why}",
            fix=(problem.fix + " " if problem else "")
            + "Emit again later, or raise AUDITLANE_MAX_BLOCK_MS or AUDITLANE_BUFFER_BYTES.",
        )

    def _away(self, reason: str) -> KafkaUnavailable:
        return KafkaUnavailable(
            f"Kafka at {self._config.kafka_bootstrap} is not reachable: {reason}.",
            fix="Start it, or correct AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA.",
        )

    def _explain(self, error: KafkaError, event_id: str) -> AuditlaneError:
        problem = self._tracker.problem
        if error.code() in _LATE and problem is not None:
            return KafkaUnavailable(f"Event {event_id} was not delivered. {problem.message}", fix=problem.fix)
        return DeliveryFailed(
            f"Event {event_id} was not delivered: {error.str()}.", fix=_FIXES.get(error.code(), "Emit it again.")
        )


def _given_up(lost: int) -> str:
    return f" {lost} events were given up meanwhile." if lost else ""


class _LibrdkafkaLog:
    """Takes librdkafka's log lines, on the thread that serves it; those on connections are said by the outage."""

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything

    def log(self, level: int, form: str, *values: object) -> None:
        if self._everything or not {"FAIL", "ERROR"}.intersection(values[:1]):
            say(level, form, *values)


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
_LATE: Final = frozenset({KafkaError._MSG_TIMED_OUT, KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT})
_NO_TOPIC: Final = "Create the topic: `auditlane init`, or AUDITLANE_TOPIC names another one."
_FIXES: Final[dict[int, str]] = {
    KafkaError._UNKNOWN_TOPIC: _NO_TOPIC,
    KafkaError.UNKNOWN_TOPIC_OR_PART: _NO_TOPIC,
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Grant this client WRITE and DESCRIBE on the topic.",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "Grant this client IDEMPOTENT_WRITE on the cluster.",
    KafkaError.MSG_SIZE_TOO_LARGE: "Raise the topic's max.message.bytes, or lower AUDITLANE_MAX_EVENT_BYTES.",
    KafkaError._MSG_TIMED_OUT: "Kafka is slow or away; emit it again, or raise AUDITLANE_DELIVERY_TIMEOUT_MS.",
    KafkaError._PURGE_QUEUE: "The client was closed before Kafka took it; emit it again, or close with more time.",
    KafkaError._PURGE_INFLIGHT: "The client was closed before Kafka answered; emit it again under the same event_id.",
}
