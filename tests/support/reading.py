"""Creates topics for the SDK's tests, and reads from them."""

from __future__ import annotations

import json
import time
import uuid
from io import BytesIO
from typing import Any

import fastavro
from confluent_kafka import Consumer, Message, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from auditlane.contract.avro import base_schema
from auditlane.contract.registry import RegistryClient
from auditlane.contract.wire import unframe

PARTITIONS = 5


def create(kafka: str, topic: str, **config: str) -> None:
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1, config=config)])[topic].result(30)


def topic_with_schema(kafka: str, registry: str, topic: str) -> str:
    create(kafka, topic)
    client = RegistryClient(registry)
    client.register(f"{topic}-value", json.dumps(base_schema()))
    client.close()
    return topic


def read(kafka: str, topic: str, count: int) -> list[Message]:
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": uuid.uuid4().hex, "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    found: list[Message] = []
    deadline = time.monotonic() + 30
    try:
        while len(found) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} messages arrived"
            found += [one for one in consumer.consume(count - len(found), timeout=0.5) if one.error() is None]
    finally:
        consumer.close()
    return found


def read_all(kafka: str, topic: str) -> list[Message]:
    """Return all messages that are now in the topic."""
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": uuid.uuid4().hex})
    ends = [consumer.get_watermark_offsets(TopicPartition(topic, one), timeout=10)[1] for one in range(PARTITIONS)]
    consumer.close()
    return read(kafka, topic, sum(ends))


def read_actions(kafka: str, topic: str, count: int) -> list[str]:
    return sorted(decode(one)["action"] for one in read(kafka, topic, count))


def decode(message: Message, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    _, datum = unframe(message.value())
    return fastavro.schemaless_reader(BytesIO(bytes(datum)), fastavro.parse_schema(schema or base_schema()), None)
