"""The worker's metrics: Prometheus instruments made from the one list of metrics, updated per batch, and its lag."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from auditlane.contract.partition import Partition
from auditlane.contract.reject_codes import RejectCode
from auditlane.runtime.metrics import BY_NAME
from auditlane.runtime.remedy import Remedy
from auditlane.worker.protocol.partition_state import PartitionState

T = TypeVar("T", Counter, Gauge, Histogram)
FAILURES: Final = {
    "insert": tuple(Remedy),
    "letters": (Remedy.retry, Remedy.halt),
    "commit": (Remedy.retry,),
}
FRESHNESS_S: Final = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3_600, 21_600, 86_400)


class WorkerMetrics:
    """The instruments, in a registry of their own so that two workers in one test process do not share counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.messages = self._counter("messages_total")
        self.bytes = self._counter("bytes_total")
        self.rows = self._counter("rows_total")
        self.parts = self._counter("parts_total")
        self.dead_letters = self._counter("dead_letters_total")
        self.ranges = self._counter("ranges_total")
        self.retries = self._counter("retries_total")
        self.skipped_offsets = self._counter("skipped_offsets_total")
        self.rebalances = self._counter("rebalances_total")
        self.recovered_intents = self._counter("recovered_intents_total")
        self.insert_seconds = self._made(Histogram, "insert_seconds")
        self.freshness = self._made(Histogram, "freshness_seconds", buckets=FRESHNESS_S)
        self.lag_records = self._made(Gauge, "lag_records")
        self.lag_seconds = self._made(Gauge, "lag_seconds")
        self.budget = self._made(Gauge, "insert_rate_factor")
        self.partitions = self._made(Gauge, "partitions")
        self.halted = self._made(Gauge, "halted_partitions")
        self.failing = self._made(Gauge, "failing_partitions")
        self.circuit_open = self._made(Gauge, "circuit_open_partitions")
        self.held_bytes = self._made(Gauge, "held_bytes")
        # Start each series at zero, so that its first event shows as an increase.
        for counter, values in (
            (self.dead_letters, RejectCode),
            (self.ranges, ("first", "redo")),
            (self.rebalances, ("assigned", "revoked", "lost")),
        ):
            for value in values:
                counter.labels(str(value))
        for step, remedies in FAILURES.items():
            for remedy in remedies:
                self.retries.labels(step, remedy.value)

    def _counter(self, name: str) -> Counter:
        return self._made(Counter, name)

    def _made(self, kind: type[T], name: str, **options: Any) -> T:
        metric = BY_NAME[f"auditlane_worker_{name}"]
        return kind(metric.name, metric.help, metric.labels, registry=self.registry, **options)

    def render(self) -> bytes:
        """Return the metrics in Prometheus' text format."""
        return generate_latest(self.registry)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a worker is behind: `records` not completed yet, and the age of the oldest of them in `seconds`."""

    records: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class LagGauge:
    """Measures the lag. A partition whose oldest message has not been delivered yet (halted, paused or new) counts from
    when it was first seen behind."""

    _since: dict[Partition, int] = field(default_factory=dict)

    def measure(self, states: Iterable[PartitionState], ends: Mapping[Partition, int], wall_ms: int) -> Lag:
        """Return the sum of records and the highest age over all partitions; `ends` may lack some partitions."""
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
