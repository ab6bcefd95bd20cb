"""Shows a letter to operators, with the malformed field and as much of the event as can be decoded."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any, Final

from auditlane.contract.dead_letter import Letter
from auditlane.contract.reject_codes import RejectCode
from auditlane.contract.schema_guids import split_guid
from auditlane.contract.tenant_contract import TenantContract
from auditlane.contract.wire import unframe
from auditlane.operations.dlq.dry_run import DryRunResult, Found
from auditlane.operations.dlq.to_json import time_of_us, to_json
from auditlane.worker.validation import avro_binary
from auditlane.worker.validation.schema_cache import CachedSchema

_FIELDS: Final[dict[str, str]] = {
    RejectCode.TENANT_MISMATCH: "tenant_id",
    RejectCode.EVENT_ID_INVALID: "event_id",
    RejectCode.OCCURRED_AT_OUT_OF_RANGE: "occurred_at",
    RejectCode.ACTION_EMPTY: "action",
    RejectCode.IP_INVALID: "ip",
}


def view(
    found: Found, known: Callable[[bytes | None], CachedSchema | None], dry_run: DryRunResult | None
) -> dict[str, Any]:
    """Return the document of `to_json`, extended by the body.

    `event` contains the fields before the malformed one, and `replay` the result that a replay would have.
    """
    event, problem = decoded(found.value, known)
    field, (value, _) = _broken(found.letter, event, problem), split_guid(found.value)
    shown = to_json(found.letter) | {
        "key": None if found.key is None else found.key.decode(errors="backslashreplace"),
        "event": event,
        "undecoded": problem,
        "broken_field": field,
        "bytes": len(value or b""),
        "value_base64": None if value is None else base64.b64encode(value).decode(),
    }
    if dry_run is not None:
        shown["replay"] = {"code": dry_run.code or None, "reason": dry_run.reason, "drops": list(dry_run.dropped)}
    return shown


def decoded(
    value: bytes | None, known: Callable[[bytes | None], CachedSchema | None]
) -> tuple[dict[str, Any] | None, str]:
    """Return the fields of the event that can be decoded, and the problem with the rest, or "" if all can be."""
    if value is None:
        return None, "The message has no value."
    try:
        datum = bytes(unframe(value)[1])
    except ValueError as error:
        return None, f"Not decoded: {error}."
    schema = known(value)
    if schema is None:
        return None, "The registry has no schema with this id."
    if schema.contract is None:
        return None, schema.problem
    values, problem = avro_binary.read_partly(schema.contract.fields, datum)
    return _shown(schema.contract, values), problem


def _shown(contract: TenantContract, values: dict[str, Any]) -> dict[str, Any]:
    kinds = {one.name: one.kind for one in contract.fields}
    shown = dict(values)
    for name, value in values.items():
        if value is not None and kinds[name] == "timestamp":
            shown[name] = time_of_us(value, "microseconds")
        elif kinds[name] == "map":
            shown[name] = dict(value)
    return shown


def _broken(letter: Letter, event: dict[str, Any] | None, problem: str) -> str | None:
    """Return the field that caused the rejection, if known."""
    if event is None:
        return None
    name, colon, _ = problem.partition(":")
    if problem:
        return name if colon else None
    if letter.code == RejectCode.FIELD_RULE:
        name = letter.reason.split(" ", 1)[0]
        return name if name in event else None
    return _FIELDS.get(letter.code)
