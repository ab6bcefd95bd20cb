"""Events grouped by a field. The JSON API and the SDK's reader return these models."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Span(BaseModel):
    """The time from `start` (inclusive) to `end` (exclusive), in RFC 3339 and UTC."""

    start: str
    end: str


class Group(BaseModel):
    """Events with something in common, such as the value of a field."""

    events: int
    before: int | None = Field(description="Events in the period before; null without `compare`.")
    counts: list[int] = Field(description="Events in each of the buckets.")
    query: str | None = Field(
        description="The query that finds exactly these events; combine it with the request's own filters."
        " Null if it would be too long."
    )


class ValueGroup(Group):
    """The events with one value of the field. With `compare`, a value with a `before` of 0 is new, and one with
    `events` of 0 has vanished.
    """

    value: str


class PeriodBefore(Span):
    """The period of equal length directly before the counted one."""

    events: int


class EventGroups(BaseModel):
    """Events grouped by a field's values and over time. Every event is in exactly one group of `data`, in `others` or
    in `none`.
    """

    field: str
    tz: str = Field(description="The time zone of the buckets' edges.")
    interval: str = Field(description="The width of a bucket as an ISO 8601 duration.", examples=["P1D"])
    events: int = Field(description="Events in all groups.")
    before: PeriodBefore | None = Field(description="The period before, with the events of all groups in it.")
    values: int = Field(description="Different values in both periods.")
    new: int | None = Field(description="Values that only the counted period has; null without `compare`.")
    vanished: int | None = Field(description="Values that only the period before has; null without `compare`.")
    buckets: list[Span] = Field(description="The buckets of all `counts`, including empty ones.")
    data: list[ValueGroup] = Field(
        description="The values with the most events, most frequent first; with `compare`, in either period."
    )
    others: Group = Field(description="The events with any other value.")
    none: Group = Field(description="The events without a value.")
