"""The worker's metrics: Prometheus instruments, created from the list of all metrics and updated per batch, and the
measurement of the worker's lag.
"""

from __future__ import annotations

import json
from collections import Counter as Counts
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from prometheus_client import generate_latest

from auditlane.contract.partition import Partition
from auditlane.contract.registry_metrics import RegistryMetrics
from auditlane.contract.reject_codes import RejectCode
from auditlane.runtime.instruments import Instruments, build_info, process_metrics
from auditlane.runtime.metrics import LATE_S
from auditlane.runtime.remedy import Remedy
from auditlane.store.preflight import WINDOW_SECONDS
from auditlane.worker.protocol.partition_state import PartitionState, Step

FAILURES: Final = {
    "insert": tuple(Remedy),
    "letters": (Remedy.retry, Remedy.halt),
    "commit": (Remedy.retry,),
}
FRESHNESS_S: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)
BROKER_STATES: Final = ("up", "connecting", "down", "idle")


class WorkerMetrics:
    """The instruments of the worker, in a separate registry, so that two workers in one test process do not share
    counts.
    """

    def __init__(self) -> None:
        made = Instruments()
        self._registry = made.registry
        self.messages = made.counter("auditlane_worker_messages_total")
        self.bytes = made.counter("auditlane_worker_bytes_total")
        self.rows = made.counter("auditlane_worker_rows_total")
        self.late_rows = made.counter("auditlane_worker_late_rows_total")
        self.parts = made.counter("auditlane_worker_parts_total")
        self.dead_letters = made.counter("auditlane_worker_dead_letters_total")
        self.ranges = made.counter("auditlane_worker_ranges_total")
        self.retries = made.counter("auditlane_worker_retries_total")
        self.skipped_offsets = made.counter("auditlane_worker_skipped_offsets_total")
        self.rebalances = made.counter("auditlane_worker_rebalances_total")
        self.recovered_intents = made.counter("auditlane_worker_recovered_intents_total")
        self.insert_seconds = made.histogram("auditlane_worker_insert_seconds")
        self.commit_seconds = made.histogram("auditlane_worker_commit_seconds")
        self.publish_seconds = made.histogram("auditlane_worker_publish_seconds")
        self.freshness = made.histogram("auditlane_worker_freshness_seconds", FRESHNESS_S)
        self.lag_records = made.gauge("auditlane_worker_lag_records")
        self.lag_seconds = made.gauge("auditlane_worker_lag_seconds")
        self.pending_intent = made.gauge("auditlane_worker_pending_intent_seconds")
        self.budget = made.gauge("auditlane_worker_insert_rate_factor")
        self.window_tokens = made.gauge("auditlane_worker_window_tokens")
        self.window_size = made.gauge("auditlane_worker_window_size")
        self.partitions = made.gauge("auditlane_worker_partitions")
        self.expected_partitions = made.gauge("auditlane_worker_expected_partitions")
        self.halted = made.gauge("auditlane_worker_halted_partitions")
        self.failing = made.gauge("auditlane_worker_failing_partitions")
        self.circuit_open = made.gauge("auditlane_worker_circuit_open_partitions")
        self.held_bytes = made.gauge("auditlane_worker_held_bytes")
        self.loop_age = made.gauge("auditlane_worker_loop_age_seconds")
        self.brokers = made.gauge("auditlane_worker_kafka_brokers")
        self.round_trip = made.gauge("auditlane_worker_kafka_round_trip_seconds")
        self.store_version = made.gauge("auditlane_store_version")
        self.schema_registry = RegistryMetrics(made)
        build_info(made)
        self._measure_process = process_metrics(made)
        # Start each series at zero, so that its first event shows as an increase.
        for counter, values in (
            (self.dead_letters, RejectCode),
            (self.ranges, ("first", "redo")),
            (self.rebalances, ("assigned", "revoked", "lost")),
        ):
            for value in values:
                counter.labels(str(value))
        for state in BROKER_STATES:
            self.brokers.labels(state)
        for step, remedies in FAILURES.items():
            for remedy in remedies:
                self.retries.labels(step, remedy.value)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        self._measure_process()
        return generate_latest(self._registry)

    def kafka_statistics(self, statistics: str) -> None:
        """Update the metrics from librdkafka's statistics. This is its `stats_cb`."""
        figures = broker_figures(json.loads(statistics))
        for state, count in figures.states.items():
            self.brokers.labels(state).set(count)
        self.round_trip.set(figures.round_trip_s)


@dataclass(frozen=True, slots=True)
class BrokerFigures:
    """The number of brokers in each of BROKER_STATES, and the 99th percentile of the round-trip time to the slowest
    broker.
    """

    states: dict[str, int]
    round_trip_s: float


