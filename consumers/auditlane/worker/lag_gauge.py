"""How far a worker is behind its partitions: in records, and in seconds of the oldest message that is not stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from auditlane.contract.partition import Partition
from auditlane.worker.protocol.partition_state import PartitionState


@dataclass(frozen=True, slots=True)
class Lag:
    """`records` from the first that is not completed to the end; `seconds` since Kafka had the oldest of them."""

    records: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class LagGauge:
    """Remembers since when a partition is behind whose oldest message was not delivered yet (halted, paused, new)."""

    _since: dict[Partition, int] = field(default_factory=dict)

    def measure(self, states: Iterable[PartitionState], ends: Mapping[Partition, int], wall_ms: int) -> Lag:
        """Of all partitions: the sum of records, the most seconds. `ends` as far as they are known."""
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
