"""The columns of the view `log`, and the forms in which statements need them.

Columns are always written `e.column`, because ClickHouse would take a bare name for the alias of the same name in the
select list.
"""

from __future__ import annotations

from typing import Final

from auditlane.contract.event import BASE_FIELDS

# Every column that a reader sees, in this order, everywhere. What no sender sets comes last.
COLUMNS: Final = (*BASE_FIELDS, "fields", "ingested_at", "provenance", "provenance_id", "content_hash")

NULLABLE: Final = frozenset(
    {"actor_name", "on_behalf_of", "resource_id", "description", "ip", "user_agent", "request_id", "before", "after"}
)
FREE_TEXT: Final = (
    *("action", "actor_id", "actor_type", "actor_name", "on_behalf_of", "resource", "resource_id", "description"),
    *("user_agent", "request_id", "source", "before", "after"),
)
AS_TEXT: Final = {
    "event_id": "toString(e.event_id)",
    "occurred_at": "formatDateTime(e.occurred_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "ingested_at": "formatDateTime(e.ingested_at, '%Y-%m-%dT%H:%i:%S.%fZ', 'UTC')",
    "outcome": "toString(e.outcome)",
    "severity": "toString(e.severity)",
    # ClickHouse holds IPv4 as an IPv6-mapped address.
    "ip": r"replaceRegexpOne(toString(e.ip), '^::ffff:([0-9]+[.])', '\\1')",
    "provenance": "toString(e.provenance)",
    "content_hash": "lower(hex(e.content_hash))",
}
JSON_LINE: Final = "formatRow('JSONEachRow', {})".format(
    ", ".join(f"{AS_TEXT.get(name, f'e.{name}')} AS {name}" for name in COLUMNS)
)
# What two events in conflict share; and with the content, a row's place in a list by time, for a `Position`.
KEY: Final = "toUnixTimestamp64Micro(e.occurred_at) AS occurred_us, toString(e.event_id) AS id"
PLACE: Final = f"{AS_TEXT['content_hash']} AS content, {KEY}"
