"""Tests the preceding period, and the query that finds a group's events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditlane.query.fields import EARLIEST, find
from auditlane.query.filters import Filter
from auditlane.query.language.parser import parse
from auditlane.query.language.tree import text_of
from auditlane.query.summary.comparison import start_before
from auditlane.query.summary.groups import Counted, none_query, others_query, value_query
from auditlane.runtime.errors import InvalidFilter

NOW = datetime(2026, 3, 31, tzinfo=UTC)
DAY = timedelta(days=1)
WITHOUT_ACCESS = Filter(include_access=False)
ONLY_VALUES = {"named": 1, "unnamed": 1}


def test_the_period_before_has_the_same_length():
    assert start_before(NOW - 3 * DAY, NOW - DAY, NOW) == NOW - 5 * DAY
    assert start_before(NOW - 3 * DAY, None, NOW) == NOW - 6 * DAY
    assert start_before(NOW, NOW + DAY, NOW - DAY) == NOW - DAY


def test_a_period_before_begins_at_the_earliest_storable_time():
    assert start_before(EARLIEST + DAY, NOW, NOW) == EARLIEST
    assert start_before(EARLIEST, NOW, NOW) == EARLIEST


@pytest.mark.parametrize(("since", "until"), [(None, None), (None, NOW), (NOW, None), (NOW + DAY, None)])
def test_a_period_that_has_none_before_it_is_refused(since, until):
    with pytest.raises(InvalidFilter) as refused:
        start_before(since, until, NOW)
    assert refused.value.field == "compare"
    assert refused.value.fix


@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("action", "login", "action:login"),
        ("metadata.a b", 'x "y"', 'metadata.a\\ b:"x \\"y\\""'),
        ("actor_id", "u-1", "actor_id:u-1"),
        ("action", "audit_log.viewed", "action:audit_log.viewed -source:auditlane"),
        ("source", "shop", "source:shop"),
    ],
)
def test_the_query_of_a_value(field, value, query):
    assert text_of(value_query(find(field, {}), value, ONLY_VALUES, WITHOUT_ACCESS)) == query


def test_the_query_of_auditlane_as_the_source_leaves_out_access():
    query = text_of(value_query(find("source", {}), "auditlane", ONLY_VALUES, WITHOUT_ACCESS))
    assert query.startswith("source:auditlane -action:audit_log.exported -action:audit_log.viewed ")
    assert text_of(value_query(find("source", {}), "auditlane", ONLY_VALUES, Filter())) == "source:auditlane"


@pytest.mark.parametrize(
    ("row", "query"),
    [
        ({"named": 2, "unnamed": 0}, "actor_name:Jane"),
        ({"named": 0, "unnamed": 2}, "actor_id:Jane -actor_name:*"),
        ({"named": 1, "unnamed": 1}, "actor_name:Jane OR actor_id:Jane -actor_name:*"),
    ],
)
def test_the_query_of_an_actor(row, query):
    assert text_of(value_query(find("actor", {}), "Jane", row, WITHOUT_ACCESS)) == query


def test_the_queries_of_the_rest():
    action, actor = find("action", {}), find("actor", {})
    found = [value_query(action, value, ONLY_VALUES, WITHOUT_ACCESS) for value in ("a", "b")]
    assert text_of(others_query(action, found)) == "action:* -(action:a OR action:b)"
    assert text_of(others_query(action, [])) == "action:*"
    assert text_of(none_query(action)) == "-action:*"
    assert text_of(none_query(actor)) == "-actor_name:* -actor_id:*"


def test_counts_are_collected_by_place_and_bucket():
    rows = [
        {"place": 0, "edge": 10, "events": 1, "before": 4},
        {"place": 2, "edge": 20, "events": 3, "before": 0},
        {"place": 2, "edge": 10, "events": 2, "before": 5},
    ]
    counted = Counted(rows, [10, 20, 30], compared=True)
    group = counted.group(2, parse("action:a OR action:b", {}))
    assert group.model_dump() == {"events": 5, "before": 5, "counts": [2, 3, 0], "query": "(action:a OR action:b)"}
    assert counted.group(1, None).model_dump() == {"events": 0, "before": 0, "counts": [0, 0, 0], "query": None}
    assert counted.before() == 9
    assert Counted(rows, [10, 20], compared=False).group(0, None).before is None


def test_a_query_that_would_be_too_long_is_left_out():
    query = value_query(find("description", {}), "x" * 5_000, ONLY_VALUES, WITHOUT_ACCESS)
    assert Counted([], [], compared=False).group(2, query).query is None
