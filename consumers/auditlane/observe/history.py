"""A week of measurements in the table `observations`, one row per minute."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from auditlane.query.clickhouse.executor import errors
from auditlane.store.client import store_errors

MINUTE_S: Final = 60
WEEK_S: Final = 7 * 86_400
MOST_POINTS: Final = 1_440  # maximum number of points in a response; longer periods have wider steps
_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Observation:
    """The measurements of one minute. A value that was not measured is None."""

    received_per_second: float | None = None
    stored_per_second: float | None = None
    lag_seconds: float | None = None
    lag_events: int | None = None
    freshness_p50_s: float | None = None
    freshness_p99_s: float | None = None
    dead_letters: int | None = None
    query_p99_s: float | None = None
    ingest_p99_s: float | None = None
    disk_used_ratio: float | None = None


COLUMNS: Final = tuple(field.name for field in fields(Observation))
# How a step's minutes are combined, if not by the maximum.
COMBINED: Final = {
    "received_per_second": "avg",
    "stored_per_second": "avg",
    "freshness_p50_s": "avg",
    "dead_letters": "sum",
}


@dataclass(frozen=True, slots=True)
class Columns:
    """The measurements of a period.

    A step is `step_s` seconds long, and `at` contains the start of each step. Every list in `values` has one entry per
    step. Steps without a measurement are omitted.
    """

    step_s: int
    at: list[datetime]
    values: dict[str, list[float | None]]


def save(client: Client, database: str, minute: datetime, observation: Observation) -> None:
    """Store the measurements of a minute, unless that minute already has some. Raises StoreUnavailable or
    StoreRefused.
    """
    at = minute.replace(second=0, microsecond=0)
    with store_errors():
        client.insert(
            "observations",
            [[at, *astuple(observation)]],
            column_names=["minute", *COLUMNS],
            database=database,
            settings={"insert_deduplication_token": token(at), "async_insert": 0},
        )


def token(minute: datetime) -> str:
    """Return the deduplication token for the row of a minute. It is the same in every process, regardless of the time
    zone.
    """
    return f"observation:{int(minute.timestamp())}"


def step_of(seconds: float, points: int = MOST_POINTS) -> int:
    """Return the length of a step in seconds, such that a period of `seconds` has at most `points` steps."""
    minutes = max(1, -(-int(seconds) // MINUTE_S))
    return MINUTE_S * -(-minutes // points)


def first_step(since: float, step_s: int) -> int:
    """Return the start of the first whole step after a time. Both times are in seconds since 1970."""
    return math.ceil(since / step_s) * step_s


def history(client: Client, database: str, since: datetime, *, now: datetime, points: int = MOST_POINTS) -> Columns:
    """Return the measurements since a time, oldest first, in at most `points` whole steps. Only the last week is kept.

    The minutes of a step are combined: rates and the median are averaged, dead letters are added up, and other values
    are represented by their maximum. Raises StoreUnavailable, StoreRefused, or QueryTooLarge.
    """
    step_s = step_of((now - since).total_seconds(), points)
    combined = ", ".join(f"{COMBINED.get(name, 'max')}({name})" for name in COLUMNS)
    sql = f"""
        SELECT toStartOfInterval(minute, toIntervalSecond({{step:UInt32}})) AS step, {combined}
        FROM {{database:Identifier}}.observations
        WHERE minute >= fromUnixTimestamp({{since:Int64}})
        GROUP BY step ORDER BY step
    """  # noqa: S608 - our own names, values are parameters
    values: dict[str, Any] = {"database": database, "step": step_s, "since": first_step(since.timestamp(), step_s)}
    with errors():
        rows = client.query(sql, parameters=values, settings={"max_execution_time": _SECONDS}).result_rows
    at = [row[0] if row[0].tzinfo else row[0].replace(tzinfo=UTC) for row in rows]
    columns = {name: [row[number] for row in rows] for number, name in enumerate(COLUMNS, 1)}
    return Columns(step_s, at, columns)
