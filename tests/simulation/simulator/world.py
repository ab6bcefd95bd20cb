"""What simulated workers share: the log, the store, the dead letters, the time, and what has happened so far."""

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
    letters: set[tuple[Partition, int]] = field(default_factory=set)
    trouble: float = 0.0  # how likely a fault is, where one may happen
    late: float = 0.0  # how likely months wait for their budget, between two inserts of a range
    quiet: bool = False
    turned: bool = False  # the registry's state: doubtful messages are judged the other way
    trace: list[str] = field(default_factory=list)
    now: int = 0
    skew: int = 0  # what the machines' clocks are off
    events: Counter[str] = field(default_factory=Counter)  # faults that struck the parts
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)  # (fault, what a partition was doing)

    def say(self, text: str) -> None:
        self.trace.append(f"{self.now:>7} {text}")
