"""Amends a subject's contract without losing concurrent changes.

A registry has no compare-and-set. If two processes start from the same version, the one that registers last drops the
other's field. So each process checks after registering which versions were added in between, and registers lost fields
again until none are missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from auditlane.contract.field_definition import conflict, own_field, own_fields, with_field
from auditlane.contract.registry import Registered, RegistryClient
from auditlane.contract.registry_reader import newest_complete
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
# Counts amendments in the schema itself: a registry assigns no new version to a schema that it already has.
_COUNT: Final = "amendment"

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Amended:
    """The newest version of the subject. `changed` is true if a version was registered. `previous` is the version it
    extends, or 0 for the first one.
    """

    subject: str
    version: int
    schema_id: int
    schema: Schema
    changed: bool
    previous: int


def amend(
    client: RegistryClient,
    subject: str,
    change: Callable[[Schema], Schema],
    *,
    seed: Callable[[], Schema] | None = None,
    most_versions: int | None = None,
) -> Amended:
    """Register `change(newest version)`, unless it equals the newest version.

    If the subject does not exist, it starts with `seed()` and gets the level BACKWARD. Raises SchemaNotFound if it does
    not exist and there is no seed, InvalidInput or FieldConflict for an invalid contract, and TooManyVersions at the
    limit `most_versions`. Propagates errors from RegistryClient and `change`.
    """
    lost: list[dict[str, Any]] = []
    changed, refused, previous = False, None, 0
    for _ in range(_ATTEMPTS):
        latest = _latest(client, subject, needed=seed is None)
        current: Schema = json.loads(latest.schema) if latest else seed() if seed else {}
        wanted = current if changed else change(current)
        for avro in lost:
            wanted = with_field(wanted, avro)
        if latest is not None and wanted == current:
            return Amended(subject, latest.version, latest.schema_id, current, changed, previous)
        since = latest.version if latest else 0
        check(client, subject, current if latest else None, wanted)
        if most_versions is not None and since >= most_versions:  # deleted versions leave gaps, so there may be fewer
            _check_versions(client, subject, most_versions)
        if latest is None and client.own_compatibility(subject) is None:
            client.set_compatibility(subject, COMPATIBILITY)
        try:
            client.register(subject, json.dumps(wanted | {_COUNT: since}))
        except SchemaIncompatible as error:  # another version was registered first, so start over from it
            refused = error
            continue
        changed, previous = True, since
        lost = _lost_fields(client, subject, current, since)
    if refused is not None and not changed:
        raise FieldConflict(f"The registry refuses the contract: {refused.message}") from refused
    raise RegistryUnavailable(
        f"The subject {subject} is being changed by many processes concurrently.", fix="Try again in a moment."
    )


def _latest(client: RegistryClient, subject: str, *, needed: bool) -> Registered | None:
    try:
        return newest_complete(client, subject)
    except SchemaNotFound as error:
        if needed:
            raise SchemaNotFound(error.message, fix="Run `auditlane init`, or check AUDITLANE_REGISTRY_URL.") from error
        return None


def _check_versions(client: RegistryClient, subject: str, most: int) -> None:
    if len(client.versions(subject)) >= most:
        raise TooManyVersions(
            f"The contract has {most} versions, which is the limit.",
            fix="Combine several changes into one, or ask an operator to raise AUDITLANE_CONTRACT_VERSIONS.",
        )


def check(client: RegistryClient, subject: str, current: Schema | None, wanted: Schema) -> None:
    """Raise InvalidInput or FieldConflict if the subject's contract cannot be changed from `current` to `wanted`."""
    for avro in own_fields(wanted):
        previous = own_field(current, avro["name"]) if current else None
        reason = conflict(previous, avro) if previous else ""
        if reason:
            raise FieldConflict(
                f"The field {avro['name']} {reason}: stored messages are decoded with it.",
                field="type",
                fix="Keep its type, or add a field with another name.",
            )
        if previous:
            _check_default(client, subject, previous, avro)
    text = json.dumps(wanted)
    # An older contract may lack base fields of this release, which must not block this change.
    known = check_registrable(json.dumps(current)) if current else []
    problems = [problem for problem in check_registrable(text) if problem not in known]
    if problems:
        raise InvalidInput("Invalid contract: " + " ".join(problems), field=problems[0].split(":")[0])
    reasons = client.check(subject, text) if current else []
    if reasons:
        raise FieldConflict(
            "Existing events could not be read with the changed contract: " + "; ".join(reasons),
            fix="Add a field with another name.",
        )


def _check_default(client: RegistryClient, subject: str, previous: dict[str, Any], avro: dict[str, Any]) -> None:
    """Raise FieldConflict if the default changes, since existing events without a value depend on it."""
    default = avro.get("default")
    if default is None or default == previous.get("default"):
        return
    schemas = (json.loads(client.version(subject, number).schema) for number in client.versions(subject))
    earlier = (own_field(schema, avro["name"]) for schema in schemas)
    first = next((found["default"] for found in earlier if found and found.get("default") is not None), None)
    if first is not None and default != first:
        raise FieldConflict(
            f"The default of the field {avro['name']} cannot change from {json.dumps(first)} to {json.dumps(default)}: "
            "existing events without a value would change.",
            field="default",
            fix="Keep its default, remove the default, or add a field with another name.",
        )


def _lost_fields(client: RegistryClient, subject: str, current: Schema, since: int) -> list[dict[str, Any]]:
    """Return the fields that were added or changed after version `since`, compared with `current`, but are missing from
    the newest version.
    """
    later = [client.version(subject, number) for number in client.versions(subject) if number > since]
    changes: dict[str, dict[str, Any]] = {}
    schemas = [json.loads(version.schema) for version in sorted(later, key=lambda version: version.version)]
    for schema in schemas:
        changes |= {field["name"]: field for field in own_fields(schema) if field != own_field(current, field["name"])}
    newest = schemas[-1] if schemas else current
    return [field for name, field in changes.items() if own_field(newest, name) != field]
