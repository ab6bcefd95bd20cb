"""Our own format: one event a line, as a JSON object of its fields; the tenant's own stand beside the base fields.

An export writes such lines. What it adds to an event (when and how it was received) is left out, as it is no part of
the event; the tenant's own fields, which it writes as text, become what they were.
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

_HASH = "content_hash"  # only what is exported has it; of a whole event, where its own fields are there as well


class AuditlaneLines:
    """A line without `event_id` gets the UUIDv5 of its tenant, its SHA-256 and which occurrence of the line it is."""

    unit = "line"

    def __init__(self, tenant: str | None = None) -> None:
        """`tenant` is for lines that name none; a line that names another one is refused."""
        self._tenant = tenant
        self._line_counter = LineCounter()

    def items(self, source: Source) -> Iterator[Item]:
        return source.lines()

    def pass_over(self, item: Item) -> None:
        self._line_counter.next(item.text)

    def event(self, item: Item) -> AuditEvent:
        line = parse_object(item, parse_float=finite)
        values = values_of({name: value for name, value in line.items() if name not in READ_ONLY})
        tenant = values.setdefault("tenant_id", self._tenant)
        if tenant is None:
            raise InvalidEvent("names no tenant_id", field="tenant_id", fix="Add it, or give --tenant.")
        if self._tenant is not None and tenant != self._tenant:
            raise InvalidEvent(f"names the tenant {tenant!r}, not {self._tenant}", field="tenant_id")
        if "occurred_at" not in values:
            raise InvalidEvent("has no time: occurred_at, such as 2024-05-01T12:00:00Z", field="occurred_at")
        if "event_id" not in values:
            values["event_id"] = uuid5(check_tenant(str(tenant), ours=True), *self._line_counter.next(item.text))
        event = AuditEvent.checked(values)
        fields = StoredFields(event.fields, whole=_HASH in line and "fields" in line)
        return event.model_copy(update={"fields": fields}) if fields or fields.whole else event
