"""Which default of a tenant's field stands for "not set": the first that the field ever had.

An event that leaves a field out equals one that holds its default, since events are older than fields. Were that so for
every default that a field has had, then two events that set different values could equal the same one, and so one
another. So only the first counts; an event that holds a later one counts as setting it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from auditlane.contract.registry_reader import Version, Versions
from auditlane.contract.tenant_contract import Field, TenantContract
from auditlane.runtime.errors import InvalidInput, SchemaNotFound


@dataclass(frozen=True, slots=True)
class FirstDefaults:
    """The first defaults of a subject's fields, by name, in its versions up to `read`."""

    read: int = 0
    defaults: dict[str, Any] = field(default_factory=dict)

    def through(self, registry: Versions[Version], subject: str, names: Collection[str]) -> FirstDefaults:
        """Read on until all the names are found, or there are no more versions. Raises what the registry raises."""
        read, defaults = self.read, dict(self.defaults)
        numbers = iter(registry.versions(subject) if not defaults.keys() >= set(names) else ())
        while not defaults.keys() >= set(names) and (number := next(numbers, None)) is not None:
            if number > read:
                for one in _own(registry, subject, number):
                    defaults.setdefault(one.name, one.default)
                read = number
        return FirstDefaults(read, defaults)


def standing(fields: Collection[Field], chains: Collection[FirstDefaults]) -> frozenset[str]:
    """The fields whose default is the first one in each of the subjects that have the field. Pure."""
    return frozenset(
        one.name
        for one in fields
        if one.default is not None
        and {repr(chain.defaults[one.name]) for chain in chains if one.name in chain.defaults} == {repr(one.default)}
    )


def _own(registry: Versions[Version], subject: str, number: int) -> tuple[Field, ...]:
    try:
        return TenantContract.parse(registry.version(subject, number).schema).own
    except (InvalidInput, SchemaNotFound):  # no event is written with it; deleted meanwhile
        return ()
