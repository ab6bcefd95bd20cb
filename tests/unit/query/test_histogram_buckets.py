"""Tests the buckets of a histogram. There are at most as many as requested, they have no gaps, and they are aligned to
local time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.query.fields import EARLIEST, LATEST
from auditlane.query.summary.buckets import WIDTHS, edges, fitting

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 3, 27, 10, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "name"),
    [
        (timedelta(microseconds=1), "PT1S"),
        (timedelta(minutes=1), "PT1S"),
        (timedelta(hours=1), "PT1M"),
        (timedelta(days=1), "PT30M"),
        (timedelta(days=7), "PT3H"),
        (timedelta(days=30), "PT12H"),
        (timedelta(days=365), "P1W"),
        (timedelta(days=4_000), "P3M"),
        (LATEST - EARLIEST, "P10Y"),
    ],
)
def test_the_width_follows_the_span(span, name):
    assert fitting(START, START + span, 60).name == name


def test_days_follow_the_clock_when_it_changes():
    """On 2026-03-29, clocks in Berlin skip an hour."""
    day = next(one for one in WIDTHS if one.name == "P1D")
    found = edges(START, START + timedelta(days=4), day, BERLIN)
    assert [one.astimezone(BERLIN).hour for one in found] == [0] * len(found)
    assert [(end - start) // timedelta(hours=1) for start, end in pairwise(found)] == [24, 24, 23, 24, 24]
    utc = edges(START, START + timedelta(days=4), day, ZoneInfo("UTC"))
    assert utc[0] == datetime(2026, 3, 27, tzinfo=UTC)


def test_weeks_begin_on_monday_and_months_with_their_first():
    week, month = (next(one for one in WIDTHS if one.name == name) for name in ("P1W", "P1M"))
    assert {one.weekday() for one in edges(START, START + timedelta(days=30), week, ZoneInfo("UTC"))} == {0}
    assert {one.astimezone(BERLIN).day for one in edges(START, START + timedelta(days=300), month, BERLIN)} == {1}


@given(
    st.datetimes(datetime(1901, 1, 1), datetime(2298, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zone follows
    st.timedeltas(timedelta(microseconds=1), timedelta(days=3_000)),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe"]),
    st.integers(1, 500),
)
def test_buckets_hold_the_whole_span_edge_to_edge(since, span, zone, most):
    until = since + span
    width = fitting(since, until, most)
    found = edges(since, until, width, ZoneInfo(zone))
    assert found[0] <= since < found[1]
    assert found[-2] < until <= found[-1] or len(found) == 2
    assert all(start < end for start, end in pairwise(found))
    assert len(found) <= most * 2 + 3
