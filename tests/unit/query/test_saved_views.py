"""Tests the validation of saved views, and changes to a list of views."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from auditlane.query.saved_views import lists
from auditlane.query.saved_views.checks import check
from auditlane.query.saved_views.models import MAX_COLUMNS, MAX_NAME, MAX_QUERY, SavedView, StoredView, ViewRequest
from auditlane.query.saved_views.service import Owner
from auditlane.runtime.errors import AuditlaneError, Conflict, NotFound, PreconditionFailed
from auditlane.store.presentation import ENVIRONMENT, DisplayType, FieldView, Revision
from auditlane.store.structure_cache import Structure

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OWN = FieldView(name="invoice_total", display_name="Total", display_type=DisplayType.Number, sortable=True)
REMOVED = FieldView(name="old", display_name="Old", hidden=True)
STRUCTURE = Structure.of(Revision(scope=ENVIRONMENT), Revision(scope="tenant:acme", fields=(OWN, REMOVED)))


def view(view_id: str, name: str, revision: int = 1) -> StoredView:
    who = {"created_by": "jane", "changed_by": "joe"}
    return StoredView(id=view_id, name=name, revision=revision, created_at=NOW, changed_at=NOW, **who)


def problem(**content: Any) -> tuple[str, str, str]:
    """Return the field, message and fix of the error for a view with this content."""
    with pytest.raises(AuditlaneError) as raised:
        check(ViewRequest.model_validate({"name": "x"} | content), lambda _: STRUCTURE, "acme")
    return raised.value.field, raised.value.message, raised.value.fix


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"query": "action:login* -outcome:success invoice_total:>10", "range": "30d"},
        {"from": "2026-01-31", "to": "2026-02-01T12:00:00+01:00"},
        {"to": "2026-02-01", "query": "  "},
        {"sort": "-fields.invoice_total", "columns": ["action", "sentence", "metadata.region", "invoice_total"]},
        {"group": "fields.invoice_total", "compare": True, "tz": "Asia/Kathmandu"},
    ],
)
def test_valid_content_is_accepted(content: dict[str, Any]) -> None:
    check(ViewRequest.model_validate({"name": "x"} | content), lambda _: STRUCTURE, "acme")


def test_invalid_content_names_the_field_and_the_fix() -> None:
    field, message, fix = problem(query="actr:jane")
    assert (field, "no field 'actr'" in message, "Did you mean actor?" in fix) == ("query", True, True)
    field, message, fix = problem(range="7d", to="2026-01-01")
    assert (field, message, fix) == ("range", "A view may have either 'range' or 'to', not both.", "Omit one of them.")
    assert problem(**{"from": "yesterday"})[0] == "from"
    assert problem(**{"from": "2026-01-02", "to": "2026-01-01"})[0] == "from"
    field, _, fix = problem(sort="-nothing")
    assert (field, "fields.invoice_total" in fix) == ("sort", True)
    field, message, fix = problem(group="actr")
    assert (field, message, "Did you mean actor?" in fix) == ("group", "'group': there is no field 'actr'.", True)
    assert problem(group="occurred_at")[0] == "group"
    assert problem(tz="Mars/Phobos")[0] == "tz"
    assert problem(columns=[])[0] == "columns"
    field, message, fix = problem(columns=["action", "actor_nam"])
    assert (field, message) == ("columns.1", "There is no column 'actor_nam'.")
    assert fix.startswith("Did you mean actor_name? Known columns: action, ")
    assert problem(columns=["action", "ip", "action"])[:2] == ("columns.2", "Column 'action' is listed twice.")
    assert problem(columns=["old"])[0] == "columns.0"
    assert problem(columns=["metadata."])[0] == "columns.0"


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("name", ""),
        ("name", "   "),
        ("name", "two\nlines"),
        ("name", "\u2028"),
        ("name", "x" * (MAX_NAME + 1)),
        ("query", "x" * (MAX_QUERY + 1)),
        ("columns", [f"metadata.{number}" for number in range(MAX_COLUMNS + 1)]),
        ("range", "2d"),
        ("nothing", 1),
    ],
)
def test_content_is_bounded(member: str, value: Any) -> None:
    with pytest.raises(ValidationError) as raised:
        ViewRequest.model_validate({"name": "x"} | {member: value})
    assert [error["loc"][0] for error in raised.value.errors()] == [member]


def test_a_name_has_no_space_around_it() -> None:
    assert ViewRequest(name="  Denied  ").name == "Denied"


def test_a_list_is_bounded_and_has_distinct_names() -> None:
    views = lists.with_view((), view("a", "Denied"), limit=2, owner="This person", setting="LIMIT")
    views = lists.with_view(views, view("b", "Deleted"), limit=2, owner="This person", setting="LIMIT")
    with pytest.raises(Conflict, match="This person already has 2 saved views; the limit is 2") as raised:
        lists.with_view(views, view("c", "Other"), limit=2, owner="This person", setting="LIMIT")
    assert (raised.value.field, "LIMIT" in raised.value.fix) == ("shared", True)
    with pytest.raises(Conflict, match="already has another view named 'DENIED'") as raised:
        lists.with_view(views, view("c", "DENIED"), limit=9, owner="This person", setting="LIMIT")
    assert raised.value.field == "name"
    renamed = lists.with_view(views, view("a", "denied", 2), limit=1, owner="This person", setting="LIMIT")
    assert [(one.id, one.name) for one in renamed] == [("a", "denied"), ("b", "Deleted")], "it keeps its place"
    assert [one.id for one in lists.without_view(renamed, "a")] == ["b"]
    with pytest.raises(NotFound, match="no saved view 'c'"):
        lists.found(renamed, "c")


def test_a_change_names_the_revision_that_it_replaces() -> None:
    present = view("a", "Denied", 3)
    for etags in (None, ["*"], ['"2"', '"3"']):
        lists.require_unchanged(present, etags)
    with pytest.raises(PreconditionFailed, match="changed by joe"):
        lists.require_unchanged(present, ['"2"'])
    assert SavedView(**present.model_dump(), shared=True).etag == '"3"'


def test_a_stored_list_is_read_back_and_newer_members_are_ignored() -> None:
    views = (view("a", "Denied"), view("b", "Deleted", 2).model_copy(update={"from_": "2026-01-01", "columns": ["ip"]}))
    document = lists.document_of(views)
    assert document["views"][1]["from"] == "2026-01-01"
    document["views"][0]["newer"] = True
    assert lists.parsed(document) == views
    assert lists.parsed({}) == ()


def test_each_person_has_a_document_of_their_own() -> None:
    owners = [
        Owner(*one) for one in (("acme", "viewer", "jane"), ("acme", "client", "jane"), ("acme", "viewer", "joe"))
    ]
    names = {one.document(shared=False) for one in owners} | {Owner("globex", "viewer", "jane").document(shared=False)}
    assert len(names) == 4
    assert {one.document(shared=True) for one in owners} == {"views:acme"}
    assert not names & {"views:acme"}
