"""Tests the SQL for Frontegg's queries. It is restricted to the tenant, and every value from the caller is a
parameter.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.contract.frontegg import NAMES
from auditlane.query.export.columns import Column
from auditlane.query.export.formats import Form, Format
from auditlane.query.frontegg import sql
from auditlane.query.frontegg.query_params import OPERATORS, AuditQuery, Condition
from auditlane.runtime.errors import InvalidFilter

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
COMPARING = (">", ">=", "<", "<=")
TEXT = st.text(st.characters(exclude_categories=["Cs", "N"]), min_size=1)


def statements(tenant: str, value: str, key: str, offset: int) -> list[str]:
    scope = TenantScope.for_operator(tenant)
    names = [one for one in (*NAMES, key, "email") if NAMES.get(one) not in ("occurred_at", "ingested_at", "severity")]
    conditions = tuple(Condition(name, operator, (value,)) for name in names for operator in OPERATORS.values())
    query = AuditQuery(conditions, text=f"x{value.split()[0] if value.split() else ''}", sort_by="k", offset=offset)
    return [
        sql.compile_page("audit", scope, query).sql,
        sql.compile_count("audit", scope, query).sql,
        sql.compile_stats("audit", scope, AuditQuery(), NOW).sql,
        sql.compile_top("audit", scope, query, limit=offset + 1).sql,
        sql.compile_over_time("audit", scope, query, every="day").sql,
        *(
            sql.compile_export("audit", scope, query, Form(format_, columns), bound_ms=offset).sql
            for format_ in (Format.csv, Format.pdf)
            for columns in [(Column(key, value), Column("ip", value), Column("createdAt", value))]
        ),
    ]


@given(tenant=TEXT, value=TEXT, key=TEXT, offset=st.integers(0, 1000))
def test_the_text_does_not_depend_on_values(tenant, value, key, offset):
    chosen = any(value.lower() in one for one in sql._ENUMS.values())
    if (
        key not in NAMES
        and key not in ("actorMail", "user", "email", "time")
        and sql._address(value) is None
        and not chosen
    ):
        assert statements(tenant, value, key, offset) == statements("acme", "x", "k", 1)


@pytest.mark.parametrize("word", ["INFINITY", "-inf", "nan", "1e999"])
def test_a_value_that_is_not_a_finite_number_is_compared_as_text(word):
    query = AuditQuery((Condition("k", ">", (word,)),))
    assert "Float64" not in sql.compile_count("audit", TenantScope.for_operator("acme"), query).sql


def test_every_statement_is_bound_to_the_tenant():
    for text in statements("acme", "x", "k", 1):
        assert text.count("FROM {database:Identifier}.{events:Identifier} AS e FINAL\nPREWHERE e.tenant_id = ") == 1


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_name_can_be_sorted_by(name):
    statement = sql.compile_page("audit", TenantScope.for_operator("acme"), AuditQuery(sort_by=name))
    assert "ORDER BY" in statement.sql
    assert "WHERE e.tenant_id = {p1:Array(String)}[1]" in statement.sql


@pytest.mark.parametrize(("value", "past"), [("05.005Z", 6_000), ("05.005500Z", 5_501)])
def test_a_time_stands_for_the_millisecond_that_is_shown(value, past):
    query = AuditQuery((Condition("createdAt", "<=", (f"2026-01-01T00:00:{value}",)),), include_access=True)
    statement = sql.compile_count("audit", TenantScope.for_operator("acme"), query)
    assert "e.occurred_at < " in statement.sql
    assert statement.parameters["p3"] % 1_000_000 == past


@pytest.mark.parametrize(("name", "value"), [("createdAt", "soon"), ("time", "soon"), ("severity", "bad")])
def test_an_incomparable_value_names_its_column(name, value):
    query = AuditQuery((Condition(name, ">", (value,)),))
    with pytest.raises(InvalidFilter) as raised:
        sql.compile_count("audit", TenantScope.for_operator("acme"), query)
    assert raised.value.field == name
