"""The outbox row: its columns, and the conversion from an event. Requires neither SQLAlchemy nor Django."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from auditlane.sdk.event_text import event_text
from auditlane.sdk.publisher import Prepared

TABLE: Final = "auditlane_outbox"
BUCKETS: Final = 64  # number of buckets; ordered relays lock one at a time, and a key is always in the same one
ID_LENGTH: Final = 36
TOPIC_LENGTH: Final = 249  # Kafka's limit
KEY_LENGTH: Final = 120  # maximum length: a tenant of 100 characters, `#` and a shard


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row's values. The columns are named as in Debezium's outbox event router.

    `payload` is the Kafka value, or None if the tenant's contract was unknown in the transaction. In that case, `event`
    contains the event as JSON, and the relay encodes it.
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
        """Return a checked event's row. Raises InvalidEvent if JSON cannot represent its custom fields."""
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
    """Return a message key's bucket, from 0 to BUCKETS - 1."""
    return zlib.crc32(key) % BUCKETS
