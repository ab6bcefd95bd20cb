"""The state shared by the simulated workers: the log, the store, dead letters, the time, and a trace of events."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from simulator.clickhouse import ClickHouse
from simulator.kafka import Kafka

from auditlane.contract.partition import Partition


@dataclass(slots=True)
class World:
    kafka: Kafka
    clickhouse: ClickHouse
    dead_letters: set[tuple[Partition, int]] = field(default_factory=set)
    trouble: float = 0.0  # probability of a fault wherever one may happen
    late: float = 0.0  # probability that periods wait for their budget between two inserts of a range
    quiet: bool = False
    turned: bool = False  # state of the registry: whether the verdicts on doubtful messages are flipped
    trace: list[str] = field(default_factory=list)
    now: int = 0
    skew: int = 0  # deviation of the machines' clocks in ms
    events: Counter[str] = field(default_factory=Counter)  # injected faults
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)  # (fault, the partition's state)

    def log(self, text: str) -> None:
        self.trace.append(f"{self.now:>7} {text}")
