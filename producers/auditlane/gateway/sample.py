"""The event that somebody sends to see that events arrive: the same for everybody, but for the tenant's own fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.event_json import values_of
from auditlane.runtime.errors import InvalidEvent

ACTION: Final = "auditlane.test"
SOURCE: Final = "auditlane-test"


def sample_event(actor_id: str, actor_type: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """As a caller of POST /v1/events would post it, now, with a new id.

    `given` may hold the tenant's own fields, so that its contract can be met; which ones there are is for the contract
    to say. Raises InvalidEvent that names a field of every event: who sends a test event writes no record of their own.
    """
    own: dict[str, Any] = values_of({"fields": {}, **given}).get("fields", {})
    for name in (*given, *own):
        if name in BASE_FIELDS:
            raise InvalidEvent(
                f"{name} is set for a test event, and cannot be chosen.",
                field=name,
                fix="Send only the tenant's own fields, or nothing. POST /v1/events takes events with audits:write.",
            )
    return {
        "action": ACTION,
        "actor_id": actor_id,
        "actor_type": actor_type,
        "outcome": "success",
        "resource": "audit_log",
        "description": "A test event: it shows that events arrive.",
        "source": SOURCE,
        "fields": own,
    }
