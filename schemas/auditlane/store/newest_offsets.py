"""Queries the store for a partition's newest offset, and the first gap near it."""

from __future__ import annotations

from clickhouse_connect.driver.client import Client

from auditlane.contract.recovery import StoredOffsetsSummary
from auditlane.store.client import store_errors

GAP_WINDOW = 1_000_000  # how far below the highest offset the last, half-stored range may be


def newest(client: Client, database: str, topic_id: str, partition: int, *, low: int) -> StoredOffsetsSummary:
    """Return a partition's highest stored offset at or above `low`, and the first gap within GAP_WINDOW below it."""
    where = "kafka_topic_id = {topic:UUID} AND kafka_partition = {partition:UInt32} AND kafka_offset >= {low:UInt64}"
    parameters = {"topic": topic_id, "partition": partition, "low": low}
    source = f"FROM `{database}`.events WHERE {where}"
    with store_errors():
        [(count, highest)] = client.query(
            f"SELECT count(), max(kafka_offset) {source}", parameters=parameters
        ).result_rows
        if not count:
            return StoredOffsetsSummary(None)
        floor = max(low, int(highest) - GAP_WINDOW + 1)
        offsets = client.query(
            f"SELECT DISTINCT kafka_offset {source} AND kafka_offset >= {{floor:UInt64}} ORDER BY kafka_offset",
            parameters=parameters | {"floor": floor},
        ).result_columns[0]
    expected = floor
    for offset in offsets:
        if offset != expected:
            return StoredOffsetsSummary(int(highest), expected)
        expected += 1
    return StoredOffsetsSummary(int(highest))
