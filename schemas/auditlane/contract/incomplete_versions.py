"""Detect subject versions that lack base fields: a serializer that auto-registers its schema may add them.

With such a version, every event that sets a missing field would be rejected, so the newest complete version is used.
"""

from __future__ import annotations

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.registry_reader import V, Versions
from auditlane.contract.tenant_contract import TenantContract
from auditlane.runtime.errors import InvalidInput, SchemaNotFound


def lacking(schema_text: str) -> tuple[str, ...]:
    """Return the base fields that a schema lacks, or all of them if it is not an event contract."""
    try:
        present = {field.name for field in TenantContract.parse(schema_text).fields}
    except InvalidInput:
        return BASE_FIELDS
    return tuple(name for name in BASE_FIELDS if name not in present)


def newest_whole(registry: Versions[V], subject: str) -> V:
    """Return the newest version with all base fields, or the latest if no version has them. Raises SchemaNotFound."""
    latest = registry.latest(subject)
    return latest if not lacking(latest.schema) else _older(registry, subject) or latest


def _older(registry: Versions[V], subject: str) -> V | None:
    for number in reversed(registry.versions(subject)):
        try:
            version = registry.version(subject, number)
        except SchemaNotFound:  # deleted in the meantime
            continue
        if not lacking(version.schema):
            return version
    return None
