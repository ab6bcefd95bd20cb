"""Runs FastStream's Confluent broker with batches that are acknowledged after the insert."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from common import task
from faststream import AckPolicy, FastStream
from faststream.confluent import KafkaBroker, KafkaMessage

mine = task()
broker = KafkaBroker(mine.bootstrap, logger=None)
app = FastStream(broker, logger=None)


async def raw(message: Any) -> Any:
    return message.body


@broker.subscriber(
    mine.topic,
    group_id=mine.group,
    auto_offset_reset="earliest",
    batch=True,
    max_records=10_000,
    ack_policy=AckPolicy.MANUAL,
    decoder=raw,
)
async def handle(values: list[bytes], message: KafkaMessage) -> None:
    mine.first()
    for record in message.raw_message:
        at = datetime.fromtimestamp(record.timestamp()[1] / 1_000, UTC)
        mine.take(mine.row(record.key(), record.value(), record.partition(), record.offset(), at))
    await asyncio.to_thread(mine.insert)
    await message.ack()
    if mine.done:
        mine.finish()


asyncio.run(app.run())
