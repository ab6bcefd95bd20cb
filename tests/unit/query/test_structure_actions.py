"""Tests the action catalogue, in which the environment's labels extend or replace the built-in ones."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from auditlane.query.structure import actions, responses, views
from auditlane.query.structure.audit import audit_events
from auditlane.query.structure.models import LabelledAction
from auditlane.query.structure.service import StructureChange
from auditlane.query.structure.views import ScopeState
from auditlane.runtime.errors import InvalidInput, NotFound
from auditlane.store.presentation import ENVIRONMENT, ActionLabel, NamedAction, Revision, tenant_scope


def action(name: str, en: str = "Document deleted", de: str = "Dokument gelöscht") -> NamedAction:
    return NamedAction(name=name, label=ActionLabel(en=en, de=de))


def environment(*own: NamedAction, revision: int = 0) -> ScopeState:
    saved = Revision(scope=ENVIRONMENT, actions=own, revision=revision)
    return ScopeState(saved, saved)


def test_readers_of_a_tenant_see_the_environments_labels_beside_the_built_in_ones() -> None:
    own = (action("document.deleted"), action("user.login", "Came in", "Gekommen"))
    shown = ScopeState(environment(*own).own, Revision(scope=tenant_scope("acme")))
    found = {one.name: one for one in responses.catalogue(shown).actions}
    assert list(found) == sorted(found)
    assert (found["document.deleted"].own, found["document.deleted"].built_in) == (True, False)
    assert (found["user.login"].label.de, found["user.login"].own, found["user.login"].built_in) == (
        "Gekommen", True, True
    )  # fmt: skip
    assert (found["user.login_failed"].label.de, found["user.login_failed"].own) == ("Anmeldung fehlgeschlagen", False)


def test_given_actions_are_added_or_replaced_and_the_others_stay() -> None:
    own = actions.with_actions((action("b"), action("c")), [action("a"), action("c", "Other", "Anders")])
    assert [(one.name, one.label.en) for one in own] == [
        ("a", "Document deleted"), ("b", "Document deleted"), ("c", "Other")
    ]  # fmt: skip
    assert actions.without_action(own, "b") == (own[0], own[2])
    with pytest.raises(NotFound, match=r"user\.login"):
        actions.without_action(own, "user.login")
    with pytest.raises(InvalidInput) as twice:
        actions.with_actions((), [action("a"), action("b"), action("a")])
    assert twice.value.field == "actions.2.name"


def test_their_number_is_limited_but_existing_ones_can_be_changed() -> None:
    full = tuple(action(f"a{number:04}") for number in range(actions.MAX_ACTIONS))
    with pytest.raises(InvalidInput, match="501 actions"):
        actions.with_actions(full, [action("one.more")])
    assert len(actions.with_actions(full, [action("a0001", "Other", "Anders")])) == actions.MAX_ACTIONS


@pytest.mark.parametrize("name", ["", "a" * 201, "a/b", "..", " a", "a\nb", "a\u2028b"])
def test_an_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(ValidationError):
        LabelledAction.model_validate({"name": name, "label": {"en": "A", "de": "B"}})
    LabelledAction.model_validate({"name": "User logged in: SSO", "label": {"en": "A", "de": "B"}})


@pytest.mark.parametrize(
    "label", [{"en": "A"}, {"en": "A", "de": ""}, {"en": "A", "de": "x\ny"}, {"en": "A" * 101, "de": "B"}]
)
def test_both_labels_are_needed_in_one_line(label: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        LabelledAction.model_validate({"name": "a", "label": label})


def test_changes_are_in_the_history_and_in_the_audit_trail() -> None:
    before = environment(action("a"), action("b"), revision=1)
    after = environment(action("b", de="Anders"), action("c"), revision=2)
    found = views.changes(before, after)
    assert found == [
        {"kind": "removed", "field": None, "action": "a",
         "values": {"en": ("Document deleted", None), "de": ("Dokument gelöscht", None)}},
        {"kind": "changed", "field": None, "action": "b", "values": {"de": ("Dokument gelöscht", "Anders")}},
        {"kind": "added", "field": None, "action": "c",
         "values": {"en": (None, "Document deleted"), "de": (None, "Dokument gelöscht")}},
    ]  # fmt: skip
    [(kind, facts)] = audit_events(StructureChange(before, after))
    assert kind == "structure.changed"
    assert '"action": "b"' in facts["changes"]
    revision = responses.history([StructureChange(before, after)], limit=1).data[0]
    assert [(change.kind, change.action) for change in revision.changes] == [
        ("removed", "a"), ("changed", "b"), ("added", "c")
    ]  # fmt: skip
    assert revision.labels == {}
