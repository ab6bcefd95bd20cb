"""The preceding period of equal length."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from auditlane.query.fields import EARLIEST
from auditlane.runtime.errors import InvalidFilter

COMPARE: Final = "compare"  # the parameter


def start_before(since: datetime | None, until: datetime | None, now: datetime) -> datetime:
    """Return the start of the period before [since, until). That period ends at `since`. If there is no `until`, `now`
    is used.

    Raises InvalidFilter if there is no `since`, or if the period has no end and starts in the future.
    """
    if since is None:
        raise InvalidFilter(
            "The time range has no start, so there is no period before it.", field=COMPARE, fix="Set 'from' too."
        )
    length = (now if until is None else until) - since
    if length.total_seconds() <= 0:
        raise InvalidFilter(
            "'from' is in the future and 'to' is missing, so the period has no end.", field=COMPARE, fix="Set 'to' too."
        )
    return max(since - length, EARLIEST) if since - EARLIEST > length else EARLIEST
