"""Tests the comparison of a contract's fields with the fields that typed events need."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import Field

from auditlane.contract.avro import base_schema
from auditlane.contract.declaration_diff import ContractDiff, Kind, contract_diff, needed_fields
from auditlane.contract.event import AuditEvent
from auditlane.contract.field_definition import FieldDefinition, FieldType, with_field
from auditlane.runtime.errors import InvalidInput


class Deleted(AuditEvent, action="document.deleted"):
    project: str
    plan: Literal["free", "team"] | None = None


class Shared(AuditEvent, action="document.shared"):
    project: str | None = None
    pages: int = Field(0, ge=0)


def contract(*fields: FieldDefinition) -> dict[str, Any]:
    schema = base_schema()
    for field in fields:
        schema = with_field(schema, field.avro())
    return schema


def compared(*fields: FieldDefinition, event: type[AuditEvent] = Deleted, **shown: bool) -> ContractDiff:
    """Compare an event class with a contract that has these fields. `shown` limits which of them are visible."""
    visible = shown or {field.name: True for field in fields}
    return contract_diff(needed_fields([event]), contract(*fields), visible)


PROJECT = FieldDefinition("project", FieldType.AlphaNumeric)
PLAN = FieldDefinition("plan", FieldType.Enum, None, {"oneOf": ["team", "free"]})


def test_classes_share_their_fields() -> None:
    needed = {field.name: field for field in needed_fields([Deleted, Shared])}
    assert {name: field.events for name, field in needed.items()} == {
        "project": ("Deleted", "Shared"), "plan": ("Deleted",), "pages": ("Shared",)
    }  # fmt: skip
    assert needed["project"].field.nullable  # only one of the classes requires it


@pytest.mark.parametrize(("annotation", "default"), [(int, ...), (str, Field(max_length=5))])
def test_two_classes_that_declare_a_field_differently_are_both_named(annotation: Any, default: Any) -> None:
    namespace = {"__annotations__": {"project": annotation}, "__module__": __name__}
    other = type("Moved", (AuditEvent,), namespace | ({} if default is ... else {"project": default}))
    with pytest.raises(InvalidInput, match="Deleted and Moved declare the field project differently") as caught:
        needed_fields([Deleted, other])
    assert caught.value.field == "project"
    assert caught.value.fix


def test_two_names_that_differ_only_in_case_are_refused() -> None:
    other = type("Moved", (AuditEvent,), {"__annotations__": {"Project": str}, "__module__": __name__})
    with pytest.raises(InvalidInput, match="project of Deleted and Project of Moved"):
        needed_fields([Deleted, other])


def test_a_contract_with_the_fields_has_no_difference() -> None:
    found = compared(PROJECT, PLAN, FieldDefinition("region", FieldType.Boolean))
    assert found == ContractDiff((), ("region",), ())


def test_missing_fields_can_be_registered() -> None:
    found = compared(PROJECT)
    assert [(one.kind, one.definition) for one in found.differences] == [
        (Kind.missing, FieldDefinition("plan", FieldType.Enum, None, {"oneOf": ["free", "team"]}))
    ]
    assert found.conflicts == ()


@pytest.mark.parametrize(
    ("field", "kind", "words"),
    [
        (FieldDefinition("project", FieldType.Integer), Kind.type, "AlphaNumeric, but the contract has Integer"),
        (FieldDefinition("Project", FieldType.AlphaNumeric), Kind.type, "only in case from the field Project"),
        (FieldDefinition("project", FieldType.AlphaNumeric, None, {"maxLength": 3}), Kind.rules, "maxLength 3"),
        (FieldDefinition("project", FieldType.Enum, None, {"oneOf": ["a"]}), Kind.rules, "oneOf a"),
    ],
)  # fmt: skip
def test_a_conflict_is_explained(field: FieldDefinition, kind: Kind, words: str) -> None:
    (difference,) = compared(field, PLAN).conflicts
    assert (difference.kind, difference.definition) == (kind, None)
    assert words in difference.reason


@pytest.mark.parametrize("type_", [FieldType.Email, FieldType.Json])
def test_a_text_may_be_displayed_as_another_type(type_: FieldType) -> None:
    assert compared(FieldDefinition("project", type_), PLAN).differences == ()


def test_a_required_field_must_not_be_none() -> None:
    required = FieldDefinition("project", FieldType.AlphaNumeric, None, {"required": True})
    assert compared(required, PLAN).differences == ()
    pages = FieldDefinition("pages", FieldType.Integer, None, {"minimum": 0})
    (difference,) = compared(required, pages, event=Shared).conflicts
    assert "may be None" in difference.reason


def test_a_field_that_was_never_shown_is_shown_with_the_contracts_definition() -> None:
    with_default = FieldDefinition("project", FieldType.AlphaNumeric, "none")
    (difference,) = compared(with_default, PLAN, plan=True).differences
    assert (difference.kind, difference.definition) == (Kind.unshown, with_default)


def test_a_removed_field_is_not_restored() -> None:
    found = compared(PROJECT, PLAN, project=False, plan=True)
    assert (found.differences, found.removed) == ((), ("project",))
