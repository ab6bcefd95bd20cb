"""What a change of the structure is in our own audit trail, whatever it holds in events of a bounded size."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from auditlane.access.audit import Action
from auditlane.query.structure.service import FieldChange, StructureChange
from auditlane.runtime.digest import digested, digested_list, json_text
from auditlane.runtime.errors import AuditlaneError

RESOURCE: Final = "structure"
_MOST_BYTES: Final = 12_288  # of the text of the changes, and of the contract; what is larger is summed up


def audit_events(done: StructureChange, stated: FieldChange | None = None) -> Iterator[tuple[Action, dict[str, Any]]]:
    """(action, facts) for each thing that was done: the switch, and everything else. `stated`: what became of a field's
    contract."""
    own = done.after.own
    fields = [one for one in done.changes if one["field"] is not None]
    facts: dict[str, Any] = {"resource": RESOURCE, "resource_id": own.scope, "revision": str(own.revision)}
    switched = done.before.own.enabled != own.enabled
    if switched:
        action = Action.logs_enabled if done.after.enabled else Action.logs_disabled
        yield action, facts | {"enabled": json.dumps(own.enabled)}
    if fields or (not switched and own.revision != done.before.own.revision):
        facts["changes"] = changes_text(fields)
        if done.sequence is not None:
            facts["sequence"] = json_text([digested(one, _MOST_BYTES // 2) for one in done.sequence])
        if stated is not None:
            facts["contract"] = json_text(digested(_contract(stated), _MOST_BYTES))
        yield Action.structure_changed, facts


def changes_text(changes: Sequence[Mapping[str, Any]]) -> str:
    """The changes of a revision, each of them in full where they have room."""
    return json_text(digested_list(changes, _MOST_BYTES, name="field"))


def unfinished(name: str, stated: FieldChange | None, error: BaseException) -> tuple[Action, dict[str, Any]]:
    """(action, facts) of a change that failed though the contract may be another one now: `stated` None removed it."""
    code = error.code if isinstance(error, AuditlaneError) else AuditlaneError.code
    contract = {"name": name} if stated is None else _contract(stated)
    facts = {"resource": RESOURCE, "outcome": "failure", "code": code, "field": name}
    return Action.structure_changed, facts | {"contract": json_text(digested(contract, _MOST_BYTES))}


def _contract(stated: FieldChange) -> dict[str, Any]:
    said = {"type": stated.type, "default": stated.default, "rules": stated.rules, "exclusive": stated.exclusive}
    return {"name": stated.name} | {key: value for key, value in said.items() if value is not None}
