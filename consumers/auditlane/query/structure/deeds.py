"""What a change of the structure is in our own audit trail."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from auditlane.access.trail import Action
from auditlane.query.structure.service import Done, Stated

RESOURCE = "structure"


def deeds(done: Done, stated: Stated | None = None) -> Iterator[tuple[Action, dict[str, Any]]]:
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
        contract = {} if stated is None else {"contract": _text(_contract(stated))}
        moved = {} if done.sequence is None else {"sequence": _text(done.sequence)}
        yield Action.structure_changed, facts | {"changes": _text(fields)} | moved | contract


def _contract(stated: Stated) -> dict[str, Any]:
    said = {"type": stated.type, "default": stated.default, "rules": stated.rules, "exclusive": stated.exclusive}
    return {"name": stated.name} | {key: value for key, value in said.items() if value is not None}


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
