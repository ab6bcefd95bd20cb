"""Replays messages into another topic, at least once, with their key, value and headers unchanged."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

from auditlane.contract.kafka_client import client_config, producer_config
from auditlane.contract.librdkafka import client
from auditlane.contract.topics import TIMEOUT_S, Topic, describe, wanted
from auditlane.operations.replay.checkpoint import Progress
from auditlane.operations.replay.replay import Announce
from auditlane.operations.selection import Span
from auditlane.operations.span_reader import Chunk
from auditlane.runtime.errors import ConfigError, KafkaUnavailable
from auditlane.runtime.settings import Settings

ACKNOWLEDGED_S: Final = 60.0
_HOPELESS: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE, KafkaError.INVALID_RECORD})
_LARGER: Final = "Raise the topic's max.message.bytes, then run the command again."


class TopicTarget:
    """A `replay.Target` that writes to a topic. Messages keep their order within a key.

    A chunk is done when every message is acknowledged. After an interruption, at most one chunk is produced again.
    """

    def __init__(self, settings: Settings, topic: str, *, dry: bool) -> None:
        self._topic = topic
        self._dry = dry
        self._producer: Producer = client(Producer, producer_config(client_config(settings)))
        self._errors: list[KafkaError] = []

    def begin(self, span: Span) -> None:
        """Do nothing, since a topic needs no preparation."""

    def take(self, span: Span, chunk: Chunk, progress: Progress, announce: Announce) -> None:
        """Produce a chunk. Raises KafkaUnavailable if Kafka does not respond, and ConfigError if the topic rejects a
        message.
        """
        if not self._dry:
            for message in chunk.messages:
                self._produce(message.key(), message.value(), message.headers(), message.timestamp()[1])
            left = self._producer.flush(ACKNOWLEDGED_S)
            if any(error.code() in _HOPELESS for error in self._errors):
                raise ConfigError(f"{self._topic} rejects a message: {self._errors[0].str()}.", fix=_LARGER)
            if left or self._errors:
                why = self._errors[0].str() if self._errors else f"{left} were not acknowledged"
                raise KafkaUnavailable(
                    f"Not all messages reached {self._topic}: {why}.", fix="Run the command again to continue."
                )
        progress.counts.stored += len(chunk.messages)

    def _produce(self, key: bytes | None, value: bytes | None, headers: object, timestamp_ms: int) -> None:
        deadline = time.monotonic() + ACKNOWLEDGED_S
        while True:
            try:
                self._producer.produce(
                    self._topic,
                    key=key,
                    value=value,
                    headers=headers,  # type: ignore[arg-type]  # as consumed
                    timestamp=max(0, timestamp_ms),
                    on_delivery=self._delivered,
                )
                self._producer.poll(0)
                return
            except BufferError:
                if time.monotonic() > deadline:
                    raise KafkaUnavailable(f"The brokers do not acknowledge messages to {self._topic}.") from None
                self._producer.poll(0.05)
            except KafkaException as error:
                raise ConfigError(f"{self._topic} rejects a message: {error.args[0].str()}.") from error

    def _delivered(self, error: KafkaError | None, _message: object) -> None:
        if error is not None:
            self._errors.append(error)


def ensure_topic(settings: Settings, admin: AdminClient, source: str, name: str) -> None:
    """Create the topic if it is missing, with the partitions and options of `source`. Raises KafkaUnavailable."""
    try:
        if name in admin.list_topics(timeout=TIMEOUT_S).topics:
            return
        shape: Topic = describe(admin, Topic(source, 0, 0, wanted(settings)[0].config))
        made = NewTopic(name, shape.partitions, shape.replication, config=shape.config)
        admin.create_topics([made], operation_timeout=TIMEOUT_S)[name].result(TIMEOUT_S)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise KafkaUnavailable(f"Cannot create the topic {name}: {error.args[0].str()}.") from error
