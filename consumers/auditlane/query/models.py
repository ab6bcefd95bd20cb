"""What the JSON API answers with: an event in full, and a page of events."""

from __future__ import annotations

from pydantic import BaseModel

from auditlane.contract.stored import Event

__all__ = ["Event", "EventPage"]


class EventPage(BaseModel):
    """Events in the list's order. `next` leads on (to older ones, if not sorted otherwise), `prev` back; null where the
    list ends."""

    data: list[Event]
    next: str | None
    prev: str | None
