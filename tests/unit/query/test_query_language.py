"""Tests the query language: the meaning of valid queries, the errors for invalid ones, and printing, which is the
inverse of parsing.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import string
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditlane.access.scope import TenantScope
from auditlane.query import sql
from auditlane.query.clickhouse.statements import Parameters
from auditlane.query.fields import BASE, CHOICES, LATEST
from auditlane.query.filters import MAX_VALUE_CHARS, Filter
from auditlane.query.filters import parse as parse_pairs
from auditlane.query.language.grammar import MAX_DEPTH, MAX_TERMS
from auditlane.query.language.parser import parse
from auditlane.query.language.tree import (
    And,
    Between,
    Compare,
    Field,
    Has,
    Kind,
    Like,
    Match,
    Node,
    Not,
    Or,
    Span,
    Within,
    Word,
    text_of,
)
from auditlane.query.sql import condition
from auditlane.runtime.errors import InvalidFilter

ROOT = Path(__file__).parents[3]
OWN = {"invoice_total": Kind.number, "due": Kind.time, "paid": Kind.boolean, "peer": Kind.ip, "note": Kind.text}
BASE_FIELDS = [Field(name, kind) for name, kind in BASE.items()]
OWN_FIELDS = [Field(name, kind, "fields") for name, kind in OWN.items()]
ACTION, IP, TOTAL = Field("action", Kind.text), Field("ip", Kind.ip), Field("invoice_total", Kind.number, "fields")
SEVERITY, AT = Field("severity", Kind.ordinal), Field("occurred_at", Kind.time)
REGION = Field("region", Kind.untyped, "metadata")
DAY = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("action:login", Match(ACTION, "login")),
        ("action:login*", Like(ACTION, ("login", ""))),
        ("action:*.del*ed", Like(ACTION, ("", ".del", "ed"))),
        (r"action:a\*b", Match(ACTION, "a*b")),
        ('action:"a*b"', Match(ACTION, "a*b")),
        ("action:a**b", Like(ACTION, ("a", "b"))),
        ("action:*", Has(ACTION)),
        ("-action:*", Not(Has(ACTION))),
        ('action:""', Not(Has(ACTION))),
        ("NOT NOT action:*", Has(ACTION)),
        ("outcome:FAILURE", Match(Field("outcome", Kind.choice), "failure")),
        ("severity:high", Match(SEVERITY, "High")),
        ("severity:>=high", Compare(SEVERITY, ">=", "High")),
        ("severity:Low..High", Between(SEVERITY, "Low", "High")),
        ("ip:::ffff:10.0.0.1", Match(IP, "10.0.0.1")),
        ("ip:2001:DB8::1", Match(IP, "2001:db8::1")),
        ("-ip:10.1.2.3/8", Not(Within(IP, "10.0.0.0/8"))),
        ("ip:10.0.*", Like(IP, ("10.0.", ""))),
        ("metadata.region:eu-west-1", Match(REGION, "eu-west-1")),
        (r"metadata.a\ b\:c:x", Match(Field("a b:c", Kind.untyped, "metadata"), "x")),
        ("metadata.region:>5", Compare(REGION, ">", 5)),
        ("metadata.region:1.5..2", Between(REGION, 1.5, 2)),
        ("metadata.region:a..b", Match(REGION, "a..b")),
        ("invoice_total:>100", Compare(TOTAL, ">", 100)),
        ("fields.invoice_total:-1.5e3", Compare(TOTAL, "=", -1500.0)),
        ("invoice_total:5..", Compare(TOTAL, ">=", 5)),
        ("invoice_total:..5", Compare(TOTAL, "<=", 5)),
        ("fields.unknown:x", Match(Field("unknown", Kind.untyped, "fields"), "x")),
        ("paid:True", Match(Field("paid", Kind.boolean, "fields"), "true")),
        ("occurred_at:2026-01-31", Span(AT, DAY, DAY + timedelta(days=1))),
        ("occurred_at:2026-01-30..2026-01-31", Span(AT, DAY - timedelta(days=1), DAY + timedelta(days=1))),
        ("occurred_at:>2026-01-31", Span(AT, DAY + timedelta(days=1), None)),
        ("occurred_at:<=2026-01-31", Span(AT, None, DAY + timedelta(days=1))),
        ('occurred_at:>="2026-01-31 01:00"', Span(AT, DAY + timedelta(hours=1), None)),
        ("occurred_at:<2026-01-31T01:00:00+01:00", Span(AT, None, DAY)),
        ("login", Word("login")),
        ('"free text"', Word("free text")),
        ("*login*", Word("login")),
        ("foo-bar", Word("foo-bar")),
        ('"OR"', Word("OR")),
        ("ORDER", Word("ORDER")),
        ("a b", And((Word("a"), Word("b")))),
        ("a AND b", And((Word("a"), Word("b")))),
        ("a b OR c", Or((And((Word("a"), Word("b"))), Word("c")))),
        ("a (b OR (c OR d))", And((Word("a"), Or((Word("b"), Word("c"), Word("d")))))),
        ("-(a b)", Not(And((Word("a"), Word("b"))))),
        ("", None),
        (" \n\t ", None),
    ],
)
def test_each_form_of_a_query_parses_to_its_tree(text, tree):
    assert parse(text, OWN) == tree


WRONG = [
    ("actr:x", 1),
    ("a actr:x", 3),
    ("tenant_id:globex", 1),
    ("kafka_offset:1", 1),
    ("metadata:x", 1),
    ("fields.:x", 1),
    ("10:30", 1),
    ("action:", 7),
    ("action: login", 7),
    (":x", 1),
    ("(a", 3),
    ("a)", 2),
    ("()", 2),
    ('a "b', 3),
    ("a OR", 5),
    ("OR a", 1),
    ("a OR OR b", 6),
    ("a AND", 6),
    ("NOT", 4),
    ("- a", 1),
    ("a\\", 2),
    ("a*b", 1),
    ("x *", 3),
    ('""', 1),
    ("action:>5", 9),
    ("action:>", 9),
    ("outcome:won", 9),
    ("outcome:f*", 9),
    ("severity:>worst", 11),
    ("severity:h*", 10),
    ("severity:High..Low", 10),
    ("ip:300.1.1.1", 4),
    ("ip:10.0.0.0/40", 4),
    ("ip:>10.0.0.1", 5),
    ("event_id:17", 10),
    ("invoice_total:abc", 15),
    ("invoice_total:1e999", 15),
    ("invoice_total:1*", 15),
    ("invoice_total:5..1", 15),
    ("invoice_total:..", 15),
    ("metadata.n:>x", 13),
    ("paid:yes", 6),
    ("occurred_at:yesterday", 13),
    ("occurred_at:2026-02-30", 13),
    ("occurred_at:2026-*", 13),
    ("occurred_at:2026-01-02..2026-01-01", 13),
    ("x action:a actor:<b", 19),
    ("action:>=>x", 10),
    ('"a":b', 4),
]


@pytest.mark.parametrize(("text", "column"), WRONG)
def test_an_invalid_query_reports_the_column_of_its_error(text, column):
    with pytest.raises(InvalidFilter) as caught:
        parse(text, OWN)
    assert (caught.value.column, caught.value.field) == (column, "query")
    assert f"column {column}" in str(caught.value)
    assert caught.value.fix


def test_each_reason_is_documented_and_translated_in_the_viewer():
    long = "x" * (MAX_VALUE_CHARS + 1)
    wrong = [*(text for text, _ in WRONG), " ".join("x" * (MAX_TERMS + 1)), "-" * (MAX_DEPTH + 1) + "x", long]
    found: dict[str, set[str]] = {}
    for text in wrong:
        with pytest.raises(InvalidFilter) as caught:
            parse_pairs([("query", text)], lambda: OWN)
        found.setdefault(caught.value.reason, set()).update(caught.value.arguments)
    docs = re.findall(r"^\| `(\w+)` \| (.*?) \|", (ROOT / "docs/query.md").read_text(), re.MULTILINE)
    listed = {reason: set(re.findall(r"`(\w+)`", about)) for reason, about in docs if reason in found}
    assert listed == found
    for language in ("en", "de"):
        words = (ROOT / f"consumers/viewer/src/i18n/{language}/mistakes.ts").read_text()
        assert set(re.findall(r"^  (\w+):", words, re.MULTILINE)) == set(found), language


def test_the_viewer_looks_for_words_in_the_columns_that_are_searched():
    hits = (ROOT / "consumers/viewer/src/model/hits.ts").read_text()
    [listed] = re.findall(r"const SEARCHED = \[(.*?)\]", hits, re.DOTALL)
    columns = set(re.findall(r"\be\.(\w+)", sql.occurs(Parameters("audit"), "a")))
    assert columns == {*re.findall(r'"(\w+)"', listed), "metadata", "fields"}


def test_an_unknown_field_names_the_known_ones():
    with pytest.raises(InvalidFilter) as caught:
        parse("acton:login", OWN)
    assert "Did you mean action?" in caught.value.fix
    for name in (*BASE, *OWN, "metadata.<key>", "fields.<name>"):
        assert name in caught.value.fix
    with pytest.raises(InvalidFilter):
        parse("invoice_total:5", {})  # not a field of this tenant


def test_depth_terms_and_length_of_a_query_are_bounded():
    assert parse("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, {}) == Word("a")
    for deep in ("(" * 2_000 + "a" + ")" * 2_000, "-" * 4_000 + "a", "NOT " * 1_000 + "a"):
        with pytest.raises(InvalidFilter, match="nested more than"):
            parse(deep, {})
    assert parse("a " * MAX_TERMS, {}) == And((Word("a"),) * MAX_TERMS)
    with pytest.raises(InvalidFilter, match="more than 64 terms"):
        parse("a (b OR " + "a " * MAX_TERMS + ")", {})
    with pytest.raises(InvalidFilter, match="longer than"):
        parse_pairs([("query", "a" * 5_000)])


def test_a_query_combines_with_other_filters():
    one = parse_pairs([("query", "invoice_total:>5"), ("action", "login"), ("q", "x")], lambda: OWN)
    assert one.query == Compare(TOTAL, ">", 5)
    assert one.equals == {"action": ("login",)}
    rest = [("q", "x"), ("action", "login")]
    assert one.digest() == parse_pairs([("query", " fields.invoice_total:>5 "), *rest], lambda: OWN).digest()
    assert one.digest() != parse_pairs([("query", "invoice_total:>6"), *rest], lambda: OWN).digest()
    blank = parse_pairs([("query", "  ")], lambda: pytest.fail("the fields were requested without a query"))
    assert not blank.narrows
    with pytest.raises(InvalidFilter, match="more than once"):
        parse_pairs([("query", "a"), ("query", "b")])


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8) | st.text(
    string.punctuation + " aORNOTD\\*\"'.\n", min_size=1, max_size=8
)
TIMES = st.one_of(
    st.integers(-(10**15), 8 * 10**15).map(lambda micros: DAY + timedelta(microseconds=micros)),
    st.integers(0, 3).map(lambda days: DAY + timedelta(days=days)),
)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
ADDRESSES = st.ip_addresses().filter(lambda one: not getattr(one, "ipv4_mapped", None))


def of_kind(*kinds: Kind, always: bool = True) -> st.SearchStrategy[Field]:
    keyed = [st.builds(Field, TEXT, st.just(Kind.untyped), st.just("metadata"))] if Kind.untyped in kinds else []
    known = [one for one in (*BASE_FIELDS, *OWN_FIELDS) if one.kind in kinds]
    return st.one_of(st.sampled_from(known), *keyed) if known else st.one_of(*keyed)


@st.composite
def likes(draw: st.DrawFn) -> Node:
    field = draw(of_kind(Kind.text, Kind.untyped, Kind.ip, Kind.id))
    end = st.just("") | TEXT
    pieces = (draw(end), *draw(st.lists(TEXT, max_size=2)), draw(end))
    return Like(field, pieces if any(pieces) else ("x", ""))


@st.composite
def betweens(draw: st.DrawFn) -> Node:
    if draw(st.booleans()):
        low, high = sorted(draw(st.tuples(NUMBERS, NUMBERS)))
        return Between(draw(of_kind(Kind.number, Kind.untyped)), low, high)
    low, high = sorted(draw(st.tuples(st.integers(0, 5), st.integers(0, 5))))
    return Between(SEVERITY, CHOICES["severity"][low], CHOICES["severity"][high])


@st.composite
def spans(draw: st.DrawFn) -> Node:
    field = draw(of_kind(Kind.time))
    since, until = sorted(draw(st.tuples(TIMES, TIMES)))
    if since == until:
        until += timedelta(microseconds=1)
    assert until <= LATEST
    return draw(st.sampled_from([Span(field, since, until), Span(field, since, None), Span(field, None, until)]))


EXACT = st.one_of(
    st.builds(Match, of_kind(Kind.text, Kind.untyped), TEXT),
    of_kind(Kind.choice).flatmap(lambda field: st.builds(Match, st.just(field), st.sampled_from(CHOICES[field.name]))),
    st.builds(Match, of_kind(Kind.ordinal), st.sampled_from(CHOICES["severity"])),
    st.builds(Match, of_kind(Kind.ip), ADDRESSES.map(str)),
    st.builds(Match, of_kind(Kind.id), st.uuids().map(str)),
    st.builds(Match, of_kind(Kind.boolean), st.sampled_from(["true", "false"])),
)
BITS = st.integers(0, 32)
NETWORKS = st.builds(lambda one, bits: str(ipaddress.ip_network(f"{one}/{bits}", strict=False)), ADDRESSES, BITS)
ORDERS = st.sampled_from([">", ">=", "<", "<="])
TERMS = st.one_of(
    EXACT,
    st.builds(Word, TEXT),
    st.builds(Has, of_kind(*Kind)),
    likes(),
    st.builds(Within, of_kind(Kind.ip), NETWORKS),
    st.builds(Compare, of_kind(Kind.number), st.just("=") | ORDERS, NUMBERS),
    st.builds(Compare, of_kind(Kind.untyped), ORDERS, NUMBERS),
    st.builds(Compare, of_kind(Kind.ordinal), ORDERS, st.sampled_from(CHOICES["severity"])),
    betweens(),
    spans(),
)


def extended(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    """Return a strategy for trees with one more level than these, in normal form."""

    def several(unlike: type) -> st.SearchStrategy[tuple[Node, ...]]:
        return st.lists(nodes.filter(lambda one: not isinstance(one, unlike)), min_size=2, max_size=4).map(tuple)

    negated = nodes.filter(lambda one: not isinstance(one, Not)).map(Not)
    return st.one_of(negated, several(And).map(And), several(Or).map(Or))


TREES = st.recursive(TERMS, extended, max_leaves=8)


@settings(max_examples=150)
@given(TREES)
def test_a_printed_query_parses_to_the_same_tree(tree):
    assert parse(text_of(tree), OWN) == tree


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.text('ab:*()"\\-<>. ORNTAD/1', max_size=30))
def test_any_text_is_a_query_or_an_error_with_a_column(text):
    try:
        tree = parse(text, OWN)
    except InvalidFilter as error:
        assert 1 <= (error.column or 0) <= len(text) + 1  # noqa: PT017 - both outcomes are fine, a third is not
        return
    assert tree is None or parse(text_of(tree), OWN) == tree


def other(node: Node) -> Node:
    """Return the same tree with the same columns, but with other values."""
    match node:
        case And(items) | Or(items):
            return type(node)(tuple(map(other, items)))
        case Not(item):
            return Not(other(item))
        case Word():
            return Word("other")
    field = dataclasses.replace(node.field, name="other") if node.field.group == "metadata" else node.field
    match node:
        case Has():
            return Has(field)
        case Match():
            instead = {Kind.ip: "9.9.9.9", Kind.id: str(uuid.UUID(int=9))}
            return Match(field, instead.get(field.kind, "other"))
        case Like():
            return Like(field, ("other", ""))
        case Within():
            return Within(field, "9.0.0.0/9")
        case Compare(_, operator, value):
            return Compare(field, operator, value if isinstance(value, str) or big(value) else 7)
        case Between(_, low, high):
            kept = isinstance(low, str)
            return Between(field, *(one if kept or big(one) else 7 for one in (low, high)))
        case Span(_, since, until):
            return Span(field, since and DAY, until and LATEST)


def big(value: object) -> bool:
    """Return whether a value is too large for a float to represent every integer. Such values are compared
    differently.
    """
    return isinstance(value, int) and abs(value) > 1 << 53


@settings(max_examples=100)
@given(TREES)
def test_no_value_is_in_the_sql_text(tree):
    first, second = Parameters("audit"), Parameters("audit")
    for parameters in (first, second):
        parameters.text("acme")
    texts = [condition(first, item) for item in (tree.items if isinstance(tree, And) else (tree,))]
    assert texts == [condition(second, other(item)) for item in (tree.items if isinstance(tree, And) else (tree,))]
    assert first.values.keys() == second.values.keys()
    whole = sql.compile_count("audit", TenantScope.for_operator("acme"), Filter(query=tree)).sql
    for text in texts:
        assert re.search(rf"(?:\n  AND|\nWHERE) {re.escape(text)}\n", whole)
        assert "{}" not in text
    assert "PREWHERE e.tenant_id = {p1:Array(String)}[1]\n" in whole


def test_the_documented_forms_are_valid_queries():
    """Every form in the table in docs/query.md is a query. Comparisons, wildcards and ranges are parsed as such."""
    text = (ROOT / "docs" / "query.md").read_text()
    language = text[text.index("## The query language") : text.index("## Pages")]
    rows = re.findall(r"^\| (`.*?`) \| ", language, re.MULTILINE)
    forms = [form for row in rows for form in re.findall(r"`(.+?)`", row)]
    forms += re.findall(r"```text\n(.*?)\n```", language)
    assert len(forms) > 25
    for form in forms:
        tree = parse(form, OWN)
        assert tree is not None
        assert not any(isinstance(tree, Match) and sign in tree.value for sign in ("*", ">", ".."))
