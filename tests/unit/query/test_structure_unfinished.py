"""Tests that a change that fails half-way is reported, because the contract may have changed although the caller got an
error.
"""

from __future__ import annotations

from typing import Any

import pytest

from auditlane.access.audit import Action
from auditlane.contract.field_definition import FieldType
from auditlane.query.structure.audit import unfinished
from auditlane.query.structure.service import FieldChange, StructureService
from auditlane.query.structure.views import ScopeState
from auditlane.runtime.errors import (
    Conflict,
    FieldConflict,
    PreconditionFailed,
    RegistryUnavailable,
    SchemaIncompatible,
    StoreUnavailable,
)
from auditlane.store import presentation
from auditlane.store.presentation import DEFAULT_FIELDS, ENVIRONMENT, FieldView, Revision, tenant_scope

OWN = FieldView(name="own", display_name="Own", order=99)


class Registry:
    """Returns the given result, or raises the given error."""

    def __init__(self, result: bool | Exception) -> None:
        self.result = result

    def __call__(self) -> Any:
        return self

    def add(self, *_: Any, **__: Any) -> bool:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result

    release = add

    def of(self, tenant: str | None) -> Any:
        return type("Registered", (), {"schema": '{"type": "record", "name": "AuditEvent", "fields": []}'})()


@pytest.fixture
def revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Revision(scope=ENVIRONMENT, fields=DEFAULT_FIELDS)
    acme = Revision(scope=tenant_scope("acme"), fields=(OWN,))
    monkeypatch.setattr(presentation, "load_many", lambda *_: {ENVIRONMENT: environment, tenant_scope("acme"): acme})


def call(service: StructureService, operation: str, reported: list[BaseException]) -> None:
    etags = [ScopeState.etag.fget(service.state("acme"))]  # type: ignore[attr-defined]
    stated = FieldChange(
        "new" if operation == "add" else "own",
        FieldType.AlphaNumeric,
        None,
        {"required": True},
        view={"display_name": "New"},
    )
    given: dict[str, Any] = {"etags": etags, "who": "jane", "unfinished": lambda error, _: reported.append(error)}
    if operation == "remove":
        service.remove("acme", "own", **given)
    else:
        getattr(service, operation)("acme", stated, **given)


@pytest.mark.parametrize("operation", ["add", "change", "remove"])
@pytest.mark.parametrize(
    ("result", "saving", "is_reported"),
    [
        (True, Conflict("Another user saved first."), True),  # registered, but the revision was not saved
        (True, StoreUnavailable("The store is unavailable."), True),
        (True, ZeroDivisionError(), True),
        (False, Conflict("Another user saved first."), False),  # nothing had to be registered
        (RegistryUnavailable("The registry timed out."), None, True),  # whether it was registered is unknown
        (SchemaIncompatible("No."), None, False),
        (FieldConflict("No."), None, False),
    ],
)
def test_a_failure_is_reported_when_the_contract_may_have_changed(
    revisions: None,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    result: bool | Exception,
    saving: Exception | None,
    is_reported: bool,
) -> None:
    def save(*_: Any, **__: Any) -> Revision:
        assert saving is not None
        raise saving

    monkeypatch.setattr(presentation, "save", save)
    registered: list[str | None] = []
    service = StructureService(lambda: None, "audit", Registry(result), registered=registered.append)  # type: ignore[arg-type, return-value]
    reported: list[BaseException] = []
    expected = result if isinstance(result, Exception) else saving
    with pytest.raises(PreconditionFailed if isinstance(expected, Conflict) and saving else type(expected)):
        call(service, operation, reported)
    assert bool(reported) == is_reported
    assert registered == ["acme"]


def test_the_failure_is_recorded_with_the_requested_contract() -> None:
    stated = FieldChange("own", FieldType.Number, None, {"required": True}, exclusive=True)
    action, facts = unfinished("own", stated, PreconditionFailed("Another user saved first."))
    assert (action, facts["outcome"], facts["code"]) == (Action.structure_changed, "failure", "PRECONDITION_FAILED")
    assert '"exclusive": true' in facts["contract"]
    assert unfinished("own", None, KeyError())[1]["contract"] == '{"name": "own"}'
