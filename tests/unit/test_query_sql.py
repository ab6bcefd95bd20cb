"""No value of a caller ever stands in the SQL: the text depends on which filters are there and on nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.contract.event import BASE_FIELDS
from auditlane.query import sql
from auditlane.query.columns import COLUMNS as SHOWN
from auditlane.query.cursor import Position
from auditlane.query.export.columns import Column, of_operator
from auditlane.query.export.formats import Form, Format
from auditlane.query.export.sql import compile_export
from auditlane.query.filters import COLUMNS, Filter
from auditlane.query.models import Event
from auditlane.store.structure_book import DEFAULT

TEXT = st.text(min_size=1)
COLUMNS_OF_ALL = of_operator(DEFAULT)
NOT_NULLABLE = ("action", "actor", "actor_id", "resource", "source")


def statements(tenant: str, value: str, key: str, micros: int) -> list[str]:
    """Every kind of statement, with the value wherever a caller can put one."""
    scope = TenantScope.for_operator(tenant)
    filter_ = Filter(
        equals=dict.fromkeys(COLUMNS, (value,)),
        metadata={key: (value,)},
        fields={key: (value,)},
        words=(value,),
    )
    position = Position(micros, value)
    return [
        sql.compile_page("audit", scope, filter_, position=position, limit=abs(micros) % 200 + 1).sql,
        sql.compile_one("audit", scope, value).sql,
        sql.compile_count("audit", scope, filter_).sql,
        *(
            compile_export(
                "audit", scope, filter_, Form(one, (*COLUMNS_OF_ALL, Column(key, value, custom=True))), bound_ms=micros
            ).sql
            for one in Format
        ),
    ]


@given(tenant=TEXT, value=TEXT, key=TEXT, micros=st.integers(-(1 << 40), 1 << 40))
def test_the_text_does_not_depend_on_values(tenant, value, key, micros):
    assert statements(tenant, value, key, micros) == statements("acme", "x", "k", 1)


def test_every_statement_is_bound_to_the_tenant():
    for text in statements("acme", "x", "k", 1):
        assert "FROM {database:Identifier}.log AS e\nWHERE e.tenant_id = {p1:Array(String)}[1]" in text
        assert ".log" in text
        assert text.count("tenant_id = {p1:Array(String)}[1]") == text.count("FROM {database:Identifier}")


def test_columns_are_the_events_fields_in_their_order():
    assert (*BASE_FIELDS, "fields", "ingested_at") == SHOWN
    assert tuple(Event.model_fields) == SHOWN
