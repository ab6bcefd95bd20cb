"""Tests the rows of the history, and which checks belong to which minute."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditlane.observe.conditions import Policy
from auditlane.observe.decide import Minute, decide, started
from auditlane.observe.history import token
from auditlane.observe.measurements import Disk, Measurements, Refusal, Rejected, TopicLag
from auditlane.observe.state import Letters, ObserverState

START = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
LETTERS = Letters(positions={0: 10})


def run(*checks: tuple[float, Measurements]) -> list[Minute]:
    """Return the minutes that are recorded for checks at these times, in seconds after the start."""
    state, minutes = ObserverState(letters=LETTERS), []
    for after_s, found in checks:
        now = START + timedelta(seconds=after_s)
        decision = decide(state, found, Policy("audit.events"), now=now, expiry_within=timedelta(days=14))
        state = ObserverState.parse(decision.state.dump())
        minutes += [decision.minute] if decision.minute else []
    return minutes


def found(total: int, seconds: float = 0.0, letters: int = 0, free: int = 60, **given: Any) -> Measurements:
    counts = {Refusal(1, "audit.events", "FIELD_RULE", "acme"): letters} if letters else {}
    values: dict[str, Any] = {
        "topics": {"audit.events": TopicLag(seconds, int(seconds))},
        "received": total,
        "completed": total - int(seconds),
        "rejected": Rejected(counts, {0: 10 + letters}),
        "disks": {"data folder": Disk(free, 100)},
    }
    return Measurements(**(values | given))


def test_the_token_of_a_minute_does_not_depend_on_the_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        # The first of these times does not exist in that time zone.
        assert token(datetime(2026, 3, 29, 2, 30, tzinfo=UTC)) == "observation:1774751400"
        assert token(datetime(2026, 3, 29, 3, 30, tzinfo=UTC)) == "observation:1774755000"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_minute_has_the_rates_and_highest_values_of_its_checks() -> None:
    [minute] = run(
        (0, found(1_000)), (20, found(2_000, 30, letters=2)), (40, found(3_000, 5)), (50, found(4_000, 0, 3, 50))
    )
    assert minute == Minute(
        since_ms=int(START.timestamp()) * 1_000,
        until_ms=int(START.timestamp()) * 1_000 + 50_000,
        received_per_second=60.0,
        stored_per_second=60.0,
        dead_letters=5,
        lag_seconds=30,
        lag_events=30,
        disk_used_ratio=0.5,
    )
    assert started(minute) == START.replace(second=0)


def test_each_minute_has_one_row() -> None:
    minutes = run(*((15.0 * number, found(100 * number)) for number in range(41)))
    assert [started(one).minute for one in minutes] == list(range(10))
    assert {one.received_per_second for one in minutes} == {100 / 15}


def test_what_was_not_measured_is_absent() -> None:
    nothing = Measurements()
    assert run((0, nothing), (50, nothing)) == [
        Minute(int(START.timestamp()) * 1_000, int(START.timestamp()) * 1_000 + 50_000, *[None] * 6)
    ]
    [minute] = run((0, nothing), (20, found(5)), (50, found(9)))
    assert (minute.received_per_second, minute.lag_seconds, minute.dead_letters) == (None, 0.0, 0)


def test_a_topic_that_was_created_again_has_no_rate() -> None:
    [minute] = run((0, found(1_000)), (50, found(10)))
    assert (minute.received_per_second, minute.stored_per_second) == (None, None)


def test_the_window_of_an_observer_that_ended_long_ago_is_dropped() -> None:
    assert run((0, found(1_000)), (301, found(9_000))) == []
    assert len(run((0, found(1_000)), (301, found(9_000)), (351, found(9_000)))) == 1
