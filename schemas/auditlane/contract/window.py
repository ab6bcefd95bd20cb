"""Checks that an event's time is close enough to the message's arrival in Kafka, in producers and in the worker.

The worker compares it with the message's Kafka timestamp, which is set shortly after the producer's check, possibly by
another clock. Producers therefore leave a margin at both ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from auditlane.runtime.errors import InvalidEvent

DAY_US: Final = 86_400_000_000
LATEST_US: Final = DAY_US  # how far an event may be after its message's Kafka timestamp
EARLIEST_US: Final = 3_653 * DAY_US  # how far an event may be before it: ten years with the maximum number of leap days
# margin for the delay until the event is in Kafka
OLDEST: Final = timedelta(microseconds=EARLIEST_US) - timedelta(hours=1)
NEWEST: Final = timedelta(microseconds=LATEST_US) - timedelta(minutes=1)  # margin for a broker's slow clock


def check_time(occurred_at: datetime, now: datetime) -> None:
    """Raise InvalidEvent for a time that workers would reject."""
    if not now - OLDEST <= occurred_at <= now + NEWEST:
        raise InvalidEvent(
            f"occurred_at {occurred_at.isoformat()} is out of range.",
            field="occurred_at",
            fix="Use a time at most ten years ago and at most one day ahead.",
        )
