"""The loop that most people write first: confluent-kafka, fastavro and pydantic, with an insert per row, and then a
commit.
"""

from __future__ import annotations

from datetime import UTC, datetime

from common import task
from confluent_kafka import Consumer

mine = task()
consumer = Consumer(
    {
        "bootstrap.servers": mine.bootstrap,
        "group.id": mine.group,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
)
consumer.subscribe([mine.topic])
while not mine.done:
    for message in consumer.consume(1_000, 1.0):
        mine.first()
        at = datetime.fromtimestamp(message.timestamp()[1] / 1_000, UTC)
        row = mine.row(message.key(), message.value(), message.partition(), message.offset(), at)
        if mine.take(row):
            mine.insert()
            consumer.commit(asynchronous=False)
mine.finish()
