"""What the JSON API answers with: an event in full, and a page of events."""

from __future__ import annotations

from pydantic import BaseModel, Field

from auditlane.contract.stored_event import Event, SingleEvent

__all__ = ["Event", "EventPage", "FilterCheck", "FilterError", "SingleEvent"]


class EventPage(BaseModel):
    """Events in the list's order. `next` leads on (to older ones, if not sorted otherwise), `prev` back; null where the
    list ends."""

    data: list[Event]
    next: str | None
    prev: str | None


class FilterError(BaseModel):
    """What is wrong with a filter, as the problem FILTER_INVALID says it."""

    detail: str = Field(description="What is wrong, for people.")
    fix: str | None = Field(None, description="What to do about it.")
    field: str | None = Field(None, description="The parameter that is wrong.")
    column: int | None = Field(None, description="The place in `query`, counted from 1.")
    reason: str | None = Field(None, description="Which error of the query language it is, for programs.")
    arguments: dict[str, str] | None = Field(None, description="Values that the error refers to, by name.")


class FilterCheck(BaseModel):
    """The error of a filter; null if the filter is valid."""

    error: FilterError | None
