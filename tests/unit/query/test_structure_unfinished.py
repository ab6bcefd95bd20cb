"""A change that fails half-way is told: the contract may be another one although the caller was refused."""

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
    """Contracts that answer as they are told."""

    def __init__(self, answer: bool | Exception) -> None:
        self.answer = answer

    def __call__(self) -> Any:
        return self

    def add(self, *_: Any, **__: Any) -> bool:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    release = add

    def of(self, tenant: str | None) -> Any:
        return type("Registered", (), {"schema": '{"type": "record", "name": "AuditEvent", "fields": []}'})()


@pytest.fixture
def revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = Revision(scope=ENVIRONMENT, fields=DEFAULT_FIELDS)
    acme = Revision(scope=tenant_scope("acme"), fields=(OWN,))
    monkeypatch.setattr(presentation, "load_many", lambda *_: {ENVIRONMENT: environment, tenant_scope("acme"): acme})


def call(service: StructureService, deed: str, told: list[BaseException]) -> None:
    etags = [ScopeState.etag.fget(service.state("acme"))]  # type: ignore[attr-defined]
    stated = FieldChange(
        "new" if deed == "add" else "own",
        FieldType.AlphaNumeric,
        None,
        {"required": True},
        view={"display_name": "New"},
    )
    given: dict[str, Any] = {"etags": etags, "who": "jane", "unfinished": told.append}
    if deed == "remove":
        service.remove("acme", "own", **given)
    else:
        getattr(service, deed)("acme", stated, **given)


@pytest.mark.parametrize("deed", ["add", "change", "remove"])
@pytest.mark.parametrize(
    ("answer", "saving", "is_told"),
    [
        (True, Conflict("Somebody was first."), True),  # registered, and the revision is another's
        (True, StoreUnavailable("It is away."), True),
        (True, ZeroDivisionError(), True),
        (False, Conflict("Somebody was first."), False),  # nothing was to be registered
        (RegistryUnavailable("It did not answer."), None, True),  # nobody knows
        (SchemaIncompatible("No."), None, False),
        (FieldConflict("No."), None, False),
    ],
)
def test_what_failed_is_told_when_the_contract_may_have_changed(
    revisions: None,
    monkeypatch: pytest.MonkeyPatch,
    deed: str,
    answer: bool | Exception,
    saving: Exception | None,
    is_told: bool,
) -> None:
    def save(*_: Any, **__: Any) -> Revision:
        assert saving is not None
        raise saving

    monkeypatch.setattr(presentation, "save", save)
    registered: list[str | None] = []
    service = StructureService(lambda: None, "audit", Registry(answer), registered=registered.append)  # type: ignore[arg-type, return-value]
    told: list[BaseException] = []
    expected = answer if isinstance(answer, Exception) else saving
    with pytest.raises(PreconditionFailed if isinstance(expected, Conflict) and saving else type(expected)):
        call(service, deed, told)
    assert bool(told) == is_told
    assert registered == ["acme"]


def test_it_is_an_event_with_what_was_asked_for() -> None:
    stated = FieldChange("own", FieldType.Number, None, {"required": True}, exclusive=True)
    action, facts = unfinished("own", stated, PreconditionFailed("Somebody was first."))
    assert (action, facts["outcome"], facts["code"]) == (Action.structure_changed, "failure", "PRECONDITION_FAILED")
    assert '"exclusive": true' in facts["contract"]
    assert unfinished("own", None, KeyError())[1]["contract"] == '{"name": "own"}'
