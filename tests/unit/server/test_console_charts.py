"""Tests the console's charts and timeline: geometry with gaps, formats, and labels in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditlane.observe.history import COLUMNS, Columns
from auditlane.observe.timeline import OPERATIONAL, OperationalEvent
from auditlane.server.pages.console import operation
from auditlane.server.pages.console.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Gap,
    Period,
    bars,
    combined,
    gaps,
    latest,
    line,
    marks,
    ticks,
    top_of,
    y_of,
)
from auditlane.server.pages.i18n import catalogues

EN, DE = (catalogues()[one] for one in ("en", "de"))
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GROUND = HEIGHT - BOTTOM
INNER = WIDTH - LEFT - RIGHT


def hours(*numbers: int, of: int = 10) -> Period:
    """Return a period of `of` hours that begins at START, with steps at these hours."""
    return Period(START, START + of * HOUR, 3_600, [START + number * HOUR for number in numbers])


def test_the_top_of_a_scale_is_one_two_or_five_times_a_power_of_ten() -> None:
    assert [top_of(value) for value in (0.0, 0.03, 1.0, 1.1, 3.0, 7.0, 10.0, 2_001.0)] == pytest.approx(
        [1.0, 0.05, 1.0, 2.0, 5.0, 10.0, 10.0, 5_000.0]
    )


def test_a_scale_of_times_ends_at_a_round_time() -> None:
    tops = [top_of(value, seconds=True) for value in (0.03, 50.0, 51.0, 77.0, 3_000.0, 90_000.0, 2e6)]
    assert tops == pytest.approx([0.05, 50.0, 60.0, 120.0, 3_600.0, 172_800.0, 2e6])


def test_a_scale_begins_at_zero_and_counts_have_no_fractions() -> None:
    assert (y_of(0.0, 5.0), y_of(5.0, 5.0)) == (GROUND, TOP)
    assert [tick.value for tick in ticks(5.0, whole=False)] == [0.0, 2.5, 5.0]
    assert [tick.value for tick in ticks(5.0, whole=True)] == [0.0, 5.0]
    assert [tick.value for tick in ticks(20.0, whole=True)] == [0.0, 10.0, 20.0]


def test_a_line_connects_the_middles_of_consecutive_steps() -> None:
    first, second = LEFT + INNER * 0.05, LEFT + INNER * 0.15
    assert line(hours(0, 1), [0.0, 10.0], 10.0) == f"M{first:g} {GROUND}L{second:g} {TOP}"


def test_a_line_is_interrupted_where_a_value_or_a_step_is_missing_and_never_falls_to_zero() -> None:
    path = line(hours(0, 1, 2, 3, 7, 8, 9), [5.0, 5.0, None, 5.0, 5.0, 5.0, 0.0], 5.0)
    first, alone, last = path.split("M")[1:]
    assert (first.count("L"), last.count("L")) == (1, 2)
    x, y = alone.split("H")[0].split(" ")
    assert (float(alone.split("H")[1]) - float(x), float(y)) == (pytest.approx(INNER / 10), TOP)  # as wide as one step
    assert path.count(f" {GROUND}") == 1  # the zero was measured
    assert line(hours(), [], 1.0) == line(hours(1), [None], 1.0) == ""


def test_bars_are_as_wide_as_their_step_and_visible_even_if_small() -> None:
    path = bars(hours(0, 1, 2, 3), [0.0, 1.0, None, 100_000.0], 100_000.0)
    small, large = path.split("M")[1:]
    left, right = LEFT + INNER * 0.1, LEFT + INNER * 0.2
    assert small == f"{left:g} {GROUND}V{GROUND - 1}H{right:g}V{GROUND}Z"
    assert f"V{TOP}H" in large


def test_gaps_are_where_no_column_has_a_value() -> None:
    period = hours(0, 1, 4, 5, 9)
    first, second = gaps(period, [[1.0, None, None, 1.0, None], [None, None, None, 1.0, 0.0]])
    assert (first.x, first.width, first.seconds) == pytest.approx((LEFT + INNER * 0.1, INNER * 0.4, 4 * 3_600))
    assert (second.x, second.width, second.seconds) == pytest.approx((LEFT + INNER * 0.6, INNER * 0.3, 3 * 3_600))
    [end] = gaps(hours(*range(9)), [[1.0] * 9])
    assert (end.x, end.width, end.seconds) == pytest.approx((LEFT + INNER * 0.9, INNER * 0.1, 3_600))
    assert gaps(hours(), [[]]) == [Gap(LEFT, INNER, 36_000)]
    running = Period(START - timedelta(minutes=20), START + timedelta(minutes=30), 3_600, [START - HOUR])
    assert gaps(running, [[1.0]]) == []  # neither an earlier step nor the current step counts as a gap


def test_positions_are_within_the_drawing() -> None:
    period = Period(START, START + HOUR, 3_600, [START - HOUR, START + HOUR])
    assert [period.x(at) for at in period.at] == [LEFT, WIDTH - RIGHT]


def test_days_are_marked_in_a_week_and_every_six_hours_in_a_day() -> None:
    at = START + timedelta(hours=5)
    assert [f"{one:%d %H}" for one in marks(Period(at - timedelta(days=1), at, 300, []))] == [
        "28 06",
        "28 12",
        "28 18",
        "01 00",
    ]
    assert [f"{one:%d %H}" for one in marks(Period(at - timedelta(days=3), at, 300, []))] == ["27 00", "28 00", "01 00"]


def test_values_are_combined_without_those_that_are_missing() -> None:
    assert [combined([1.0, None, 3.0], how) for how in ("avg", "sum", "max")] == [2.0, 4.0, 3.0]
    assert combined([None], "sum") is None
    assert (latest([1.0, 2.0, None]), latest([None])) == (2.0, None)


def columns(rows: int, **values: list[float | None]) -> Columns:
    at = [START + number * timedelta(minutes=30) for number in range(rows)]
    return Columns(1_800, at, {name: values.get(name, [None] * rows) for name in COLUMNS})


def test_every_chart_has_texts_in_the_readers_language_and_a_missing_value_is_a_dash() -> None:
    found = columns(
        4,
        received_per_second=[1_234.0, 0.5, None, 20.0],
        lag_seconds=[0.4, None, 90.0, 0.0],
        dead_letters=[1, 2, None, 3],
    )
    now = START + timedelta(hours=2)
    for words, rate, lag, letters in (
        (EN, ("20.0", "1,234"), ("0", "2 min"), "6"),
        (DE, ("20,0", "1.234"), ("0", "2 min"), "6"),
    ):
        made = operation.measured(words, found, operation.RANGES["7d"], now=now)
        by_name = {one.name: one for one in made.charts}
        assert [(one.latest, one.highest) for one in by_name["rate"].series] == [rate, ("–", "–")]
        assert (by_name["age"].series[0].latest, by_name["age"].series[0].highest) == lag
        assert by_name["rejected"].series[0].latest == letters
        assert by_name["latency"].missing
        assert all(one.gaps for one in made.charts)
    assert [one.title for one in operation.measured(DE, found, HOUR, now=now).charts][:2] == [
        "Ereignisse pro Sekunde",
        "Rückstand",
    ]


def test_the_table_combines_hours_or_days_and_is_newest_first() -> None:
    found = columns(50, received_per_second=[10.0, 20.0, *[None] * 48], dead_letters=[1.0] * 50)
    week = operation.measured(EN, found, operation.RANGES["7d"], now=START + timedelta(hours=25)).table
    assert [(head, row[0], row[5]) for head, row in week.rows] == [
        ("2026-03-02", "–", "2"),
        ("2026-03-01", "15.0", "48"),
    ]
    day = operation.measured(DE, found, operation.RANGES["24h"], now=START + timedelta(hours=25)).table
    assert (day.rows[0][0], day.rows[-1][0], day.rows[-1][1][0]) == ("02.03.2026 00:00", "01.03.2026 00:00", "15,0")
    assert len(week.heads) == len(week.rows[0][1])


def test_without_measurements_there_are_no_charts() -> None:
    assert operation.measured(EN, columns(0), HOUR, now=START).charts == []


def event(action: str, **metadata: str) -> OperationalEvent:
    return OperationalEvent(START, action, "failure", "Medium", "partition", None, None, metadata, "id", None)


def test_an_event_has_a_label_and_named_details_in_both_languages() -> None:
    lag = event("lag.detected", seconds="75", events="12345", since="2026-03-01T00:00:00Z", other="x")
    [english], [german] = operation.entries(EN, [lag]), operation.entries(DE, [lag])
    assert (english.label, german.label) == ("Processing delayed", "Verarbeitung verzögert")
    assert english.details == [
        ("delay", "1 min"),
        ("not stored", "12,345"),
        ("since", "2026-03-01 00:00:00"),
        ("other", "x"),
    ]
    assert german.details[:3] == [
        ("Verzögerung", "1 min"),
        ("nicht gespeichert", "12.345"),
        ("seit", "01.03.2026 00:00:00"),
    ]
    [odd] = operation.entries(DE, [event("lag.detected", seconds="many", since="soon", events="nan")])
    assert [value for _, value in odd.details] == ["many", "soon", "NaN"]


@pytest.mark.parametrize("action", OPERATIONAL)
def test_every_operational_action_has_a_label_and_names_for_its_metadata(action: str) -> None:
    known = operation.ACTIONS[action]
    names = {*known.required, *known.optional}
    [entry] = operation.entries(DE, [event(action, **dict.fromkeys(names, "1"))])
    assert entry.label == operation.LABELS[action].de
    if known.noun not in {"task", "request", "rate", "delivery"}:  # for applications
        assert names <= operation._DETAILS.keys()
