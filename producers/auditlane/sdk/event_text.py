"""Stores a checked event as JSON, until its tenant's contract is available to encode it."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from auditlane.contract.avro import base_schema
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.event_json import values_of
from auditlane.contract.json_values import json_text
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk.encoding import Encoder


@cache
def plain_base() -> Encoder:
    """Return an encoder for this release's base event, without custom fields or rules. It needs no registry."""
    return Encoder.parse("", 0, json.dumps(base_schema()))


def check_base(event: AuditEvent, max_event_bytes: int) -> None:
    """Check what does not depend on the tenant's contract. Raises InvalidEvent or EventTooLarge."""
    plain = {name: getattr(event, name) for name in BASE_FIELDS}
    plain_base().encode(AuditEvent.model_construct(**plain, fields={}), max_event_bytes)


def event_text(event: AuditEvent) -> str:
    """Serialize an event to JSON. Raises InvalidEvent, naming the field, if JSON cannot represent a value."""
    values: dict[str, Any] = {name: getattr(event, name) for name in BASE_FIELDS}
    for name, value in (own := event.custom_fields()).items():
        try:
            json_text(value)
        except ValueError as error:
            raise InvalidEvent(f"{name} {error}.", field=name) from None
    return json_text(values | {"fields": own})


def event_of(text: str) -> AuditEvent:
    """Parse an event from JSON. Raises InvalidEvent."""
    return AuditEvent.checked(values_of(json.loads(text)))
