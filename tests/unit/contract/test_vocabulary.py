"""Tests the names, metadata and OCSF classes in the vocabulary, including those of auditlane's own actions."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
from ocsf_schema import needs_schema, ocsf_schema

from auditlane.access.audit import Action as OwnAction
from auditlane.contract.event import BASE_FIELDS, AuditEvent
from auditlane.contract.vocabulary import (
    ACTIONS,
    Action,
    Group,
    MetadataKey,
    Vendor,
    administration,
    maintenance,
    ocsf,
    own_trail,
    performance,
    users,
    vendors,
)

ROOT = Path(__file__).parents[3]
MODULES = (users, administration, performance, maintenance, own_trail)
NO_PARTICIPLE = {"user.login", "user.logout", "request.slow", "certificate.expiring", "key.expiring", "disk.filling"}
IRREGULAR = {"reset", "sent"}
each_action = pytest.mark.parametrize("action", ACTIONS.values(), ids=lambda action: action.name)


def _metadata(action: Action) -> dict[str, MetadataKey]:
    return {**action.required, **action.optional}


def test_names_are_unique() -> None:
    names = [action.name for module in MODULES for action in module.DEFINITIONS]
    assert sorted(names) == sorted(set(names))
    assert list(ACTIONS) == names


@each_action
def test_a_name_is_a_noun_and_a_past_participle(action: Action) -> None:
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*\.[a-z]+(_[a-z]+)*", action.name)
    words = action.participle.split("_")
    is_participle = any(word.endswith("ed") or word in IRREGULAR for word in words)
    assert is_participle != (action.name in NO_PARTICIPLE)


@each_action
def test_a_definition_makes_a_valid_event(action: Action) -> None:
    assert action.group in get_args(Group)
    assert re.fullmatch(r"[A-Z].+\.", action.meaning)
    assert re.fullmatch(r"[a-z_]+", action.resource)
    event = AuditEvent.checked(
        {
            "tenant_id": "acme",
            "action": action.name,
            "outcome": action.outcome,
            "severity": action.severity,
            "resource": action.resource,
            "metadata": {name: (key.values or ("1",))[0] for name, key in _metadata(action).items()},
        }
    )
    assert event.severity.value == action.severity


@each_action
def test_metadata_can_be_keywords_beside_the_fields_of_an_event(action: Action) -> None:
    assert not action.required.keys() & action.optional.keys()
    for name, key in _metadata(action).items():
        assert name.isidentifier()
        assert name not in {*BASE_FIELDS, "fields", "self"}
        assert re.fullmatch(r"[A-Z].+\.", key.meaning)
        assert len(set(key.values)) == len(key.values)
        assert not (key.values and key.kind != "text")


def test_every_action_has_an_ocsf_class_and_every_table_only_actions() -> None:
    assert ocsf.CLASSES.keys() == ACTIONS.keys()
    assert vendors.VENDOR_NAMES.keys() <= ACTIONS.keys()
    for names in vendors.VENDOR_NAMES.values():
        assert names.keys() <= set(get_args(Vendor))
        assert list(names) == sorted(names)
        assert all(len(set(each)) == len(each) > 0 for each in names.values())


@needs_schema
@pytest.mark.parametrize(("version", "attribute"), [("1.8.0", "ocsf_1_8"), ("1.9.0-dev", "ocsf_1_9")])
def test_ocsf_has_the_classes_and_their_activities(version: str, attribute: str) -> None:
    known = {uid: made for uid, made in ocsf_schema(version).classes.items() if "@deprecated" not in made}
    pairs = {name: getattr(action, attribute) for name, action in ACTIONS.items()}
    missing = {
        name: pair
        for name, pair in pairs.items()
        if str(pair.activity_id) not in known[pair.class_uid]["attributes"]["activity_id"]["enum"]
    }
    assert not missing


def _recorded(tree: ast.AST) -> Iterator[str]:
    """Yield the actions given as string literals in calls to `record` and `AuditRecord`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in {"record", "_record", "AuditRecord"}:
            for argument in [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "action")]:
                yield from (
                    one.value
                    for one in ast.walk(argument)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )


def test_the_actions_that_auditlane_records_are_in_the_vocabulary() -> None:
    named = set()
    for folder in ("schemas", "producers/auditlane/gateway", "producers/auditlane/trail", "consumers", "deploy"):
        for path in (ROOT / folder).rglob("*.py"):
            if re.search(r"[rR]ecord\(", text := path.read_text("utf-8")):
                named |= set(_recorded(ast.parse(text)))
    assert {"export.requested", "export.removed"} <= named  # the search finds them
    assert named | set(OwnAction) <= ACTIONS.keys()


def test_every_action_of_the_own_trail_is_one_that_auditlane_records() -> None:
    own = {action.name for action in ACTIONS.values() if action.group == "auditlane"}
    assert own - set(OwnAction) == {"export.requested", "export.removed"}
