"""Lists tenants that have events or settings, with counts. ClickHouse is queried without a tenant's scope."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.query.clickhouse.executor import errors
from auditlane.server.admin.models import Tenant, Tenants
from auditlane.store.presentation import ENVIRONMENT, load_many, overlay, tenant_scope

MAX_LIMIT: Final = 1_000
DEFAULT_LIMIT: Final = 200
_MEMORY: Final = 2 << 30
_SCOPE: Final = tenant_scope("")
PER_PAGE: Final = 50


def _sql(condition: str) -> str:
    """Return the SQL statement for all tenants that meet a condition on `name`."""
    return f"""
SELECT tenant, sum(n) AS events, max(last) AS last_event, max(stored) AS last_stored
FROM (
    SELECT toString(tenant_id) AS tenant, count() AS n, max(occurred_at) AS last, max(ingested_at) AS stored
    FROM {{database:Identifier}}.events
    WHERE {condition.format(name="tenant_id")}
    GROUP BY tenant_id
    UNION ALL
    SELECT substring(scope, {len(_SCOPE) + 1}) AS tenant, 0 AS n, toDateTime64(0, 6, 'UTC') AS last,
        toDateTime64(0, 3, 'UTC') AS stored
    FROM {{database:Identifier}}.settings
    WHERE startsWith(scope, '{_SCOPE}') AND {condition.format(name="tenant")}
)
GROUP BY tenant"""  # noqa: S608 - our own constants, values are parameters


_AFTER: Final = _sql("{name} > {{after:String}} AND startsWith({name}, {{prefix:String}})")
_SQL: Final = f"{_AFTER} ORDER BY tenant LIMIT {{limit:UInt32}}"
_CONTAINS: Final = _sql("({{search:String}} = '' OR positionCaseInsensitiveUTF8({name}, {{search:String}}) > 0)")
_ORDERS: Final = {
    "name": "tenant",
    "last": "last_event DESC, tenant",
    "events": "events DESC, tenant",
}


def read(
    connect: Callable[[], Client], database: str, *, after: str, prefix: str, limit: int, seconds: float
) -> Tenants:
    """Return up to `limit` tenants whose name starts with `prefix` and comes after the name `after`.

    Raises StoreUnavailable or StoreRefused, or QueryTooLarge after `seconds`.
    """
    client = connect()
    values = {"database": database, "after": after, "prefix": prefix, "limit": limit + 1}
    limits = {"max_execution_time": math.ceil(seconds), "max_memory_usage": _MEMORY}
    with errors():
        rows = client.query(_SQL, parameters=values, settings=limits).result_rows
        data = _tenants(client, database, rows[:limit])
    return Tenants(data=data, next=data[-1].tenant if len(rows) > limit else None)


class TenantOrder(StrEnum):
    """The sort orders of the console's list of tenants."""

    name = "name"
    last = "last"  # most recent event first
    events = "events"  # most events first


@dataclass(frozen=True, slots=True)
class TenantPage:
    """One page of tenants. Pages are counted from 1, and `total` counts the tenants of all pages."""

    tenants: list[Tenant]
    total: int
    page: int
    pages: int


def find(
    connect: Callable[[], Client],
    database: str,
    *,
    search: str,
    order: TenantOrder,
    page: int,
    seconds: float,
) -> TenantPage:
    """Return a page of the tenants whose name contains `search`, in upper or lower case. A number beyond the last page
    means the first page.

    Raises the errors of `read`.
    """
    client = connect()
    values = {"database": database, "search": search, "limit": PER_PAGE, "skip": (page - 1) * PER_PAGE}
    limits = {"max_execution_time": math.ceil(seconds), "max_memory_usage": _MEMORY}
    text = f"SELECT *, count() OVER () FROM ({_CONTAINS}) ORDER BY {_ORDERS[order]} "  # noqa: S608 - our own constants
    with errors():
        text += "LIMIT {limit:UInt32} OFFSET {skip:UInt64}"
        rows = client.query(text, parameters=values, settings=limits).result_rows
        if not rows and page > 1:
            return find(connect, database, search=search, order=order, page=1, seconds=seconds)
        total = rows[0][-1] if rows else 0
        data = _tenants(client, database, [row[:-1] for row in rows])
    return TenantPage(data, total, page, max(1, math.ceil(total / PER_PAGE)))


def _tenants(client: Client, database: str, rows: Sequence[Sequence[Any]]) -> list[Tenant]:
    revisions = load_many(client, database, [ENVIRONMENT, *(tenant_scope(row[0]) for row in rows)])
    environment = revisions[ENVIRONMENT]
    return [
        Tenant(
            tenant=name,
            events=events,
            last_event=_time(last, "microseconds") if events else None,
            last_stored=_time(stored, "milliseconds") if events else None,
            enabled=overlay(environment, revisions[tenant_scope(name)])[0],
        )
        for name, events, last, stored in rows
    ]


def _time(value: Any, precision: str) -> str:
    assert isinstance(value, datetime)
    aware = value if value.tzinfo else value.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
