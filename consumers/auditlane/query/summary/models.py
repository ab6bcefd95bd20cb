"""What the summaries answer with."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Count(BaseModel):
    """How many events have this value; null counts those that have none."""

    value: str | None
    events: int


class Facet(BaseModel):
    """The most frequent values of a field, the most frequent first."""

    field: str
    data: list[Count]


class Bucket(BaseModel):
    """Events that occurred from `start` on and before `end`; RFC 3339 in UTC."""

    start: str
    end: str
    events: int


class Histogram(BaseModel):
    """Every bucket of the time asked about, also those without events."""

    interval: str = Field(description="ISO 8601 duration of a bucket.", examples=["PT1H"])
    tz: str = Field(description="Whose midnights and months the buckets begin with.")
    events: int = Field(description="In all buckets.")
    data: list[Bucket]


class Stats(BaseModel):
    """The numbers of a dashboard. `week` is the last seven days."""

    tz: str
    today: int = Field(description="Events since midnight.")
    week: int = Field(description="Events of the last seven days.")
    severe: int = Field(description="Events of the last seven days whose severity is High, Critical or Error.")
    actions: list[Count] = Field(description="The most frequent actions of the last seven days.")
    actors: list[Count] = Field(description="The most active people and machines of the last seven days.")
