"""Tests the audit events about changes to the structure, with separate actions for the switch and for the fields."""

from __future__ import annotations

import json
from dataclasses import replace

from auditlane.access.audit import Action
from auditlane.contract.field_definition import FieldType
from auditlane.query.structure.audit import audit_events
from auditlane.query.structure.contract_repository import Registration
from auditlane.query.structure.service import FieldChange, StructureChange
from auditlane.query.structure.views import ScopeState
from auditlane.store.presentation import DEFAULT_FIELDS, ENVIRONMENT, FieldView, Revision, tenant_scope

IP = next(one for one in DEFAULT_FIELDS if one.name == "ip")
ENV, ACME = Revision(scope=ENVIRONMENT), Revision(scope=tenant_scope("acme"))


def done(**after: object) -> StructureChange:
    return StructureChange(ScopeState(ENV, ACME), ScopeState(ENV, ACME.model_copy(update={"revision": 1} | after)))


def test_without_a_change_nothing_is_recorded() -> None:
    assert list(audit_events(StructureChange(ScopeState(ENV, ACME), ScopeState(ENV, ACME)))) == []


def test_the_switch_is_recorded_as_an_action_of_its_own() -> None:
    [(action, facts)] = audit_events(done(enabled=False))
    assert (action, facts["enabled"], facts["resource_id"]) == (Action.logs_disabled, "false", "tenant:acme")
    [(action, _)] = audit_events(done(enabled=True))
    assert action == Action.logs_enabled


def test_a_field_is_recorded_with_its_contract() -> None:
    view = FieldView(name="x", display_name="X")
    stated = FieldChange("x", FieldType.Number, None, {"minimum": 0})
    [(action, facts)] = audit_events(done(fields=(view,)), stated)
    assert action == Action.structure_changed
    assert json.loads(facts["changes"])[0]["kind"] == "added"
    assert json.loads(facts["contract"]) == {"name": "x", "type": "Number", "rules": {"minimum": 0}}


def test_a_change_of_the_contract_alone_is_recorded() -> None:
    [(action, facts)] = audit_events(done(), FieldChange("x", rules={}))
    assert (action, json.loads(facts["changes"])) == (Action.structure_changed, [])


def test_a_move_is_recorded_as_the_order_of_all_fields() -> None:
    [(_, facts)] = audit_events(done(fields=(IP.model_copy(update={"order": -1}),)))
    was, now = json.loads(facts["sequence"])
    assert (was[0], now[:2]) == ("occurred_at", ["ip", "occurred_at"])
    assert json.loads(facts["changes"]) == [{"kind": "changed", "field": "ip", "values": {"order": [6, -1]}}]


def test_each_registered_version_is_recorded_for_its_own_contract() -> None:
    registered = (Registration(None, "audit.events-value", 3, 4), Registration("acme", "audit.events.acme-value", 0, 1))
    found = list(audit_events(replace(done(), registered=registered)))
    assert [action for action, _ in found] == [Action.structure_changed, Action.schema_changed, Action.schema_changed]
    assert [facts for _, facts in found[1:]] == [
        {"resource": "schema", "resource_id": "audit.events-value", "previous": "3", "version": "4"},
        {
            "resource": "schema",
            "resource_id": "audit.events.acme-value",
            "previous": "none",
            "version": "1",
            "tenant": "acme",
        },
    ]


def test_the_switch_and_a_field_are_recorded_separately() -> None:
    found = audit_events(done(enabled=False, fields=(FieldView(name="ip", display_name="IP"),)))
    assert [action for action, _ in found] == [Action.logs_disabled, Action.structure_changed]


def test_rules_of_any_size_are_summarized() -> None:
    choices = [f"v{n:06}_xxxxxxxxxx" for n in range(29_000)]
    views = tuple(FieldView(name=f"x{n}", display_name="X" * 100, order=n + 50) for n in range(200))
    [(_, facts)] = audit_events(
        done(fields=views), FieldChange("x0", FieldType.Enum, None, {"oneOf": choices, "required": True})
    )
    recorded = json.loads(facts["contract"])
    assert (recorded["name"], recorded["rules"]["required"]) == ("x0", True)
    assert (recorded["rules"]["oneOf"]["count"], recorded["rules"]["oneOf"]["first"][0]) == (29_000, choices[0])
    changed = json.loads(facts["changes"])
    assert (changed[0]["field"], changed[-1]["digest"]["count"]) == ("x0", 200)
    assert sum(map(len, map(str, facts.values()))) < 40_000
