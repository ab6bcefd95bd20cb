"""Tests when a condition is entered and left, and that noise around a threshold does neither."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable

import pytest

from auditlane.observe.hysteresis import Condition, Thresholds, Transition, check

SECOND = 1_000
LIMIT = Thresholds.above(60.0, checks=3, gap_ms=600 * SECOND)


def run(
    values: Iterable[float],
    thresholds: Thresholds = LIMIT,
    *,
    condition: Condition | None = None,
    every_ms: int = 15 * SECOND,
    from_ms: int = 0,
) -> tuple[Condition, list[tuple[int, Transition]]]:
    """Return the final state, and a list of the transitions, each with the number of the check that caused it."""
    condition = condition or Condition()
    transitions: list[tuple[int, Transition]] = []
    for number, value in enumerate(values):
        condition, transition = check(condition, value, thresholds, from_ms + number * every_ms)
        if transition:
            transitions.append((number, transition))
    return condition, transitions


def test_it_is_entered_after_three_checks_above_and_left_after_three_below_half() -> None:
    condition, transitions = run([0, 61, 70, 80, 90, 59, 31, 30, 29, 20, 10, 0])
    assert transitions == [(3, "entered"), (10, "left")]
    assert not condition.active


def test_it_begins_with_the_first_of_the_checks() -> None:
    condition, _ = run([0, 61, 70, 80, 90])
    assert (condition.since_ms, condition.entered_ms) == (15 * SECOND, 45 * SECOND)


@pytest.mark.parametrize("values", [[60] * 9, [61, 61, 60] * 9, [61, 0] * 9, [30, 45, 60] * 9])
def test_values_that_do_not_stay_above_enter_nothing(values: list[float]) -> None:
    assert run(values)[1] == []


@pytest.mark.parametrize("values", [[30] * 9, [29, 29, 30] * 9, [61, 29, 29] * 9, [30, 45, 60] * 9])
def test_values_that_do_not_stay_below_half_leave_nothing(values: list[float]) -> None:
    entered, _ = run([61] * 3)
    assert run(values, condition=entered, from_ms=45 * SECOND)[1] == []


def test_two_entries_are_at_least_the_gap_apart() -> None:
    hour = ([61] * 3 + [0] * 3) * 40  # an hour of 90 s periods
    condition, transitions = run(hour)
    entries = [number * 15 for number, transition in transitions if transition == "entered"]
    assert [later - earlier for earlier, later in itertools.pairwise(entries)] >= [600] * (len(entries) - 1)
    assert len(entries) == 6
    assert len(transitions) == 12
    assert not condition.active


def test_a_condition_that_returns_within_the_gap_is_entered_when_the_gap_is_over_if_it_lasts() -> None:
    condition, transitions = run([61] * 3 + [0] * 3 + [61] * 60)
    assert transitions == [(2, "entered"), (5, "left"), (42, "entered")]
    assert condition.since_ms == 6 * 15 * SECOND, "it began long before it was reported"


def test_the_state_continues_elsewhere() -> None:
    """A process that takes over the state makes the same transitions as its predecessor would have made."""
    values = [61, 62, 63, 64, 20, 20, 20, 61]
    whole = run(values)
    for cut in range(len(values)):
        first, before = run(values[:cut])
        last, after = run(values[cut:], condition=first, from_ms=cut * 15 * SECOND)
        assert [*before, *((number + cut, transition) for number, transition in after)] == whole[1]
        assert last == whole[0]


def test_a_condition_is_forgotten_only_when_nothing_depends_on_it() -> None:
    assert Condition().may_be_forgotten(LIMIT, 0)
    assert not run([61])[0].may_be_forgotten(LIMIT, 0)
    left, _ = run([61] * 3 + [0] * 3)
    assert not left.may_be_forgotten(LIMIT, 90 * SECOND)
    assert left.may_be_forgotten(LIMIT, 30 * SECOND + LIMIT.gap_ms)


@pytest.mark.parametrize("seed", range(50))
def test_a_load_that_wavers_around_the_threshold_does_not_flap(seed: int) -> None:
    """The values stay around the limit, and never fall below half of it. The condition is entered at most once, however
    long this lasts.
    """
    chance = random.Random(seed)
    condition, transitions = run(chance.uniform(31, 100) for _ in range(5_000))
    assert [transition for _, transition in transitions] in ([], ["entered"])
    assert condition.active is bool(transitions)


@pytest.mark.parametrize("seed", range(50))
def test_any_load_alternates_and_keeps_its_distances(seed: int) -> None:
    chance = random.Random(seed)
    thresholds = Thresholds.above(60.0, checks=chance.randint(1, 4), gap_ms=chance.choice([0, 300, 600]) * SECOND)
    values, value = [], 45.0
    for _ in range(5_000):
        value = min(130.0, max(0.0, value + chance.gauss(0, 12)))
        values.append(value)
    condition, transitions = run(values, thresholds)
    kinds = [transition for _, transition in transitions]
    assert kinds == [("entered", "left")[number % 2] for number in range(len(kinds))]
    assert condition.active is (len(kinds) % 2 == 1)
    for number, transition in transitions:
        latest = values[number - thresholds.checks + 1 : number + 1]
        assert all(one > 60 if transition == "entered" else one < 30 for one in latest)
    entries = [15 * SECOND * number for number, transition in transitions if transition == "entered"]
    assert all(later - earlier >= thresholds.gap_ms for earlier, later in itertools.pairwise(entries))
