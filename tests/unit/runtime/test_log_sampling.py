"""Tests that repeated failures are logged once a minute per kind, and that every failure is counted."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from auditlane.runtime.log import get
from auditlane.runtime.log_sampling import WINDOW_MS, Line, SampledLog, Sampler


def line(number: int) -> Line:
    return Line("range.failed", {"offset": number})


def counts(lines: list[Line]) -> list[tuple[int, int]]:
    return [(one.fields["offset"], one.times) for one in lines]


def test_the_first_is_logged_at_once_and_then_the_latest_of_each_minute_with_a_count() -> None:
    sampler = Sampler()
    assert counts(sampler.add("insert", line(1), 0)) == [(1, 1)]
    assert counts(sampler.add("insert", line(2), 10)) == []
    assert counts(sampler.add("insert", line(3), WINDOW_MS - 1)) == []
    assert counts(sampler.due(WINDOW_MS - 1)) == []
    assert counts(sampler.due(WINDOW_MS)) == [(3, 2)]
    assert counts(sampler.add("insert", line(4), WINDOW_MS + 1)) == []
    assert counts(sampler.due(2 * WINDOW_MS)) == [(4, 1)]
    assert counts(sampler.due(3 * WINDOW_MS)) == []
    # The kind has been forgotten in the meantime.
    assert counts(sampler.add("insert", line(5), 3 * WINDOW_MS)) == [(5, 1)]


def test_kinds_do_not_hide_each_other() -> None:
    sampler = Sampler()
    assert counts(sampler.add(("insert", "TOO_MANY_PARTS"), line(1), 0)) == [(1, 1)]
    assert counts(sampler.add(("insert", "NOT_ENOUGH_SPACE"), line(2), 1)) == [(2, 1)]


def test_suppressed_lines_are_logged_at_the_end() -> None:
    sampler = Sampler()
    sampler.add("commit", line(1), 0)
    sampler.add("commit", line(2), 1)
    assert counts(sampler.due()) == [(2, 1)]
    assert sampler.due() == []


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, WINDOW_MS // 3)), max_size=30))
def test_counts_add_up_and_lines_of_a_kind_are_a_minute_apart(steps: list[tuple[str, int]]) -> None:
    sampler, now, lines = Sampler(), 0, list[tuple[str, int, int]]()
    for kind, later in steps:
        now += later
        lines += [(one.event, now, one.times) for one in sampler.add(kind, Line(kind, {}), now)]
    for kind in "ab":
        times = [at for event, at, _ in lines if event == kind]
        assert all(after - before >= WINDOW_MS for before, after in pairwise(times))
    lines += [(one.event, now, one.times) for one in sampler.due()]
    for kind in "ab":
        assert sum(times for event, _, times in lines if event == kind) == sum(one == kind for one, _ in steps)


def test_the_log_writes_them_with_their_fields() -> None:
    with capture_logs() as logs:
        sampled_log = SampledLog(get("worker"))
        for number in range(3):
            sampled_log.warning("range.failed", kind="insert", now=number, offset=number)
        sampled_log.flush(5)
        sampled_log.flush()
    assert [(one["event"], one["offset"], one["count"], one["log_level"]) for one in logs] == [
        ("range.failed", 0, 1, "warning"),
        ("range.failed", 2, 2, "warning"),
    ]
