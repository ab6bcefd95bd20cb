"""Chooses the buckets of a histogram: a suitable width, and edges at round times in the time zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

Unit = Literal["second", "hour", "day", "month"]
_SECONDS: Final = {"second": 1, "hour": 3_600, "day": 86_400, "month": 2_629_746}
_MONDAY: Final = datetime(1900, 1, 1)  # noqa: DTZ001 - local time


@dataclass(frozen=True, slots=True)
class Width:
    """The width of a bucket. `name` is an ISO 8601 duration. Widths up to an hour are in elapsed time, and longer ones
    in local time.
    """

    name: str
    count: int
    unit: Unit

    @property
    def seconds(self) -> int:
        """The approximate length in seconds."""
        return self.count * _SECONDS[self.unit]


WIDTHS: Final = (
    *(Width(f"PT{count}S", count, "second") for count in (1, 5, 15, 30)),
    *(Width(f"PT{count // 60}M", count, "second") for count in (60, 300, 900, 1_800)),
    Width("PT1H", 3_600, "second"),
    *(Width(f"PT{count}H", count, "hour") for count in (3, 6, 12)),
    Width("P1D", 1, "day"),
    Width("P1W", 7, "day"),
    *(Width(f"P{count}M", count, "month") for count in (1, 3)),
    *(Width(f"P{count}Y", 12 * count, "month") for count in (1, 10, 100)),
)


def fitting(since: datetime, until: datetime, max_buckets: int) -> Width:
    """Return the narrowest width with which about `max_buckets` buckets cover the time from `since` to `until`."""
    span = (until - since).total_seconds()
    return next((width for width in WIDTHS if span <= width.seconds * max_buckets), WIDTHS[-1])


def edges(since: datetime, until: datetime, width: Width, zone: ZoneInfo) -> list[datetime]:
    """Return the starts of the buckets that cover the time from `since` to `until`, and the end of the last bucket."""
    if width.unit == "second":
        found, step = [_floored(since, width.count, zone)], timedelta(seconds=width.count)
        while found[-1] < until or len(found) < 2:
            found.append(found[-1] + step)
        return found
    wall = _wall_floor(since.astimezone(zone).replace(tzinfo=None), width)
    found = []
    while not found or found[-1] < until or len(found) < 2:
        edge = wall.replace(tzinfo=zone).astimezone(UTC)
        if not found or edge > found[-1]:  # an hour skipped by a clock change has no bucket
            found.append(edge)
        wall = _next(wall, width)
    return found


def _floored(at: datetime, step: int, zone: ZoneInfo) -> datetime:
    offset = at.astimezone(zone).utcoffset() or timedelta()
    since_midnight = (at + offset - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(seconds=step)
    return at - since_midnight


def _wall_floor(wall: datetime, width: Width) -> datetime:
    midnight = wall.replace(hour=0, minute=0, second=0, microsecond=0)
    if width.unit == "hour":
        return midnight.replace(hour=wall.hour - wall.hour % width.count)
    if width.unit == "day":
        return midnight - timedelta(days=(midnight - _MONDAY).days % width.count)
    months = (midnight.year * 12 + midnight.month - 1) // width.count * width.count
    return midnight.replace(year=max(1, months // 12), month=months % 12 + 1, day=1)


def _next(wall: datetime, width: Width) -> datetime:
    if width.unit == "month":
        months = wall.year * 12 + wall.month - 1 + width.count
        return wall.replace(year=months // 12, month=months % 12 + 1)
    return wall + timedelta(seconds=width.seconds)
