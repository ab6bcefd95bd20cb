"""Counts recent events in conflict, which indicate forgery or a faulty emitter."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.query.clickhouse.executor import errors
from auditlane.server.admin.models import RecentConflicts

WINDOW: Final = timedelta(hours=24)
FRESH_S: Final = 60.0
SECONDS: Final = 5
_ROWS: Final = 100_000_000
_MEMORY: Final = 512 << 20
# Keys arrive in the table's order, so aggregating them takes no memory.
_SQL: Final = """
SELECT count(), uniqExact(tenant_id)
FROM (
    SELECT e.tenant_id AS tenant_id
    FROM {database:Identifier}.log AS e
    WHERE e.occurred_at >= now64(6) - toIntervalSecond({seconds:UInt32})
    GROUP BY e.tenant_id, e.occurred_at, e.event_id
    HAVING count() > 1
)
SETTINGS optimize_aggregation_in_order = 1
"""


def read(connect: Callable[[], Client], database: str) -> RecentConflicts:
    """Count conflicts among the events that occurred within WINDOW.

    Raises StoreUnavailable or StoreRefused, or QueryTooLarge if there are too many events.
    """
    values = {"database": database, "seconds": int(WINDOW.total_seconds())}
    limits = {"max_execution_time": SECONDS, "max_rows_to_read": _ROWS, "max_memory_usage": _MEMORY}
    with errors():
        [(ids, tenants)] = connect().query(_SQL, parameters=values, settings=limits).result_rows
    return RecentConflicts(hours=int(WINDOW / timedelta(hours=1)), ids=ids, tenants=tenants)
