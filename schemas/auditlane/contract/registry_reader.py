"""The interface through which contracts are read: the read-only part of `registry.RegistryClient`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID

# (result, seconds) of a request; the result is ok, not_found, refused or unavailable.
Observe = Callable[[str, float], None]


class Version(Protocol):
    """A version of a subject: its schema's id and text."""

    @property
    def schema_id(self) -> int: ...
    @property
    def schema(self) -> str: ...


V = TypeVar("V", bound=Version, covariant=True)


class Versions(Protocol[V]):
    """The versions of subjects. Each method raises the same errors as in `RegistryClient`."""

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
