"""The newest events about the operation of the installation, from the log of `_auditlane`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.contract.tenants import OURS
from auditlane.contract.vocabulary import ACTIONS
from auditlane.query.clickhouse.executor import errors

MAX_LIMIT: Final = 500
_GROUPS: Final = ("performance", "maintenance")
OPERATIONAL: Final = tuple(action.name for action in ACTIONS.values() if action.group in _GROUPS)
_WITHIN: Final = timedelta(days=90)
_SECONDS: Final = 10
_FIELDS: Final = "occurred_at, action, outcome, severity, resource, resource_id, description, metadata, event_id"
_SQL: Final = f"""
SELECT {_FIELDS}
FROM {{database:Identifier}}.log
WHERE tenant_id = '{OURS}' AND occurred_at >= now64(6) - toIntervalSecond({{seconds:UInt32}})
    AND action IN {{actions:Array(String)}}
ORDER BY occurred_at DESC, event_id DESC LIMIT {{limit:UInt32}}
"""  # noqa: S608 - our own constants, values are parameters


@dataclass(frozen=True, slots=True)
class OperationalEvent:
    """An event about the operation of the installation. `tenant` is the tenant concerned, if any."""

    at: datetime
    action: str
    outcome: str
    severity: str
    resource: str
    resource_id: str | None
    description: str | None
    metadata: dict[str, str]
    event_id: str
    tenant: str | None


def timeline(client: Client, database: str, *, limit: int) -> list[OperationalEvent]:
    """Return the newest events of the past 90 days, newest first.

    Raises StoreUnavailable, StoreRefused, or QueryTooLarge.
    """
    values: dict[str, Any] = {
        "database": database,
        "seconds": int(_WITHIN.total_seconds()),
        "actions": list(OPERATIONAL),
        "limit": limit,
    }
    with errors():
        rows = client.query(_SQL, parameters=values, settings={"max_execution_time": _SECONDS}).result_rows
    return [_event(row) for row in rows]


def _event(row: Any) -> OperationalEvent:
    at, action, outcome, severity, resource, resource_id, description, metadata, event_id = row
    own = dict(metadata)
    tenant = own.pop("tenant", None)
    at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    return OperationalEvent(
        at, action, outcome, severity, resource, resource_id, description, own, str(event_id), tenant
    )
