"""Tests that values from the caller never appear in the SQL text. The text depends only on which filters are
present.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.stored_event import Event
from auditlane.query import sql
from auditlane.query.clickhouse.statements import COLUMNS as SHOWN
from auditlane.query.clickhouse.statements import SHARED, Statement
from auditlane.query.conflicts import compile_contents
from auditlane.query.export.columns import Column, of_operator
from auditlane.query.export.formats import Form, Format
from auditlane.query.export.sql import compile_export
from auditlane.query.fields import BASE
from auditlane.query.filters import COLUMNS, Filter, parse
from auditlane.query.language.tree import Field, Kind
from auditlane.query.sort import NEWEST, Position, Sort
from auditlane.store.migrate import known
from auditlane.store.structure_cache import DEFAULT

TEXT = st.text(min_size=1)
COLUMNS_OF_ALL = of_operator(DEFAULT)
NOT_NULLABLE = ("action", "actor", "actor_id", "resource", "source")


def statements(tenant: str, value: str, key: str, micros: int) -> list[Statement]:
    """Return a compiled statement of every kind, with the value in every place that a caller can control."""
    scope = TenantScope.for_operator(tenant)
    filter_ = Filter(
        equals=dict.fromkeys(COLUMNS, (value,)),
        metadata={key: (value,)},
        fields={key: (value,)},
        words=(value,),
    )
    position = Position(micros, value, value)
    sorts = [Sort(Field(name, kind)) for name, kind in BASE.items() if name != "actor"]
    sorts += [Sort(Field(value, kind, "fields"), descending=False) for kind in Kind]
    return [
        sql.compile_page("audit", scope, filter_, position=position, limit=abs(micros) % 200 + 1),
        *(sql.compile_page("audit", scope, Filter(), position=position, limit=1, sort=sort) for sort in sorts),
        sql.compile_one("audit", scope, value, limit=2),
        sql.compile_one("audit", scope, value, content_hash=value, limit=2),
        compile_contents("audit", scope, [(micros, value)]),
        sql.compile_reach("audit", scope, filter_, position=position, sort=NEWEST, rows=7),
        sql.compile_count("audit", scope, filter_),
        *(
            compile_export(
                "audit",
                scope,
                filter_,
                Form(format_, (*COLUMNS_OF_ALL, Column(key, value, custom=True))),
                bound_ms=micros,
            )
            for format_ in Format
        ),
    ]


def texts(*of: Any) -> list[str]:
    return [one.sql for one in statements(*of)]


@given(tenant=TEXT, value=TEXT, key=TEXT, micros=st.integers(-(1 << 40), 1 << 40))
def test_the_text_does_not_depend_on_values(tenant, value, key, micros):
    assert texts(tenant, value, key, micros) == texts("acme", "x", "k", 1)


def test_every_statement_is_bound_to_the_tenant():
    source = re.compile(r"FROM \{database:Identifier\}\.\S+(?: AS e FINAL\nPREWHERE|(?: AS e\n| )WHERE)")
    for statement in statements("acme", "x", "k", 1):
        tables = statement.sql.count("FROM {database:Identifier}")
        assert len(source.findall(statement.sql)) == tables > 0
        bound = re.findall(
            r"(?<![a-z])(?:PRE)?WHERE (?:e\.)?tenant_id = \{(p\d+):Array\(String\)\}\[1\]", statement.sql
        )
        assert len(bound) == tables
        assert {statement.parameters[name][0] for name in bound} == {"acme"}


def test_copies_share_the_columns_that_the_content_hash_covers_as_they_are_stored():
    """Only conditions on these columns may select rows before FINAL has chosen between the copies of an event."""
    texts = [text for migration in known() for text in migration.statements("a")]
    [create] = [text for text in texts if text.startswith("CREATE TABLE IF NOT EXISTS `a`.events ")]
    found = re.search(r"formatRowNoNewline\('RowBinary',(.*?)\)\), 1, 16\)", create, re.DOTALL)
    assert found is not None
    whole = re.sub(r"if\(has\(.*?\)[^)]*\)|mapSort\(mapFilter.*", "", found[1], flags=re.DOTALL)
    covered = set(re.findall(r"\w+", whole.replace("mapSort", "")))
    sorting = re.search(r"ORDER BY \(([^)]*)\)", create)
    assert sorting is not None
    assert covered | set(sorting[1].split(", ")) == SHARED


@pytest.mark.parametrize(
    ("query", "shared"),
    [
        ("action:login outcome:failure -ip:10.0.0.0/8", True),
        ("actor:u-1 OR metadata.region:eu", True),
        ("action:login source:web", False),
        ("NOT fields.plan:free", False),
        ("login", False),  # occurs in any text, also in request_id
        ("provenance:gateway", False),
    ],
)
def test_a_condition_is_shared_unless_copies_may_differ_in_a_column(query, shared):
    filter_ = parse([("query", query), ("from", "2026-01-01")])
    assert sql.are_shared(TenantScope.for_operator("acme"), filter_) == shared


def test_only_shared_conditions_select_rows_before_copies_are_compared():
    filter_ = parse([("query", "action:login source:web"), ("include_access", "true")])
    statement = sql.compile_count("audit", TenantScope.for_operator("acme"), filter_)
    before, after = statement.sql.split("\nWHERE ")
    assert "PREWHERE e.tenant_id = " in before
    assert "e.action = " in before
    assert after.startswith("(e.source = ")


def test_columns_are_the_events_fields_in_their_order():
    assert (*BASE_FIELDS, "fields", "ingested_at", "provenance", "provenance_id", "content_hash") == SHOWN
    stored = [name for name in Event.model_fields if name not in ("ip_country", "conflict")]  # these are computed
    assert tuple(stored) == SHOWN
