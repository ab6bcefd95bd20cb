"""Metrics of the consumer group and the dead letters, read from Kafka, so that they remain available when all workers
are gone.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

from auditlane.operations.dlq.followed import OpenLetters
from auditlane.operations.lag import PartitionLag
from auditlane.runtime.instruments import gauge_family

FRESH_S: Final = 15.0  # maximum age of a reading that is reused
LETTERS_S: Final = 5.0  # time limit for reading dead letters; the next reading continues where this one stopped
Reading = Literal["lag", "dead_letters"]


@dataclass(frozen=True, slots=True)
class TopicLag:
    """Sums over the partitions that share a label. `age_s` is the highest age among them."""

    partitions: int = 0
    unassigned: int = 0
    failing: int = 0
    lag: int = 0
    age_s: float = 0.0
    lost: int = 0

    def plus(self, row: PartitionLag) -> TopicLag:
        """Return the sums with one more partition."""
        return TopicLag(
            self.partitions + 1,
            self.unassigned + (not row.member),
            self.failing + (row.failing_s is not None),
            self.lag + row.lag,
            max(self.age_s, row.age_s or 0.0),
            self.lost + row.lost,
        )


def by_topic(rows: Iterable[PartitionLag], shared: str) -> dict[str, TopicLag]:
    """Return the sums for the shared topic and for all dedicated topics. The latter are combined as `<shared>.*`, since
    their names contain tenants.

    Pure.
    """
    found: dict[str, TopicLag] = {}
    for row in rows:
        label = shared if row.partition.topic == shared else f"{shared}.*"
        found[label] = found.get(label, TopicLag()).plus(row)
    return found


class GroupMetrics(Collector):
    """Exposes the latest readings, which may be recorded in a different thread from the scrape."""

    def __init__(self, shared_topic: str) -> None:
        self._shared_topic = shared_topic
        self._up: dict[Reading, int] = {}
        self._read_at: dict[Reading, float] = {}
        self._rows: list[PartitionLag] | None = None
        self._letters: OpenLetters | None = None

    def read_lag(self, rows: list[PartitionLag]) -> None:
        """Record a reading of the lag."""
        self._rows = rows
        self._succeeded("lag")

    def read_letters(self, letters: OpenLetters | None) -> None:
        """Record a reading of the dead letters. None means that not all of them have been read yet."""
        if letters is not None:
            self._letters = letters
            self._succeeded("dead_letters")

    def failed(self, reading: Reading) -> None:
        """Record that a reading failed."""
        self._up[reading] = 0

    def is_up(self, reading: Reading) -> bool:
        """Return whether the last reading succeeded."""
        return bool(self._up.get(reading))

    def _succeeded(self, reading: Reading) -> None:
        self._up[reading], self._read_at[reading] = 1, time.time()

    def describe(self) -> list[GaugeMetricFamily]:
        """Return an empty list, since METRICS ensures that names are unique, and the result of `collect` depends on the
        readings.
        """
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up, read_at = gauge_family("auditlane_group_up"), gauge_family("auditlane_group_read_timestamp_seconds")
        for reading, value in sorted(self._up.items()):
            up.add_metric([reading], value)
        for reading, at in sorted(self._read_at.items()):
            read_at.add_metric([reading], at)
        yield up
        yield read_at
        if self._rows is not None:
            yield from _lag(self._rows, self._shared_topic)
        if self._letters is not None:
            yield from _letters(self._letters, time.time())


def _lag(rows: list[PartitionLag], shared_topic: str) -> Iterator[GaugeMetricFamily]:
    members = gauge_family("auditlane_group_members")
    members.add_metric([], len({row.member for row in rows if row.member}))
    yield members
    topics = by_topic(rows, shared_topic)
    for name, values in (
        ("partitions", [topic.partitions for topic in topics.values()]),
        ("unassigned_partitions", [topic.unassigned for topic in topics.values()]),
        ("failing_partitions", [topic.failing for topic in topics.values()]),
        ("lag_records", [topic.lag for topic in topics.values()]),
        ("lag_seconds", [topic.age_s for topic in topics.values()]),
        ("lost_offsets", [topic.lost for topic in topics.values()]),
    ):
        family = gauge_family(f"auditlane_group_{name}")
        for topic, value in zip(topics, values, strict=True):
            family.add_metric([topic], value)
        yield family


def _letters(letters: OpenLetters, now_s: float) -> Iterator[GaugeMetricFamily]:
    by_code = gauge_family("auditlane_dead_letters_open")
    for code, count in letters.by_code.items():
        by_code.add_metric([code], count)
    yield by_code
    oldest = gauge_family("auditlane_dead_letters_oldest_seconds")
    age_s = 0.0 if letters.oldest_ms is None else max(0.0, now_s - letters.oldest_ms / 1_000)
    oldest.add_metric([], age_s)
    yield oldest
