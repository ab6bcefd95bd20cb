"""Tests how long the reach of the nearest events is remembered, and for which statements."""

from __future__ import annotations

from auditlane.access.scope import TenantScope
from auditlane.query.filters import parse
from auditlane.query.reaches import KEPT_S, Reaches
from auditlane.query.sort import NEWEST, Position, Sort
from auditlane.query.sql import compile_reach
from auditlane.query.windows import Reach

REACH = Reach(10_000, 900, 500, 100)


def statement(tenant: str = "acme", position: Position | None = None, sort: Sort = NEWEST, **filters: str):
    scope = TenantScope.for_operator(tenant)
    return compile_reach("audit", scope, parse(filters.items()), position=position, sort=sort, rows=10_000)


def test_a_reach_is_remembered_for_a_while():
    reaches = Reaches()
    assert reaches.get(statement(), 5.0) is None
    reaches.put(statement(), REACH, 5.0)
    assert reaches.get(statement(), 4.9 + KEPT_S) == REACH
    assert reaches.get(statement(), 5.0 + KEPT_S) is None


def test_a_reach_serves_other_filters_of_the_same_events():
    reaches = Reaches()
    reaches.put(statement(action="login"), REACH, 5.0)
    assert reaches.get(statement(q="invoice", actor="u-1"), 5.0) == REACH
    position = Position(7, "00000000-0000-4000-8000-000000000001", "0" * 32)
    for other in (
        statement("globex"),
        statement(**{"from": "2026-03-01"}),
        statement(to="2026-03-01"),
        statement(position=position),
        statement(sort=Sort(NEWEST.field, descending=False)),
    ):
        assert reaches.get(other, 5.0) is None
