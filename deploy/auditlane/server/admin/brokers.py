"""Reads lag, the rate of events, and dead letters from Kafka. Not thread-safe: one call at a time."""

from __future__ import annotations

import time
from typing import Final

from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.to_json import counted, to_json
from auditlane.operations.dlq.topic import LetterTopic, Recreated
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.lag import GroupLag, document
from auditlane.runtime.errors import KafkaUnavailable
from auditlane.runtime.settings import Settings
from auditlane.server.admin.models import DeadLetters, Lag, Rate

ASK_S: Final = 3.0  # timeout of each request that the lag requires
RATE_S: Final = 60.0  # period over which the rate is measured
READ_S: Final = 5.0  # time spent reading the dead-letter topic per call; the next call continues there


def require_kafka(settings: Settings) -> None:
    """Raise KafkaUnavailable if no brokers are configured."""
    if not settings.kafka_bootstrap:
        raise KafkaUnavailable(
            "No Kafka brokers are configured for this service.", fix="Set AUDITLANE_KAFKA_BOOTSTRAP for `serve`."
        )


class Workers:
    """Reads the consumer group's lag; keeps its connections between calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group: GroupLag | None = None

    def lag(self) -> Lag:
        """Return the lag. Raises KafkaUnavailable, and NotFound if the group or a topic does not exist."""
        require_kafka(self._settings)
        self._group = self._group or GroupLag(self._settings, ask_s=ASK_S)
        return Lag.model_validate(document(self._settings.consumer_group, self._group.rows()))

    def close(self) -> None:
        if self._group is not None:
            self._group.close()


class Arrivals:
    """Measures the rate of events; keeps its connections between calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._positions: KafkaOffsets | None = None

    def rate(self) -> Rate:
        """Return the rate over the past RATE_S. Raises KafkaUnavailable."""
        require_kafka(self._settings)
        self._positions = self._positions or KafkaOffsets(self._settings, ask_s=ASK_S)
        events = self._positions.count_since(time.time_ns() // 1_000_000 - int(RATE_S * 1_000))
        return Rate(seconds=RATE_S, events=events, events_per_second=events / RATE_S)

    def close(self) -> None:
        if self._positions is not None:
            self._positions.close()


class Letters:
    """Reads the dead-letter topic incrementally: no record is read twice."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index = Index()
        self._positions: dict[int, int] = {}

    def read(self, selection: Selection, newest: int) -> DeadLetters:
        """Read on for READ_S, then return the dead letters read so far. Raises KafkaUnavailable or NotFound."""
        require_kafka(self._settings)
        topic = LetterTopic(self._settings)
        try:
            progress = topic.follow(self._index, self._positions, seconds=READ_S)
        except Recreated:
            self._index.close()
            self._index, self._positions = Index(), {}
            progress = topic.follow(self._index, self._positions, seconds=READ_S)
        found = counted(self._index.counts(selection), self._index.foreign)
        return DeadLetters.model_validate(
            found
            | progress._asdict()
            | {
                "complete": progress.read >= progress.records,
                "newest": [to_json(letter) for letter in self._index.newest(selection, newest)],
            }
        )

    def close(self) -> None:
        self._index.close()
