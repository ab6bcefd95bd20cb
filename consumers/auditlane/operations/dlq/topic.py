"""Reads the dead-letter topic from its start to its current end, without joining a group or committing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from typing import Any, Final, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from auditlane.contract import librdkafka
from auditlane.contract.dead_letter import Letter, Place, RawHeaders, Resolution, read
from auditlane.contract.kafka_client import client_config
from auditlane.operations.dlq.index import Index
from auditlane.runtime.errors import Conflict, KafkaUnavailable, NotFound
from auditlane.runtime.settings import Settings

ASK_S: Final = 20.0
SILENCE_S: Final = 60.0  # time without a message or end of partition after which the brokers count as unavailable
BATCH: Final = 500  # maximum number of messages, each of which may be as large as the topic allows
NEAR: Final = 2_000  # maximum number of offsets to read and skip instead of seeking
OnProgress = Callable[[int, int], None]  # (records read, records in total)


class Recreated(Conflict):
    """The topic was deleted and created again since it was last read."""


class Progress(NamedTuple):
    """The number of records read, and the total number."""

    read: int
    records: int


class Records(Protocol):
    """Receives the parsed records of the topic."""

    def add(self, records: Iterable[Letter | Resolution | None]) -> None: ...


class LetterTopic:
    """One dead-letter topic. Every method raises KafkaUnavailable if Kafka does not respond, and NotFound if the topic
    does not exist.
    """

    def __init__(self, settings: Settings) -> None:
        self.name = settings.dead_letter_topic
        self._options: dict[str, Any] = client_config(
            settings,
            **{
                "group.id": f"{settings.consumer_group}-dead-letters",  # required by the client; it commits nothing
                "client.id": "auditlane-dlq",
                **librdkafka.CONSUMER,
                "enable.partition.eof": True,
                "allow.auto.create.topics": False,
                "queued.max.messages.kbytes": 16 << 10,
                "log_level": 0,
            },
        )

    def index(self, on_progress: OnProgress = lambda _read, _all: None) -> Index:
        """Index every letter and resolution that is currently in the topic."""
        index = Index()
        with closing(librdkafka.client(Consumer, self._options)) as consumer:
            bounds = self._bounds(consumer)
            total = sum(high - low for low, high in bounds.values())
            consumer.assign([TopicPartition(self.name, number, low) for number, (low, _) in bounds.items()])
            ends = {number: high for number, (_, high) in bounds.items()}
            records = 0
            for messages in self._batches(consumer, ends):
                index.add(read(_headers(one), _place(one), one.timestamp()[1]) for one in messages)
                records += len(messages)
                on_progress(records, total)
        return index

    def follow(self, index: Records, positions: dict[int, int], *, seconds: float) -> Progress:
        """Index the records after `positions`, and advance `positions`. Reads for at most `seconds` seconds.

        Partitions without a position are read from the start. Raises Recreated if the topic was recreated.
        """
        until = time.monotonic() + seconds
        with closing(librdkafka.client(Consumer, self._options)) as consumer:
            bounds = self._bounds(consumer, ask_s=seconds)
            ends = {number: high for number, (_, high) in bounds.items()}
            if any(positions.get(number, 0) > ends.get(number, 0) for number in positions):
                raise Recreated(f"The topic {self.name} was deleted and created again: it is shorter than before.")
            start = {number: max(low, positions.get(number, low)) for number, (low, _) in bounds.items()}
            positions.update(start)
            left = {number: end for number, end in ends.items() if start[number] < end}
            consumer.assign([TopicPartition(self.name, number, start[number]) for number in left])
            for messages in self._batches(consumer, left, silence_s=seconds):
                index.add(read(_headers(one), _place(one), one.timestamp()[1]) for one in messages)
                for number, offset in map(_place, messages):
                    positions[number] = max(positions[number], offset + 1)
                if time.monotonic() >= until:
                    break
            else:
                positions.update(left)  # the last record may be a transaction marker, which is not delivered
        deleted = sum(low for low, _ in bounds.values())
        return Progress(sum(positions.values()) - deleted, sum(ends.values()) - deleted)

    def bodies(self, letters: Iterable[Letter]) -> Iterator[tuple[Letter, Message]]:
        """Yield the letters with their records, except those that Kafka no longer holds. `letters` must be in the order
        of the topic.
        """
        with closing(librdkafka.client(Consumer, self._options)) as consumer:
            bounds = self._bounds(consumer)
            for number, group in groupby(letters, key=lambda letter: letter.place.partition):
                yield from self._bodies(consumer, group, number, bounds.get(number, (0, 0)))

    def _bodies(
        self, consumer: Consumer, letters: Iterator[Letter], number: int, bounds: tuple[int, int]
    ) -> Iterator[tuple[Letter, Message]]:
        position, waiting = -1, iter(())  # type: tuple[int, Iterator[Message]]
        for letter in letters:
            at = letter.place.offset
            if not bounds[0] <= at < bounds[1]:
                continue
            if position < 0 or at - position > NEAR:
                consumer.assign([TopicPartition(self.name, number, at)])
                waiting = (one for batch in self._batches(consumer, {number: bounds[1]}) for one in batch)
            message = next((one for one in waiting if (one.offset() or 0) >= at), None)
            position = at + 1
            if message is not None and message.offset() == at:
                yield letter, message

    def _bounds(self, consumer: Consumer, *, ask_s: float = ASK_S) -> dict[int, tuple[int, int]]:
        """Return the first offset of each partition, and the one after its last."""
        try:
            topic = consumer.list_topics(self.name, timeout=ask_s).topics[self.name]
            if topic.error is not None:
                raise NotFound(
                    f"There is no topic {self.name}: {topic.error.str()}.",
                    fix="Run `auditlane init`, or set AUDITLANE_DEAD_LETTER_TOPIC.",
                )
            return {
                number: consumer.get_watermark_offsets(TopicPartition(self.name, number), timeout=ask_s)
                for number in sorted(topic.partitions)
            }
        except KafkaException as error:
            raise _away(error.args[0]) from error

    def _batches(
        self, consumer: Consumer, ends: dict[int, int], *, silence_s: float = SILENCE_S
    ) -> Iterator[Sequence[Message]]:
        """Yield the messages of the assigned partitions up to the given ends. An end may be a transaction marker."""
        left = set(ends)
        heard = time.monotonic()
        while left:
            good: list[Message] = []
            answers = consumer.consume(BATCH, 0.1)
            for message in answers:
                number, offset = _place(message)
                error = message.error()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes have this form
                        left.discard(number)
                    elif not error.retriable() and error.code() != KafkaError._TRANSPORT:  # noqa: SLF001
                        raise _away(error)
                elif number in left:
                    if offset < ends[number]:
                        good.append(message)
                    if offset + 1 >= ends[number]:
                        left.discard(number)
            if answers:
                heard = time.monotonic()
            elif time.monotonic() - heard > silence_s:
                raise KafkaUnavailable(f"The brokers sent no messages of {self.name} for {silence_s:g} s.", fix=_FIX)
            if good:
                yield good


_FIX: Final = "Check AUDITLANE_KAFKA_BOOTSTRAP and AUDITLANE_KAFKA_EXTRA, and that the brokers are running."


def _away(error: KafkaError) -> KafkaUnavailable:
    return KafkaUnavailable(f"Kafka does not respond: {error.str()}.", fix=_FIX)


def _headers(message: Message) -> RawHeaders:
    headers = message.headers() or []
    return list(headers.items()) if isinstance(headers, dict) else headers


def _place(message: Message) -> Place:
    number, offset = message.partition(), message.offset()
    return Place(-1 if number is None else number, -1 if offset is None else offset)
