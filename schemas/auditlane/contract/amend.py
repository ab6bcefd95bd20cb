"""Change a subject's contract without losing what somebody else changes at the same time.

A registry has no compare-and-set: of two who start from one version, the second to register would drop the first's
field. So whoever registered looks at what came in between, and registers what is owed on top, until nothing is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract.field_definition import conflict, own_field, own_fields, with_field
from auditlane.contract.incomplete_versions import newest_whole
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.subjects import COMPATIBILITY
from auditlane.contract.tenant_contract import check_registrable
from auditlane.runtime.errors import (
    FieldConflict,
    InvalidInput,
    RegistryUnavailable,
    SchemaIncompatible,
    SchemaNotFound,
    TooManyVersions,
)

_ATTEMPTS: Final = 20
# Counts amendments in the schema itself: a registry gives a text that it has already no new version.
_COUNT: Final = "amendment"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Amended:
    """The subject's newest version. `changed` is whether anything had to be registered."""

    subject: str
    version: int
    schema_id: int
    schema: Schema
    changed: bool


def amend(
    client: RegistryClient,
    subject: str,
    change: Callable[[Schema], Schema],
    *,
    seed: Callable[[], Schema] | None = None,
    most_versions: int | None = None,
) -> Amended:
    """Register `change(newest version)`, or nothing when that is the newest version itself.

    A subject that is not there begins with `seed()`, as BACKWARD. Raises SchemaNotFound without a seed, InvalidInput
    and FieldConflict for a contract that cannot be, TooManyVersions where `most_versions` are there already, and what
    RegistryClient and `change` raise.
    """
    owed: list[dict[str, Any]] = []
    changed, refused = False, None
    for _ in range(_ATTEMPTS):
        latest = _latest(client, subject, needed=seed is None)
        current: Schema = json.loads(latest.schema) if latest else seed() if seed else {}
        wanted = current if changed else change(current)
        for avro in owed:
            wanted = with_field(wanted, avro)
        if latest is not None and wanted == current:
            return Amended(subject, latest.version, latest.schema_id, current, changed)
        since = latest.version if latest else 0
        check(client, subject, current if latest else None, wanted)
        if most_versions is not None and since >= most_versions:  # a number is not given twice, so that may be fewer
            _check_versions(client, subject, most_versions)
        if latest is None and client.own_compatibility(subject) is None:
            client.set_compatibility(subject, COMPATIBILITY)
        try:
            client.register(subject, json.dumps(wanted | {_COUNT: since}))
        except SchemaIncompatible as error:  # another version came first: look at that one
            refused = error
            continue
        changed = True
        owed = _owed(client, subject, current, since)
    if refused is not None and not changed:
        raise FieldConflict(f"The registry refuses the contract: {refused.message}") from refused
    raise RegistryUnavailable(f"The subject {subject} is changed by many at once.", fix="Try again in a moment.")


def _latest(client: RegistryClient, subject: str, *, needed: bool) -> Registered | None:
    try:
        return newest_whole(client, subject)
    except SchemaNotFound as error:
        if needed:
            raise SchemaNotFound(error.message, fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL.") from error
        return None


def _check_versions(client: RegistryClient, subject: str, most: int) -> None:
    if len(client.versions(subject)) >= most:
        raise TooManyVersions(
            f"The contract was changed {most} times, and no more versions of it are kept.",
            fix="Make several changes at once, or have an operator raise AUDITLANE_CONTRACT_VERSIONS.",
        )


def check(client: RegistryClient, subject: str, current: Schema | None, wanted: Schema) -> None:
    """Raises InvalidInput and FieldConflict when the subject, now at `current`, cannot become `wanted`."""
    for avro in own_fields(wanted):
        was = own_field(current, avro["name"]) if current else None
        reason = conflict(was, avro) if was else ""
        if reason:
            raise FieldConflict(
                f"The field {avro['name']} {reason}: stored messages are read by it.",
                field="type",
                fix="Give it the type that it had, or add a field of another name.",
            )
        if was:
            _check_default(client, subject, was, avro)
    text = json.dumps(wanted)
    # An older contract may lack base fields of this release: that is no fault of this change.
    known = check_registrable(json.dumps(current)) if current else []
    problems = [one for one in check_registrable(text) if one not in known]
    if problems:
        raise InvalidInput("The contract cannot be: " + " ".join(problems), field=problems[0].split(":")[0])
    reasons = client.check(subject, text) if current else []
    if reasons:
        raise FieldConflict(
            "Events that were written until now could not be read with the changed contract: " + "; ".join(reasons),
            fix="Add a field of another name.",
        )


def _check_default(client: RegistryClient, subject: str, was: dict[str, Any], avro: dict[str, Any]) -> None:
    """Raises FieldConflict for another default than the field had before: that one stands for what is not set."""
    default = avro.get("default")
    if default is None or default == was.get("default"):
        return
    before = (json.loads(client.version(subject, number).schema) for number in client.versions(subject))
    held = (own_field(schema, avro["name"]) for schema in before)
    first = next((one["default"] for one in held if one and one.get("default") is not None), None)
    if first is not None and default != first:
        raise FieldConflict(
            f"The field {avro['name']} had the default {json.dumps(first)}, which stands for events that do not set "
            f"it, and cannot have {json.dumps(default)}.",
            field="default",
            fix="Give it the default that it had, or none, or add a field of another name.",
        )


def _owed(client: RegistryClient, subject: str, current: Schema, since: int) -> list[dict[str, Any]]:
    """Fields that a version after `since` has otherwise than `current`, and that the newest one lacks in that form."""
    later = [client.version(subject, number) for number in client.versions(subject) if number > since]
    changes: dict[str, dict[str, Any]] = {}
    schemas = [json.loads(one.schema) for one in sorted(later, key=lambda one: one.version)]
    for schema in schemas:
        changes |= {one["name"]: one for one in own_fields(schema) if one != own_field(current, one["name"])}
    newest = schemas[-1] if schemas else current
    return [one for name, one in changes.items() if own_field(newest, name) != one]
