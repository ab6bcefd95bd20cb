"""Finds the dead-lettered offsets of a topic, from the identities in the headers of the dead-letter topic."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from confluent_kafka import Message

from auditlane.contract.dead_letter import Identity, Place, read
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.selection import Selection, Span, plan
from auditlane.operations.span_reader import SpanReader
from auditlane.operations.stored_offsets import Offsets
from auditlane.runtime.errors import NotFound
from auditlane.runtime.settings import Settings

_ROWS, _SIZE = 10_000, 16 << 20


def identity(message: Message) -> Identity | None:
    """Return the identity of the rejected message, or None for a record that another tool wrote."""
    headers: Any = message.headers() or []
    record = read(headers, Place(message.partition() or 0, message.offset() or 0), message.timestamp()[1])
    return None if record is None else record.identity


def dead_lettered(
    settings: Settings, positions: KafkaOffsets, reader: SpanReader, spans: Iterable[Span]
) -> Mapping[Span, Offsets]:
    """Return the dead-lettered offsets of each span, in ascending order and without duplicates. Each offset takes eight
    bytes of memory.

    Reads the whole dead-letter topic, since there are few letters, and a letter may be published long after its
    message.
    """
    found = {span: array("q") for span in spans}
    by_partition: defaultdict[tuple[str, int], list[Span]] = defaultdict(list)
    for span in found:
        by_partition[span.topic_id, span.partition.number].append(span)
    try:
        bounds = positions.bounds(settings.dead_letter_topic, Selection()) if found else []
    except NotFound:
        bounds = []
    for letters in plan(Selection(), bounds, below_commit=False).spans:
        for chunk in reader.chunks(letters, rows=_ROWS, size=_SIZE):
            for topic_id, number, offset in filter(None, map(identity, chunk.messages)):
                for span in by_partition.get((topic_id, number), ()):
                    if span.first <= offset < span.end:
                        found[span].append(offset)
    return {span: np.unique(np.array(offsets, dtype=np.int64)) for span, offsets in found.items()}
