"""auditlane's own format: each line is one event, a JSON object with base and custom fields side by side.

Exports have this format. Members that only exports have, such as the time of receipt, are ignored on import. Custom
fields, which are text in exports, are converted back to their types.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditlane.contract.event import AuditEvent
from auditlane.contract.event_json import finite, values_of
from auditlane.contract.field_definition import READ_ONLY
from auditlane.contract.tenants import check_tenant
from auditlane.contract.values import StoredFields
from auditlane.importer.json_text import parse_object
from auditlane.importer.line_counter import LineCounter
from auditlane.importer.sources import Item, Source
from auditlane.runtime.errors import InvalidEvent
from auditlane.runtime.ids import uuid5

# Only exported lines have it. Together with `fields`, it shows that all custom fields were exported.
_HASH = "content_hash"


class AuditlaneLines:
    """Reads JSON lines. A line without `event_id` gets a UUIDv5 of its tenant, SHA-256 and occurrence number as its
    id.
    """

    unit = "line"

    def __init__(self, tenant: str | None = None) -> None:
        """Set the default `tenant_id`. A line that names another tenant is then rejected."""
        self._tenant = tenant
        self._line_counter = LineCounter()

    def items(self, source: Source) -> Iterator[Item]:
        return source.lines()

    def skip(self, item: Item) -> None:
        self._line_counter.next(item.text)

    def event(self, item: Item) -> AuditEvent:
        line = parse_object(item, parse_float=finite)
        values = values_of({name: value for name, value in line.items() if name not in READ_ONLY})
        tenant = values.setdefault("tenant_id", self._tenant)
        if tenant is None:
            raise InvalidEvent("tenant_id is missing", field="tenant_id", fix="Add it, or pass --tenant.")
        if self._tenant is not None and tenant != self._tenant:
            raise InvalidEvent(
                f"tenant_id is {tenant!r}, not {self._tenant}",
                field="tenant_id",
                fix="Correct it, or omit --tenant.",
            )
        if "occurred_at" not in values:
            raise InvalidEvent(
                "occurred_at is missing", field="occurred_at", fix="Add it, such as 2024-05-01T12:00:00Z."
            )
        if "event_id" not in values:
            values["event_id"] = uuid5(check_tenant(str(tenant), ours=True), *self._line_counter.next(item.text))
        event = AuditEvent.checked(values)
        fields = StoredFields(event.fields, whole=_HASH in line and "fields" in line)
        return event.model_copy(update={"fields": fields}) if fields or fields.whole else event
