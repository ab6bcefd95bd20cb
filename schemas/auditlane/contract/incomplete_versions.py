"""Versions of a subject that lack base fields: a serializer that registers what it has may make one the newest.

Writing with such a version would refuse every event that has more, so the newest one that holds all of them is used.
"""

from __future__ import annotations

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.registry_reader import V, Versions
from auditlane.contract.tenant_contract import TenantContract
from auditlane.runtime.errors import InvalidInput, SchemaNotFound


def lacking(schema_text: str) -> tuple[str, ...]:
    """The base fields that a schema lacks; all of them where it is no contract of an event."""
    try:
        named = {one.name for one in TenantContract.parse(schema_text).fields}
    except InvalidInput:
        return BASE_FIELDS
    return tuple(name for name in BASE_FIELDS if name not in named)


def newest_whole(registry: Versions[V], subject: str) -> V:
    """The newest version that holds all base fields; the latest where none does. Raises SchemaNotFound."""
    latest = registry.latest(subject)
    return latest if not lacking(latest.schema) else _older(registry, subject) or latest


def _older(registry: Versions[V], subject: str) -> V | None:
    for number in reversed(registry.versions(subject)):
        try:
            one = registry.version(subject, number)
        except SchemaNotFound:  # deleted meanwhile
            continue
        if not lacking(one.schema):
            return one
    return None
