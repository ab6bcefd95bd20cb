"""Reads spans of partitions as chunks of bounded size. It reads by assignment, so it neither joins a group nor
commits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from auditlane.contract import librdkafka
from auditlane.contract.brokers import out_of_range
from auditlane.contract.kafka_client import client_config
from auditlane.contract.kafka_messages import columns
from auditlane.contract.message_columns import Columns
from auditlane.operations.selection import Span
from auditlane.runtime.errors import Halted, KafkaUnavailable
from auditlane.runtime.settings import Settings

BATCH: Final = 10_000
WAIT_S: Final = 0.1
PATIENCE_S: Final = 60.0  # time without a message or end of partition after which the brokers count as unavailable
_UNUSED_GROUP: Final = (
    "auditlane-reader"  # librdkafka requires a name; the client neither joins the group nor commits to it
)


@dataclass(frozen=True, slots=True)
class Chunk:
    """All messages with offsets from `first` (inclusive) to `end` (exclusive). There may be offsets without a
    message.
    """

    first: int
    end: int
    messages: list[Message]

    def columns(self, keep: Any = None) -> Columns:
        """Return the messages as columns. If `keep` is given, only the messages marked in it are returned."""
        kept = self.messages if keep is None else [one for one, yes in zip(self.messages, keep, strict=True) if yes]
        return columns(kept)


class SpanReader:
    """Reads one span at a time. Its memory use is limited to one chunk and librdkafka's queue of `queue_kb`."""

    def __init__(self, settings: Settings, *, queue_kb: int = 32 << 10) -> None:
        options: dict[str, Any] = {
            "group.id": _UNUSED_GROUP,
            "client.id": "auditlane-reader",
            **librdkafka.CONSUMER,
            "enable.partition.eof": True,
            "allow.auto.create.topics": False,
            "queued.max.messages.kbytes": queue_kb,
            "fetch.queue.backoff.ms": 10,
        }
        self._consumer = librdkafka.client(
            Consumer, client_config(settings, **options), logger=logging.getLogger("librdkafka")
        )

    def close(self) -> None:
        self._consumer.close()

    def chunks(self, span: Span, *, rows: int, size: int) -> Iterator[Chunk]:
        """Yield the messages of the span in order, in chunks that cover the span without gaps.

        A chunk ends at `rows` messages or `size` bytes of keys and values. Raises KafkaUnavailable, and Halted if Kafka
        deleted part of the span in the meantime.
        """
        first, held, bytes_held = span.first, [], 0
        for message in self._messages(span):
            held.append(message)
            bytes_held += len(message) + len(message.key() or b"")
            if len(held) >= rows or bytes_held >= size:
                end: int = message.offset() + 1  # type: ignore[operator]
                yield Chunk(first, end, held)
                first, held, bytes_held = end, [], 0
        if first < span.end:
            yield Chunk(first, span.end, held)

    def _messages(self, span: Span) -> Iterator[Message]:
        if span.first >= span.end:
            return
        at = TopicPartition(span.partition.topic, span.partition.number, span.first)
        self._consumer.assign([at])
        heard = time.monotonic()
        while True:
            for message in self._consumer.consume(BATCH, WAIT_S):
                heard = time.monotonic()
                offset: int = message.offset()  # type: ignore[assignment]
                if message.error() is not None:
                    if _ended(message, span):
                        return
                elif offset >= span.end:
                    return
                else:
                    yield message
                    if offset == span.end - 1:
                        return
                    heard = time.monotonic()
            if time.monotonic() - heard > PATIENCE_S:
                raise KafkaUnavailable(f"The brokers sent nothing from {span.partition} for {PATIENCE_S:g} s.")


def _ended(message: Message, span: Span) -> bool:
    """Return whether an error event marks the partition's end. Raises an error if the span cannot be read."""
    error = message.error()
    assert error is not None
    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes have this form
        if (message.offset() or 0) < span.end:
            raise Halted(
                f"{span.partition} ends at offset {message.offset()}, but reached {span.end} before: it was truncated."
            )
        return True
    if out_of_range(error):
        raise Halted(
            f"Kafka no longer holds all of the offsets {span.first}-{span.end - 1} of {span.partition}.",
            fix="Run the command again: it begins at the first offset that Kafka still holds.",
        )
    if error.fatal():
        raise KafkaUnavailable(f"{span.partition} cannot be read: {error.str()}.")
    return False
