"""Records changes to the structure in the service's own audit log, as events of limited size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from auditlane.access.audit import Action
from auditlane.query.structure.contract_repository import Registrations
from auditlane.query.structure.service import FieldChange, StructureChange
from auditlane.runtime.digest import digested, digested_list, json_text
from auditlane.runtime.errors import AuditlaneError

RESOURCE: Final = "structure"
_MAX_BYTES: Final = 12_288  # maximum size of the changes or the contract in an event; larger ones are summarized


def audit_events(
    change: StructureChange, field_change: FieldChange | None = None
) -> Iterator[tuple[Action, dict[str, Any]]]:
    """Yield the action and facts of each event about a change.

    There is one event for the switch, one for everything else, and one for each contract version that the change
    registered.

    `field_change` is the requested change to the contract of a field.
    """
    own = change.after.own
    others = [entry for entry in change.changes if entry["kind"] != "switched"]
    facts: dict[str, Any] = {"resource": RESOURCE, "resource_id": own.scope, "revision": str(own.revision)}
    switched = change.before.own.enabled != own.enabled
    if switched:
        action = Action.logs_enabled if change.after.enabled else Action.logs_disabled
        yield action, facts | {"enabled": json.dumps(own.enabled)}
    if others or (not switched and own.revision != change.before.own.revision):
        facts["changes"] = changes_text(others)
        if change.sequence is not None:
            facts["sequence"] = json_text([digested(names, _MAX_BYTES // 2) for names in change.sequence])
        if field_change is not None:
            facts["contract"] = json_text(digested(_contract(field_change), _MAX_BYTES))
        yield Action.structure_changed, facts
    yield from schema_events(change.registered)


def schema_events(registered: Registrations) -> Iterator[tuple[Action, dict[str, Any]]]:
    """Yield the action and facts for each registered version. `tenant` is the contract's tenant."""
    for done in registered:
        facts = {"resource": "schema", "resource_id": done.subject, "version": str(done.version)}
        tenant = {"tenant": done.tenant} if done.tenant else {}
        yield Action.schema_changed, facts | {"previous": str(done.previous or "none")} | tenant


def changes_text(changes: Sequence[Mapping[str, Any]]) -> str:
    """Return the changes in a revision as text, in full if they fit."""
    return json_text(digested_list(changes, _MAX_BYTES, name="field"))


def unfinished(name: str, field_change: FieldChange | None, error: BaseException) -> tuple[Action, dict[str, Any]]:
    """Return the action and facts for a change that failed but may have changed the contract.

    `field_change` is None if a field was to be removed.
    """
    code = error.code if isinstance(error, AuditlaneError) else AuditlaneError.code
    contract = {"name": name} if field_change is None else _contract(field_change)
    facts = {"resource": RESOURCE, "outcome": "failure", "code": code, "field": name}
    return Action.structure_changed, facts | {"contract": json_text(digested(contract, _MAX_BYTES))}


def _contract(field_change: FieldChange) -> dict[str, Any]:
    stated = {
        "type": field_change.type,
        "default": field_change.default,
        "rules": field_change.rules,
        "exclusive": field_change.exclusive,
    }
    return {"name": field_change.name} | {key: value for key, value in stated.items() if value is not None}