_STATES: Final = {"UP": "up", "UPDATE": "up", "INIT": "idle", "DOWN": "down"}  # any other state is a step towards UP


def broker_figures(statistics: Mapping[str, Any]) -> BrokerFigures:
    """Return the figures in a statistics document of librdkafka. Pure.

    Bootstrap addresses and the group coordinator are additional entries for the same brokers, without an id.
    """
    brokers = [one for one in statistics.get("brokers", {}).values() if one.get("nodeid", -1) >= 0]
    counts = Counts(_STATES.get(one.get("state", ""), "connecting") for one in brokers)
    slowest = max((one.get("rtt", {}).get("p99", 0) for one in brokers), default=0)
    return BrokerFigures({state: counts[state] for state in BROKER_STATES}, slowest / 1_000_000)


def late_rows(timestamps_ms: Sequence[int], rejected: Iterable[int], stored_ms: int) -> int:
    """Return how many messages of a range were stored too late, according to their Kafka timestamps. Pure.

    `rejected` contains the indexes of messages that were not stored.
    """
    latest = stored_ms - round(LATE_S * 1_000)
    late = int(np.count_nonzero(np.asarray(timestamps_ms) < latest))
    return late - sum(timestamps_ms[place] < latest for place in rejected) if late else 0


@dataclass(slots=True)
class RecentTokens:
    """Counts the deduplication tokens that were used within the preflight's window. Times are monotonic
    milliseconds.
    """

    _slots: deque[tuple[int, int]] = field(default_factory=deque)  # (number of the ten-second slot, number of tokens)
    _total: int = 0

    def add(self, tokens: int, now: int) -> None:
        slot = now // _SLOT_MS
        if self._slots and self._slots[-1][0] == slot:
            tokens_before = self._slots.pop()[1]
            self._slots.append((slot, tokens_before + tokens))
        else:
            self._slots.append((slot, tokens))
        self._total += tokens

    def count(self, now: int) -> int:
        """Return the number of tokens used. The oldest ten seconds count either in full or not at all."""
        while self._slots and self._slots[0][0] < (now // _SLOT_MS) - _SLOTS:
            self._total -= self._slots.popleft()[1]
        return self._total


_SLOT_MS: Final = 10_000
_SLOTS: Final = WINDOW_SECONDS * 1_000 // _SLOT_MS


@dataclass(frozen=True, slots=True)
class Lag:
    """The lag of a worker: the number of records that are not completed yet, and the age of the oldest in seconds."""

    records: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class LagGauge:
    """Measures the lag of a worker.

    The oldest message of a partition may not have been delivered yet, because the partition is halted, paused or new.
    Its age then counts from when the partition was first seen to be behind.
    """

    _since: dict[Partition, int] = field(default_factory=dict)

    def measure(self, states: Iterable[PartitionState], ends: Mapping[Partition, int], wall_ms: int) -> Lag:
        """Return the total number of records and the highest age over all partitions. `ends` may not have all
        partitions.
        """
        records, oldest = 0, wall_ms
        unseen: dict[Partition, int] = {}
        for state in states:
            pending = state.flight.range if state.flight is not None else None
            done = pending.first if pending is not None else state.begin
            behind = max(0, ends.get(state.partition, 0) - done, state.position - done)
            if not behind:
                continue
            records += behind
            waiting = pending.columns if pending is not None else state.held
            if waiting:
                oldest = min(oldest, waiting.timestamps_ms[0])
            elif (state.halted or state.parked_until is not None) and state.oldest_ms:
                oldest = min(oldest, state.oldest_ms)
            else:
                unseen[state.partition] = self._since.get(state.partition, wall_ms)
                oldest = min(oldest, unseen[state.partition])
        self._since = unseen
        return Lag(records, (wall_ms - oldest) / 1_000)


@dataclass(slots=True)
class PendingIntents:
    """Measures how long the oldest committed intent has been waiting for its range to be completed. Times are
    wall-clock times.
    """

    _since: dict[tuple[Partition, int], int] = field(default_factory=dict)

    def age_s(self, states: Iterable[PartitionState], wall_ms: int) -> float:
        """Return the age in seconds, or 0 if no intent is pending.

        The age of an intent found at assignment counts from the time of its writer. The age of any other intent counts
        from the first call that sees it.
        """
        since: dict[tuple[Partition, int], int] = {}
        for state in states:
            if state.flight is not None and state.flight.step is not Step.INTENT:
                key, began = (state.partition, state.flight.range.first), wall_ms
            elif state.rebuild is not None and state.rebuild.first is not None:
                key, began = (state.partition, state.rebuild.first), state.rebuild.at_ms or wall_ms
            else:
                continue
            since[key] = self._since.get(key, began)
        self._since = since
        return max(0.0, (wall_ms - min(since.values(), default=wall_ms)) / 1_000)
