"""The responses of the summary routes."""

from __future__ import annotations

from pydantic import BaseModel, Field

from auditlane.contract.event_groups import Span


class Count(BaseModel):
    """The number of events with this value. Null stands for events without a value."""

    value: str | None
    events: int


class Facet(BaseModel):
    """A field's most frequent values, in descending order."""

    field: str
    data: list[Count]


class Bucket(BaseModel):
    """The number of events that occurred at or after `start` and before `end` (RFC 3339, UTC)."""

    start: str
    end: str
    events: int


class Histogram(BaseModel):
    """Every bucket of the requested time, including empty ones."""

    interval: str = Field(description="The width of a bucket as an ISO 8601 duration.", examples=["PT1H"])
    tz: str = Field(description="The time zone of the buckets' edges.")
    events: int = Field(description="Events in all buckets.")
    data: list[Bucket]


class StatsBefore(Span):
    """The figures of the period of equal length directly before the counted one."""

    events: int
    severe: int


class Stats(BaseModel):
    """A dashboard's figures between `from` and `to`, or for the last seven days without them."""

    tz: str
    today: int = Field(description="Events that occurred since midnight.")
    events: int = Field(description="All events.")
    severe: int = Field(description="Events whose severity is High, Critical or Error.")
    before: StatsBefore | None = Field(description="The same figures for the period before; null without `compare`.")
    actions: list[Count] = Field(description="The most frequent actions.")
    actors: list[Count] = Field(
        description="The most active actors, each with the number of events that the filter `actor` finds."
    )
