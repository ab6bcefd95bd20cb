"""Lists who sent the events of the past day: the clients that the gateway vouches for, topics, and services."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from clickhouse_connect.driver.client import Client

from auditlane.query.clickhouse.executor import errors

WINDOW: Final = timedelta(hours=24)
FRESH_S: Final = 60.0
LIMIT: Final = 200
_SECONDS: Final = 5
_ROWS: Final = 100_000_000
_MEMORY: Final = 512 << 20
_SQL: Final = """
SELECT provenance, provenance_id, source, count(), uniqExact(tenant_id), max(kafka_timestamp)
FROM {database:Identifier}.events
WHERE ingested_at >= now64(3) - toIntervalSecond({seconds:UInt32})
    AND occurred_at >= now64(6) - toIntervalSecond(2 * {seconds:UInt32})
GROUP BY provenance, provenance_id, source
ORDER BY count() DESC, provenance_id, source LIMIT {limit:UInt32}
"""


@dataclass(frozen=True, slots=True)
class Source:
    """A sender of events. `through` is `gateway` or `kafka`, `sender` is the client's id or the topic, and `service` is
    the event's field `source`.

    `events` counts rows that were stored within WINDOW and occurred within twice that time.
    """

    through: str
    sender: str
    service: str
    events: int
    tenants: int
    last: datetime


def read(connect: Callable[[], Client], database: str) -> list[Source]:
    """Return the senders with the most events, at most LIMIT.

    Raises StoreUnavailable, StoreRefused, or, if there are too many events, QueryTooLarge.
    """
    values = {"database": database, "seconds": int(WINDOW.total_seconds()), "limit": LIMIT}
    limits = {"max_execution_time": _SECONDS, "max_rows_to_read": _ROWS, "max_memory_usage": _MEMORY}
    with errors():
        rows = connect().query(_SQL, parameters=values, settings=limits).result_rows
    return [
        Source(through, sender, service, count, tenants, last if last.tzinfo else last.replace(tzinfo=UTC))
        for through, sender, service, count, tenants, last in rows
    ]
