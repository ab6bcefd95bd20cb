"""Runs sentry-arroyo in one process. It decodes each message, batches the rows, inserts them and commits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from arroyo import Topic
from arroyo.backends.kafka import KafkaConsumer, KafkaPayload
from arroyo.backends.kafka.configuration import build_kafka_consumer_configuration
from arroyo.commit import IMMEDIATE
from arroyo.processing.processor import StreamProcessor
from arroyo.processing.strategies import BatchStep, CommitOffsets, ProcessingStrategy, RunTask
from arroyo.processing.strategies.abstract import ProcessingStrategyFactory
from arroyo.types import BrokerValue, Commit, Message, Partition
from common import ROWS, task

mine = task()


def decode(message: Message[KafkaPayload]) -> Any:
    mine.first()
    value = message.value
    assert isinstance(value, BrokerValue)
    payload = value.payload
    row = mine.row(payload.key or b"", payload.value, value.partition.index, value.offset, value.timestamp)
    mine.take(row)
    return True


def insert(message: Message[Any]) -> Any:
    mine.insert()
    return message.payload


class Factory(ProcessingStrategyFactory[KafkaPayload]):
    def create_with_partitions(
        self, commit: Commit, partitions: Mapping[Partition, int]
    ) -> ProcessingStrategy[KafkaPayload]:
        def committing(offsets: Mapping[Partition, int], force: bool = False) -> None:
            commit(offsets, force=True)
            if mine.done and not mine.rows:
                mine.finish()

        batches = BatchStep(ROWS, 1.0, RunTask(insert, CommitOffsets(committing)))
        return RunTask(decode, batches)


consumer = KafkaConsumer(
    build_kafka_consumer_configuration(
        {}, bootstrap_servers=[mine.bootstrap], group_id=mine.group, auto_offset_reset="earliest"
    )
)
StreamProcessor(consumer, Topic(mine.topic), Factory(), IMMEDIATE).run()
