"""What Kafka knows of the workers' lag and of dead letters. Not thread-safe: one question at a time."""

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

ASK_S: Final = 3.0  # for each of the few answers that the lag is made of
RATE_S: Final = 60.0  # what the rate of arriving events is taken over
READ_S: Final = 5.0  # of the dead-letter topic at a time; the next question goes on from there


def require_kafka(settings: Settings) -> None:
    """Raise KafkaUnavailable where the settings do not say where Kafka is."""
    if not settings.kafka_bootstrap:
        raise KafkaUnavailable(
            "This service was not told where Kafka is.", fix="Set AUDITLANE_KAFKA_BOOTSTRAP where `serve` runs."
        )


class Workers:
    """The consumer group's lag; keeps its connections between questions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group: GroupLag | None = None

    def lag(self) -> Lag:
        """Raises KafkaUnavailable, NotFound when there is no such group or topic."""
        require_kafka(self._settings)
        self._group = self._group or GroupLag(self._settings, ask_s=ASK_S)
        return Lag.model_validate(document(self._settings.consumer_group, self._group.rows()))

    def close(self) -> None:
        if self._group is not None:
            self._group.close()


class Arrivals:
    """What arrived lately; keeps its connections between questions."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._positions: KafkaOffsets | None = None

    def rate(self) -> Rate:
        """Raises KafkaUnavailable."""
        require_kafka(self._settings)
        self._positions = self._positions or KafkaOffsets(self._settings, ask_s=ASK_S)
        events = self._positions.count_since(time.time_ns() // 1_000_000 - int(RATE_S * 1_000))
        return Rate(seconds=RATE_S, events=events, events_per_second=events / RATE_S)

    def close(self) -> None:
        if self._positions is not None:
            self._positions.close()


class Letters:
    """The dead-letter topic, followed; what was read is not read again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index = Index()
        self._positions: dict[int, int] = {}

    def look(self, selection: Selection, newest: int) -> DeadLetters:
        """Read on for some seconds at most, then answer from what is known. Raises KafkaUnavailable, NotFound."""
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
                "newest": [to_json(one) for one in self._index.newest(selection, newest)],
            }
        )

    def close(self) -> None:
        self._index.close()
