"""Lists tenants that have events or settings, with counts. ClickHouse is queried without a tenant's scope."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.query.clickhouse.executor import errors
from auditlane.server.admin.models import Tenant, Tenants
from auditlane.store.presentation import ENVIRONMENT, load_many, overlay, tenant_scope

MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 200
_MEMORY: Final = 2 << 30
_SCOPE: Final = tenant_scope("")
_SQL: Final = f"""
SELECT tenant, sum(n) AS events, max(last) AS last_event, max(stored) AS last_stored
FROM (
    SELECT toString(tenant_id) AS tenant, count() AS n, max(occurred_at) AS last, max(ingested_at) AS stored
    FROM {{database:Identifier}}.events
    WHERE tenant_id > {{after:String}} AND startsWith(tenant_id, {{prefix:String}})
    GROUP BY tenant_id
    UNION ALL
    SELECT substring(scope, {len(_SCOPE) + 1}) AS tenant, 0 AS n, toDateTime64(0, 6, 'UTC') AS last,
        toDateTime64(0, 3, 'UTC') AS stored
    FROM {{database:Identifier}}.settings
    WHERE startsWith(scope, '{_SCOPE}') AND tenant > {{after:String}} AND startsWith(tenant, {{prefix:String}})
)
GROUP BY tenant ORDER BY tenant LIMIT {{limit:UInt32}}
"""  # noqa: S608 - our own constant, values are parameters


def read(
    connect: Callable[[], Client], database: str, *, after: str, prefix: str, limit: int, seconds: float
) -> Tenants:
    """Return up to `limit` tenants that start with `prefix`, from after the name `after` on.

    Raises StoreUnavailable or StoreRefused, or QueryTooLarge after `seconds`.
    """
    client = connect()
    values = {"database": database, "after": after, "prefix": prefix, "limit": limit + 1}
    limits = {"max_execution_time": math.ceil(seconds), "max_memory_usage": _MEMORY}
    with errors():
        rows = client.query(_SQL, parameters=values, settings=limits).result_rows
        names = [row[0] for row in rows[:limit]]
        revisions = load_many(client, database, [ENVIRONMENT, *map(tenant_scope, names)])
    environment = revisions[ENVIRONMENT]
    data = [
        Tenant(
            tenant=name,
            events=events,
            last_event=_time(last, "microseconds") if events else None,
            last_stored=_time(stored, "milliseconds") if events else None,
            enabled=overlay(environment, revisions[tenant_scope(name)])[0],
        )
        for name, events, last, stored in rows[:limit]
    ]
    return Tenants(data=data, next=names[-1] if len(rows) > limit else None)


def _time(value: Any, precision: str) -> str:
    assert isinstance(value, datetime)
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
