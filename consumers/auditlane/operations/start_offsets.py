"""Finds the offset at which a worker would start in a partition without a committed offset, by the worker's own
rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.contract.partition import Partition
from auditlane.contract.recovery import AssignmentFacts, decide_start
from auditlane.operations.selection import Bounds
from auditlane.runtime.errors import AuditlaneError
from auditlane.runtime.settings import Settings
from auditlane.store import newest_offsets
from auditlane.store.client import connect

_WAIT_S: Final = 5.0
_Asked = tuple[Partition, str, int, int]


class StartOffsets:
    """Finds start offsets. It queries ClickHouse only for partitions without a committed offset, and again only when
    Kafka's bounds change.
    """

    def __init__(self, settings: Settings, *, ask_s: float = _WAIT_S) -> None:
        self._settings = settings
        self._wait_s = min(ask_s, _WAIT_S)
        self._client: Client | None = None
        self._known: dict[_Asked, int] = {}

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def of(self, partition: Partition, topic_id: str, low: int, high: int) -> int:
        """Return the start offset. It is the first offset in Kafka (`low`) if ClickHouse is unavailable or not
        configured.
        """
        asked = (partition, topic_id, low, high)
        if asked not in self._known:
            try:
                self._client = self._client or connect(
                    self._settings, connect_timeout=self._wait_s, send_receive_timeout=self._wait_s
                )
                database = self._settings.clickhouse_database
                stored = newest_offsets.newest(self._client, database, topic_id, partition.number, low=low)
            except AuditlaneError:
                return low
            self._known = {key: at for key, at in self._known.items() if key[0] != partition}
            self._known[asked] = decide_start(AssignmentFacts(partition, topic_id, None, "", low, high, stored)).offset
        return self._known[asked]

    def with_start_offsets(self, bounds: Sequence[Bounds]) -> list[Bounds]:
        """Return the bounds. `begins` is set for partitions that the workers read and that have no committed offset."""
        return [
            replace(bound, begins=self.of(bound.partition, bound.topic_id, bound.low, bound.high))
            if bound.consumed and bound.committed is None
            else bound
            for bound in bounds
        ]
