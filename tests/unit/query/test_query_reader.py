"""Tests that all statements for a page share the time limit of one statement, however many the page's filter needs."""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.access.scope import TenantScope
from auditlane.query import reader as module
from auditlane.query.clickhouse.executor import Limits
from auditlane.query.clickhouse.statements import Statement
from auditlane.query.filters import Filter
from auditlane.query.reader import Reader
from auditlane.runtime.settings import load


class Slow:
    """Returns an edge, and then no rows. Each statement takes four seconds of a simulated clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.given: list[float] = []

    def rows(self, statement: Statement, tenant: str, seconds: float) -> list[dict[str, Any]]:
        self.given.append(seconds)
        self.now += 4.0
        return [{"edge": 1}] if " AS edge" in statement.sql else []


def test_a_page_of_several_statements_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    reader = Reader(load(), Limits(page_s=10.0))
    monkeypatch.setattr(module, "monotonic", lambda: slow.now)
    monkeypatch.setattr(reader, "executor", slow)
    page = reader.page(TenantScope.for_operator("acme"), Filter(equals={"action": ("x",)}), limit=5)
    assert page.events == []
    assert slow.given == [10.0, 6.0, 2.0, 1.0, 1.0], "the rest of ten seconds, and at least one second"
