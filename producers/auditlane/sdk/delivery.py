"""Delivery to Kafka: one librdkafka producer, and the thread that serves it and reports to the ledger."""

# ruff: noqa: SLF001  librdkafka's names for its own errors begin with an underscore
from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from auditlane.contract import librdkafka
from auditlane.runtime.errors import AuditlaneError, BufferFull, DeliveryFailed, KafkaUnavailable
from auditlane.sdk.config import ClientConfig
from auditlane.sdk.ledger import Ledger
from auditlane.sdk.results import Failure

_POLL_S: Final = 0.2  # a delivery report wakes the poll; this bounds only how soon a stop is seen
_MESSAGE_ROOM: Final = 65_536  # key, headers and batch beside the largest event
# `None` in place of the event's id: what concerns the connection, not one event.
OnError = Callable[[AuditlaneError, str | None], None]
# What became of one event: None when Kafka acknowledged it.
OnSettled = Callable[[AuditlaneError | None], None]
log = logging.getLogger("auditlane.sdk")


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

    def __init__(self, config: ClientConfig, ledger: Ledger, on_error: OnError) -> None:
        """Raises ConfigError when librdkafka refuses an option."""
        self._config = config
        self._ledger = ledger
        self._on_error = on_error
        self.fatal: AuditlaneError | None = None
        self._stopping = False
        options = producer_options(config) | {"error_cb": self._on_kafka_error}
        self.producer: Producer = librdkafka.client(Producer, options, logger=log)
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
        epoch = self._ledger.open()

        def report(error: KafkaError | None, _: Message) -> None:
            self._report(epoch, event_id, tenant, error, on_settled)

        try:
            self._hand_over(topic, key, value, dict(headers or {}), report)
        except BaseException as error:
            self._ledger.withdraw(epoch)
            if isinstance(error, KafkaException):
                raise self._explain(error.args[0], event_id) from error
            raise

    def _hand_over(
        self, topic: str, key: bytes, value: bytes, headers: dict[str, Any], report: Callable[..., None]
    ) -> None:
        deadline = 0.0
        while True:
            try:
                self.producer.produce(topic, value, key, on_delivery=report, headers=headers)
                return
            except BufferError:
                now = time.monotonic()
                deadline = deadline or now + self._config.max_block_ms / 1000
                if now >= deadline:
                    raise self._full() from None
                self._ledger.wait_for_room(min(deadline - now, 0.1))

    def abandon(self) -> None:
        """Give up what Kafka has not taken: each such event is reported as failed."""
        self.producer.purge()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread once every event has its report."""
        self._stopping = True
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout_s)

    def _serve(self) -> None:
        while not self._stopping or len(self.producer):
            self.producer.poll(_POLL_S)

    def _report(
        self, epoch: int, event_id: str, tenant: str, error: KafkaError | None, on_settled: OnSettled | None
    ) -> None:
        if error is None:
            self._ledger.settle(epoch, None)
            if on_settled:
                self._call(on_settled, None)
            return
        failure = Failure(event_id, tenant, self._explain(error, event_id))
        self._ledger.settle(epoch, failure)
        if on_settled:
            self._call(on_settled, failure.error)
        self._tell(failure.error, event_id)

    def _on_kafka_error(self, error: KafkaError) -> None:
        """librdkafka reports what concerns the connection; all of it but the two cases here mends itself."""
        if error.fatal():
            self.fatal = DeliveryFailed(
                f"The Kafka producer stopped for good: {error.str()}.", fix="The next emit makes a new one."
            )
            self._tell(self.fatal, None)
        elif error.code() in _AWAY:
            self._ledger.problem = problem = self._away(error)
            self._tell(problem, None)
        else:
            log.warning("Kafka: %s", error.str())

    def _tell(self, error: AuditlaneError, event_id: str | None) -> None:
        self._call(self._on_error, error, event_id)

    def _call(self, what: Callable[..., None], *arguments: object) -> None:
        """A function of the caller's: what it raises must not end the thread."""
        try:
            what(*arguments)
        except Exception:
            log.exception("a callback raised")

    def _full(self) -> BufferFull:
        problem = self._ledger.problem
        why = f" {problem.message}" if problem else ""
        return BufferFull(
            f"The buffer of {self._config.buffer_bytes} bytes has no room; the event was not taken.{why}",
            fix=(problem.fix + " " if problem else "")
            + "Emit again later, or raise AUDITLANE_MAX_BLOCK_MS or AUDITLANE_BUFFER_BYTES.",
        )

    def _away(self, error: KafkaError) -> KafkaUnavailable:
        return KafkaUnavailable(
            f"Kafka at {self._config.kafka_bootstrap} is not reachable: {error.str()}.",
            fix="Start it, or correct AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA.",
        )

    def _explain(self, error: KafkaError, event_id: str) -> AuditlaneError:
        problem = self._ledger.problem
        if error.code() in _LATE and problem is not None:
            return KafkaUnavailable(f"Event {event_id} was not delivered. {problem.message}", fix=problem.fix)
        return DeliveryFailed(
            f"Event {event_id} was not delivered: {error.str()}.", fix=_FIXES.get(error.code(), "Emit it again.")
        )


_AWAY: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
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
