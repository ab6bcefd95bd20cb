"""Kafka's messages into columns, first of all: an object a message costs more than its bytes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Message

from auditlane.worker.ranges import Columns, Partition


def columns(messages: Sequence[Message]) -> Columns:
    """Messages of one partition, in order, none of them an error."""
    offsets: Any = map(Message.offset, messages)  # None only with an error
    return Columns(
        offsets,
        [at for _, at in map(Message.timestamp, messages)],
        list(map(Message.key, messages)),
        list(map(Message.value, messages)),
    )


def columns_of(messages: Sequence[Message]) -> tuple[dict[Partition, Columns], list[Message]]:
    """(columns by partition in the order of delivery, the messages that are errors)."""
    errors = [message for message in messages if message.error() is not None]
    if errors:
        messages = [message for message in messages if message.error() is None]
    if not messages:
        return {}, errors
    at: list[Any] = list(zip(map(Message.topic, messages), map(Message.partition, messages), strict=True))
    if at.count(at[0]) == len(at):  # the rule: brokers send one partition after the other
        return {Partition(*at[0]): columns(messages)}, errors
    groups: defaultdict[Any, list[Message]] = defaultdict(list)
    for where, message in zip(at, messages, strict=True):
        groups[where].append(message)
    return {Partition(*where): columns(group) for where, group in groups.items()}, errors
