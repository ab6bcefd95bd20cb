"""Reads lag, the event rate and dead letters from Kafka. Not thread-safe: only one call may run at a time."""

from __future__ import annotations

import time
from typing import Final

from auditlane.operations.dlq.followed import FollowedLetters, OpenLetters
from auditlane.operations.dlq.index import Index, Selection
from auditlane.operations.dlq.to_json import counted, to_json
from auditlane.operations.dlq.topic import Progress
from auditlane.operations.kafka_offsets import KafkaOffsets
from auditlane.operations.lag import GroupLag, PartitionLag
from auditlane.runtime.errors import Busy, KafkaUnavailable
from auditlane.runtime.settings import Settings
from auditlane.server.admin.models import DeadLetters, Rate

ASK_S: Final = 3.0  # timeout of each request for the lag
RATE_S: Final = 60.0  # period over which the rate is measured
READ_S: Final = 5.0  # time spent reading the dead-letter topic per call; the next call continues there


def require_kafka(settings: Settings) -> None:
    """Raise KafkaUnavailable if no brokers are configured."""
    if not settings.kafka_bootstrap:
        raise KafkaUnavailable(
            "No Kafka brokers are configured for this service.", fix="Set AUDITLANE_KAFKA_BOOTSTRAP for `serve`."
        )


class Workers:
    """Reads the consumer group's lag, keeping its connections between calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._group: GroupLag | None = None

    def lag(self) -> list[PartitionLag]:
        """Return the lag of every partition.

        Raises KafkaUnavailable, or NotFound if the group or a topic does not exist.
        """
        require_kafka(self._settings)
        self._group = self._group or GroupLag(self._settings, ask_s=ASK_S)
        return self._group.rows()

    def close(self) -> None:
        if self._group is not None:
            self._group.close()


class Arrivals:
    """Measures the event rate, keeping its connections between calls."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._positions: KafkaOffsets | None = None

    def rate(self) -> Rate:
        """Return the rate over the past RATE_S seconds. Raises KafkaUnavailable."""
        require_kafka(self._settings)
        self._positions = self._positions or KafkaOffsets(self._settings, ask_s=ASK_S)
        events = self._positions.count_since(time.time_ns() // 1_000_000 - int(RATE_S * 1_000))
        return Rate(seconds=RATE_S, events=events, events_per_second=events / RATE_S)

    def close(self) -> None:
        if self._positions is not None:
            self._positions.close()


class Letters:
    """Reads the dead-letter topic incrementally, so that every record is read once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._followed = FollowedLetters(settings)

    def read(self, selection: Selection, newest: int) -> DeadLetters:
        """Continue reading for READ_S seconds, and return the dead letters read so far. Raises KafkaUnavailable or
        NotFound.
        """
        index, progress = self.followed()
        found = counted(index.counts(selection), index.foreign)
        return DeadLetters.model_validate(
            found
            | progress._asdict()
            | {
                "complete": progress.read >= progress.records,
                "newest": [to_json(letter) for letter in index.newest(selection, newest)],
            }
        )

    def caught_up(self) -> Index:
        """Continue reading for READ_S seconds, and return the index once it covers the whole topic.

        Raises Busy before that, and KafkaUnavailable or NotFound.
        """
        index, progress = self.followed()
        if progress.read < progress.records:
            raise Busy(
                f"The dead letters are still being read: {progress.read} of {progress.records} records so far.",
                fix="Try again in a moment.",
            )
        return index

    def followed(self) -> tuple[Index, Progress]:
        """Continue reading for READ_S seconds, and return the index, and how much of the topic it covers."""
        require_kafka(self._settings)
        progress = self._followed.follow(READ_S)
        return self._followed.index, progress

    def open(self) -> OpenLetters | None:
        """Continue reading for READ_S seconds, and count the open letters. Returns None until all have been read once.

        Raises KafkaUnavailable or NotFound.
        """
        require_kafka(self._settings)
        return self._followed.open(READ_S)

    def close(self) -> None:
        self._followed.close()
