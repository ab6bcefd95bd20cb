"""The row of the outbox: its columns, and how an event becomes one. Needs neither SQLAlchemy nor Django."""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.event_json import values_of
from auditlane.contract.json_values import json_text
from auditlane.runtime.errors import InvalidEvent
from auditlane.sdk.publisher import Prepared

TABLE: Final = "auditlane_outbox"
BUCKETS: Final = 64  # relays that keep the order lock one bucket at a time; a key is always in the same one
ID_LENGTH: Final = 36
TOPIC_LENGTH: Final = 249  # Kafka's limit
KEY_LENGTH: Final = 120  # a tenant of 100 characters, `#` and a shard


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """The values of one row; the names are those of Debezium's outbox event router.

    `payload` is the Kafka value. If the tenant's contract was not known in the transaction, it is None, and `event` is
    the event as JSON, which the relay encodes.
    """

    id: str
    aggregatetype: str
    aggregateid: str
    payload: bytes | None
    event: str | None
    bucket: int
    created_at: datetime

    @classmethod
    def of(cls, prepared: Prepared) -> OutboxRow:
        """Return the row of a checked event. Raises InvalidEvent if its custom fields are no JSON."""
        key = prepared.key.decode()
        event = None if prepared.value is not None else event_text(prepared.event)
        created_at = datetime.now(UTC)
        return cls(
            prepared.event.event_id, prepared.topic, key, prepared.value, event, bucket_of(prepared.key), created_at
        )

    def values(self) -> dict[str, Any]:
        """Return the row's values by column."""
        return {name: getattr(self, name) for name in self.__slots__}


def bucket_of(key: bytes) -> int:
    """Return the bucket of a message key, from 0 to BUCKETS - 1."""
    return zlib.crc32(key) % BUCKETS


def event_text(event: AuditEvent) -> str:
    """Return an event as JSON. Raises InvalidEvent, which names the field, for a value that JSON cannot represent."""
    values: dict[str, Any] = {name: getattr(event, name) for name in BASE_FIELDS}
    for name, value in (own := event.custom_fields()).items():
        try:
            json_text(value)
        except ValueError as error:
            raise InvalidEvent(f"{name} {error}.", field=name) from None
    return json_text(values | {"fields": own})


def event_of(text: str) -> AuditEvent:
    """Return the event from its JSON. Raises InvalidEvent."""
    return AuditEvent.checked(values_of(json.loads(text)))
