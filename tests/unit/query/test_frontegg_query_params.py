"""Tests the query parameters as each Frontegg client sends them, and the queries that result."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlane.query.frontegg.query_params import AuditQuery, Condition, newer_parameters, parse
from auditlane.runtime.errors import InvalidFilter


def query_of(query: str) -> AuditQuery:
    return parse(parse_qsl(query, keep_blank_values=True))


def test_without_parameters_the_newest_twenty_are_requested():
    assert query_of("") == AuditQuery((), "", "createdAt", True, 0, 20, ())


@pytest.mark.parametrize(
    ("query", "included"),
    [
        ("severity=High", False),
        ("include_access=true", True),
        ("include_access=false", False),
        ("action=audit_log.viewed", True),
        ("action[]=login&action[]=link.opened", True),
        ('action={"$contains":"viewer_token"}', True),
        ('action={"$ne":"audit_log.viewed"}', False),
        ("source=auditlane", True),
        ("resource=audit_log.viewed", False),
    ],
)
def test_access_to_the_log_is_read_only_if_a_query_includes_or_names_it(query, included):
    assert query_of(query).include_access == included


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("severity=High", ("severity", "in", ("High",))),
        ("createdAt=%7B%22$gt%22:%222026-01-01%22%7D", ("createdAt", ">", ("2026-01-01",))),  # axios 0.x, browser
        ("createdAt%5B$gt%5D=2026-01-01", ("createdAt", ">", ("2026-01-01",))),  # axios 1.x
        ("createdAt[$lte]=2026-01-01", ("createdAt", "<=", ("2026-01-01",))),
        ("tags[]=a&tags[]=b", ("tags", "in", ("a", "b"))),
        ("tags%5B%5D=a&tags%5B%5D=b&tags%5B%5D=a", ("tags", "in", ("a", "b"))),
        ("tags[0]=a&tags[1]=b", ("tags", "in", ("a", "b"))),
        ("tags=a&tags=b", ("tags", "in", ("a", "b"))),
        ('tags=["a",2,true]', ("tags", "in", ("a", "2", "true"))),
        ("0[severity]=High", ("severity", "in", ("High",))),  # PHP
        ("0[createdAt][$gt]=2026-01-01", ("createdAt", ">", ("2026-01-01",))),
        ('size={"$gte":5}', ("size", ">=", ("5",))),
        ('user={"$ne":"u"}', ("user", "not in", ("u",))),
        ('user={"$nin":["u","v"]}', ("user", "not in", ("u", "v"))),
        ('user={"$in":["u","v"]}', ("user", "in", ("u", "v"))),
        ("user[$in][]=u&user[$in][]=v", ("user", "in", ("u", "v"))),
        ("action[$contains]=log", ("action", "contains", ("log",))),
        ("note={", ("note", "in", ("{",))),
        (r'user={"$eq":"v\ud800"}', ("user", "in", ("v\ufffd",))),  # in the form in which it is stored
        (r'user=["\udfff",1e400]', ("user", "in", ("\ufffd", "Infinity"))),
        ("note=[x]", ("note", "in", ("[x]",))),
    ],
)
def test_every_way_to_write_a_filter(query, condition):
    assert query_of(query).conditions == (Condition(*condition),)


def test_both_ends_of_a_range():
    for query in ('createdAt={"$gt":"a","$lt":"b"}', "createdAt[$gt]=a&createdAt[$lt]=b"):
        assert query_of(query).conditions == (Condition("createdAt", ">", ("a",)), Condition("createdAt", "<", ("b",)))


def test_search_sort_and_paging_parameters_are_read():
    query = (
        "tenantId=acme&vendorId=v&filter=Any+Text&sortBy=user&sortDirection=DESC&offset=40&count=50"
        "&paginationMode=virtual&outputFileName=x"
    )
    assert query_of(query) == AuditQuery((), "Any Text", "user", True, 40, 50, ("acme",))


def test_empty_parameters_are_ignored():
    assert query_of("filter=&severity=&sortBy=&count=&offset=&createdAt[$gt]=") == AuditQuery()


@pytest.mark.parametrize(("text", "count"), [("1000", 200), ("200", 200), ("1", 1), ("0", 1)])
def test_a_page_has_1_to_200(text, count):
    assert query_of(f"count={text}").count == count


def test_limit_is_the_same_as_count():
    assert query_of("limit=7").count == 7


def test_a_column_alone_is_sorted_in_ascending_order():
    assert query_of("sortBy=user").descending is False


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("count=-1", "count"),
        ("count=ten", "count"),
        ("offset=99999999999999999999", "offset"),
        ("sortBy=a;b", "sortBy"),
        ("sortBy=a&sortDirection=up", "sortDirection"),
        ("sortBy=a&sortBy=b", "sortBy"),
        ("a[$where]=1", "a[$where]"),
        ('a={"x":1}', "a"),
        ('a={"$gt":{"b":1}}', "a"),
        ('a={"$gt":null}', "a"),
        ("[$gt]=1", "[$gt]"),
        ("a[b][c]=1", "a[b][c]"),
        ("a[=1", "a["),
        ("tenantId=a/b", "tenantId"),
        ("x" * 5000 + "=1", "x" * 100),
        ("n=" + "x" * 5000, "n"),
    ],
)
def test_an_invalid_value_names_its_parameter(query, field):
    with pytest.raises(InvalidFilter) as raised:
        query_of(query)
    assert raised.value.field == field


def test_too_many_parameters_are_rejected():
    with pytest.raises(InvalidFilter):
        query_of("&".join(f"a{n}=1" for n in range(101)))


def test_the_newer_parameter_names_are_read():
    query = (
        "created_from=a&created_to=b&users=u&users=v&email=e&tenant_ids=acme&tenant_ids=other&featureFlagId=f&count=9"
    )
    assert parse(newer_parameters(parse_qsl(query))) == AuditQuery(
        (
            Condition("createdAt", ">=", ("a",)),
            Condition("createdAt", "<=", ("b",)),
            Condition("user", "in", ("u", "v")),
            Condition("email", "in", ("e",)),
            Condition("featureFlagId", "in", ("f",)),
        ),
        count=9,
        tenants=("acme", "other"),
    )


@given(st.lists(st.tuples(st.text(max_size=12) | st.sampled_from(["a[$gt]", "filter", "count", "0[a]"]), st.text())))
def test_any_parameters_are_a_query_or_an_invalid_filter(pairs):
    with contextlib.suppress(InvalidFilter):
        assert 1 <= parse(pairs).count <= 200
