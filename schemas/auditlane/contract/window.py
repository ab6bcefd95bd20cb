"""When an event may have happened, seen from when its message reaches Kafka: what producers check and the worker holds.

The worker compares with the message's Kafka timestamp, which is made a moment after a producer has looked at the event,
by another clock maybe. So producers leave some room at both ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from auditlane.runtime.errors import InvalidEvent

DAY_US: Final = 86_400_000_000
LATEST_US: Final = DAY_US  # after the message's Kafka timestamp
EARLIEST_US: Final = 3_653 * DAY_US  # before it: ten years with as many leap days as ten years can have
OLDEST: Final = timedelta(microseconds=EARLIEST_US) - timedelta(hours=1)  # the way to Kafka
NEWEST: Final = timedelta(microseconds=LATEST_US) - timedelta(minutes=1)  # a broker's clock that is behind


def check_time(occurred_at: datetime, now: datetime) -> None:
    """Raises InvalidEvent for a time that a worker would refuse."""
    if not now - OLDEST <= occurred_at <= now + NEWEST:
        raise InvalidEvent(
            f"occurred_at {occurred_at.isoformat()} is out of range: it may be ten years ago at most, and a day ahead.",
            field="occurred_at",
        )
