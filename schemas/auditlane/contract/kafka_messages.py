"""Converts Kafka messages to columns as early as possible, since one object per message uses more memory than the
message itself.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Any

from confluent_kafka import Message

from auditlane.contract.message_columns import Columns
from auditlane.contract.partition import Partition
from auditlane.contract.provenance import signature_of
from auditlane.contract.schema_guids import prepend_guid


def columns(messages: Sequence[Message]) -> Columns:
    """Convert messages of one partition, in order and without errors."""
    times = chain.from_iterable(map(Message.timestamp, messages))  # a pair (type, time) per message
    offsets: Any = map(Message.offset, messages)  # an offset is None only for an error
    headers: list[Any] = list(map(Message.headers, messages))
    return Columns(
        array("q", list(offsets)),
        array("q", list(times)[1::2]),
        list(map(Message.key, messages)),
        list(map(Message.value, messages)) if not any(headers) else _values(messages, headers),
        [found and signature_of(found) for found in headers] if any(headers) else None,
    )


def _values(messages: Sequence[Message], headers: Sequence[Any]) -> list[Any]:
    return [prepend_guid(message.value(), found or ()) for message, found in zip(messages, headers, strict=True)]


def columns_of(messages: Sequence[Message]) -> tuple[dict[Partition, Columns], list[Message]]:
    """Return the messages of each partition as columns, in order of delivery, and the messages that are errors.

    If a message's header contains a schema GUID, the GUID is prepended to the value.
    """
    errors = [message for message in messages if message.error() is not None]
    if errors:
        messages = [message for message in messages if message.error() is None]
    if not messages:
        return {}, errors
    topics: list[Any] = list(map(Message.topic, messages))
    numbers: list[Any] = list(map(Message.partition, messages))
    if topics.count(topics[0]) == numbers.count(numbers[0]) == len(messages):  # the usual case
        return {Partition(topics[0], numbers[0]): columns(messages)}, errors
    groups: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
    for topic, number, message in zip(topics, numbers, messages, strict=True):
        groups[topic, number].append(message)
    return {Partition(*where): columns(group) for where, group in groups.items()}, errors
