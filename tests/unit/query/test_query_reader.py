"""Tests that all statements for a page share a single time limit, and that a long search returns how far it got."""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.access.scope import TenantScope
from auditlane.query import page_rows, reader
from auditlane.query.clickhouse.executor import Limits
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.filters import Filter
from auditlane.query.reader import Page, Reader
from auditlane.query.sort import Position
from auditlane.query.windows import PROBE_ROWS
from auditlane.runtime.settings import load

DAY_US = 86_400_000_000
REACH = {"rows": PROBE_ROWS, "nearest": 1_000 * DAY_US, "edge": 999 * DAY_US, "farthest": 0}
SEARCHED = Filter(words=("nothing",))


class Slow:
    """Returns how far back the log goes, and then no rows. Each statement takes some seconds on a simulated clock."""

    def __init__(self, seconds: float) -> None:
        self.now = 100.0
        self.given: list[float] = []
        self._seconds = seconds

    def rows(self, statement: Statement, tenant: str = "", seconds: float | None = None) -> list[dict[str, Any]]:
        self.given.append(seconds or 0)
        self.now += self._seconds
        return [REACH] if " AS edge" in statement.sql else []


def searched(monkeypatch: pytest.MonkeyPatch, slow: Slow, position: Position | None = None) -> Page:
    monkeypatch.setattr(reader, "monotonic", lambda: slow.now)
    monkeypatch.setattr(page_rows, "monotonic", lambda: slow.now)
    monkeypatch.setattr(reader.QueryExecutor, "rows", lambda executor, *of: slow.rows(*of))
    made = Reader(load(), Limits(page_s=10.0))
    return made.page(TenantScope.for_operator("acme"), SEARCHED, limit=5, position=position)


def test_a_page_of_several_statements_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(4.0)
    searched(monkeypatch, slow)
    assert slow.given == [10.0, 6.0], "the rest of ten seconds"


def test_a_long_search_returns_how_far_it_went_and_where_it_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    page = searched(monkeypatch, Slow(0.9))
    assert (page.events, page.newer, page.searched_us) == ([], None, REACH["edge"])
    assert page.older is not None
    assert page.older.occurred_us == REACH["edge"]
    following = searched(monkeypatch, Slow(0.9), page.older)
    assert following.newer is not None, "the way back"
    assert following.newer.occurred_us == REACH["edge"]


def test_a_quick_search_covers_the_whole_log(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow(0.001)
    page = searched(monkeypatch, slow)
    assert (page.events, page.older, page.searched_us) == ([], None, None)
    assert len(slow.given) == 4, "how far the log reaches, and windows of 1 day, 150 days, and the rest"
