"""What the JSON API answers with: an event in full, and a page of events."""

from __future__ import annotations

from pydantic import BaseModel

from auditlane.contract.stored import Event

__all__ = ["Event", "EventPage"]


class EventPage(BaseModel):
    """Events newest first. `next` leads to older ones, `prev` to newer ones; null where the list ends."""

    data: list[Event]
    next: str | None
    prev: str | None
