"""Tests columns in Frontegg's format. They are derived from the structure, saved to it, and returned as they were
saved.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from auditlane.query.frontegg.metadata import kept, shown, stated
from auditlane.runtime.errors import InvalidInput
from auditlane.store.presentation import DEFAULT_FIELDS, DisplayType, FieldView

DEMO = {
    "entityName": "audits",
    "theme": {"palette": {"primary": "#fff"}},
    "extra": [1],
    "properties": [
        {"name": name, "displayName": label, "type": kind, "sortable": sort, "filterable": sort, "showInTable": table}
        | {"showInMoreInfo": "Always", "_id": name * 2}
        for name, label, kind, sort, table in [
            ("createdAt", "Time", "Timestamp", True, True),
            ("email", "User", "Email", True, True),
            ("action", "Action", "AlphaNumeric", True, True),
            ("json", "Json Data", "Json", True, False),
            ("teamName", "Team", "SomethingNew", True, True),
            ("severity", "Severity", "Severity", True, False),
        ]
    ],
}


def document_of(stored, fields=DEFAULT_FIELDS):
    return shown(stored, fields, vendor="v", changed_at=datetime(2026, 1, 2, tzinfo=UTC))


def saved(document, fields=DEFAULT_FIELDS) -> list[FieldView]:
    changes = dict(stated(document, fields) or [])
    return sorted((field.model_copy(update=changes.get(field.name, {})) for field in fields), key=lambda one: one.order)


def test_without_a_saved_document_the_structure_is_returned():
    document = document_of({})
    names = [one["name"] for one in document["properties"]]
    assert names[:4] == ["createdAt", "user", "action", "resource"]
    assert {"userId", "userAgent", "ip", "severity", "outcome"} <= set(names)
    assert "metadata" not in names
    assert document["entityName"] == "audits"
    assert document["vendorId"] == "v"
    assert document["updatedAt"] == "2026-01-02T00:00:00.000Z"
    first = document["properties"][0]
    assert first | {"displayName": "Time", "type": "Timestamp", "showInMoreInfo": "Always"} == first


def test_a_document_comes_back_as_it_was_saved():
    document = document_of(DEMO, saved(DEMO))
    assert document["properties"] == DEMO["properties"]
    assert document["theme"] == DEMO["theme"]
    assert document["extra"] == [1]


def test_a_saved_document_changes_the_structure():
    fields = {one.name: one for one in saved(DEMO)}
    assert fields["actor_name"].display_name == "User"
    assert fields["actor_name"].display_type is DisplayType.Email
    assert [one.name for one in saved(DEMO) if one.show_in_table] == ["occurred_at", "actor_name", "action"]
    assert fields["ip"].show_in_table is False


def test_a_change_of_the_structure_is_visible_in_the_document():
    fields = [
        field.model_copy(update={"display_name": "When"}) if field.name == "occurred_at" else field
        for field in saved(DEMO)
    ]
    fields = [one.model_copy(update={"show_in_table": True}) if one.name == "ip" else one for one in fields]
    properties = {one["name"]: one for one in document_of(DEMO, fields)["properties"]}
    assert properties["createdAt"]["displayName"] == "When"
    assert properties["createdAt"]["_id"] == "createdAt" * 2
    assert properties["ip"]["showInTable"] is True


def test_the_columns_follow_added_and_removed_fields():
    added = FieldView(name="teamName", display_name="Team", order=50)
    removed = FieldView(name="old", display_name="Old", hidden=True)
    fields = [*DEFAULT_FIELDS, added, removed]
    names = [one["name"] for one in document_of({}, fields)["properties"]]
    assert names[-1] == "teamName"
    assert "old" not in names
    assert dict(stated(DEMO, fields))["teamName"] == {
        "display_name": "Team",
        "sortable": True,
        "filterable": True,
        "show_in_table": True,
        "show_in_more_info": True,
        "order": 4,
    }
    assert document_of(DEMO, saved(DEMO, fields))["properties"] == DEMO["properties"]


def test_of_two_names_for_one_field_both_come_back():
    document = {"properties": [{"name": "user", "showInTable": True}, {"name": "email", "showInTable": False}]}
    assert document_of(document, saved(document))["properties"] == document["properties"]


@pytest.mark.parametrize("document", [{}, {"theme": {"palette": {}}}, {"entityName": "audits"}])
def test_a_document_without_properties_leaves_the_fields_unchanged(document):
    assert stated(document, DEFAULT_FIELDS) is None
    assert kept(document, {}) == document
    assert kept(document, DEMO) == {"properties": DEMO["properties"]} | document


def test_an_explicitly_empty_list_shows_no_columns():
    assert not any(one.show_in_table for one in saved({"properties": []}))
    assert kept({"properties": []}, DEMO) == {"properties": []}


@pytest.mark.parametrize("properties", [None, "x", [1], [{}], [{"name": ""}], [{"name": "a"}] * 501])
def test_an_invalid_document_is_rejected(properties):
    with pytest.raises(InvalidInput):
        stated({"properties": properties}, DEFAULT_FIELDS)


def test_a_heading_is_one_line():
    fields = saved({"properties": [{"name": "action", "displayName": "Ac\r\ntion\0"}]})
    assert next(one.display_name for one in fields if one.name == "action") == "Ac  tion "
