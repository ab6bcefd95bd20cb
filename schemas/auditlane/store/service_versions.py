"""Queries auditlane's own audit trail for the version that a service had at an earlier start."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from clickhouse_connect.driver.client import Client

from auditlane.contract.provenance import TRAIL
from auditlane.contract.tenants import OURS
from auditlane.store.client import store_errors


def last_started_version(
    client: Client, database: str, service: str, *, before: datetime, table: Literal["events", "log"]
) -> str | None:
    """Return the version in this service's newest `service.started` event before a time, or None.

    On a cluster, `log` contains all shards' events, and `events` those of the shard to which the client is connected.
    Raises StoreUnavailable or StoreRefused.
    """
    with store_errors():
        rows = client.query(
            "SELECT metadata['version'] FROM {database:Identifier}.{table:Identifier}"
            " WHERE tenant_id = {ours:String} AND action = 'service.started' AND resource_id = {service:String}"
            " AND source = {trail:String} AND occurred_at < {before:DateTime64(6, 'UTC')}"
            " ORDER BY occurred_at DESC LIMIT 1",
            parameters={
                "database": database,
                "table": table,
                "ours": OURS,
                "service": service,
                "trail": TRAIL,
                "before": before,
            },
        ).result_rows
    return str(rows[0][0]) if rows else None
