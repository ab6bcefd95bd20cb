"""The read-only registry, and the version of a subject that readers of contracts use.

They use the newest version with all base fields. A serializer that registers its own schema may add a version without
some of them, and every event that sets a missing field would then be rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID

from auditlane.contract.event import BASE_FIELDS
from auditlane.contract.tenant_contract import TenantContract
from auditlane.runtime.errors import InvalidInput, SchemaNotFound

# (result, seconds) of a request; the result is ok, not_found, refused or unavailable.
Observe = Callable[[str, float], None]


class Version(Protocol):
    """A version of a subject, with the id and text of its schema."""

    @property
    def schema_id(self) -> int: ...
    @property
    def schema(self) -> str: ...


V = TypeVar("V", bound=Version, covariant=True)


class Versions(Protocol[V]):
    """The versions of subjects. Methods raise the same errors as those of `RegistryClient`."""

    def latest(self, subject: str) -> V: ...
    def versions(self, subject: str) -> list[int]: ...
    def version(self, subject: str, number: int) -> V: ...


class Registry(Versions[Version], Protocol):
    """A read-only registry."""

    def schema(self, schema_id: int) -> str: ...
    def subjects(self) -> frozenset[str]: ...
    def subjects_of(self, schema_id: int) -> frozenset[str]: ...
    def id_of(self, guid: UUID) -> int: ...
    def close(self) -> None: ...


def missing_base_fields(schema_text: str) -> tuple[str, ...]:
    """Return the base fields that are missing from a schema. All of them are missing if it is not an event contract."""
    try:
        present = {field.name for field in TenantContract.parse(schema_text).fields}
    except InvalidInput:
        return BASE_FIELDS
    return tuple(name for name in BASE_FIELDS if name not in present)


def newest_complete(registry: Versions[V], subject: str) -> V:
    """Return the newest version with all base fields. If no version has them, returns the latest. Raises
    SchemaNotFound.
    """
    latest = registry.latest(subject)
    return latest if not missing_base_fields(latest.schema) else _older(registry, subject) or latest


def _older(registry: Versions[V], subject: str) -> V | None:
    for number in reversed(registry.versions(subject)):
        try:
            version = registry.version(subject, number)
        except SchemaNotFound:  # deleted in the meantime
            continue
        if not missing_base_fields(version.schema):
            return version
    return None
