"""Compares a contract with the fields that typed events declare. All functions are pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from auditlane.contract.declared_fields import DeclaredField, declared_fields
from auditlane.contract.event import AuditEvent
from auditlane.contract.field_definition import FieldDefinition, FieldType, alike, described, own_field, own_fields
from auditlane.contract.rules import NAMES
from auditlane.runtime.errors import InvalidInput

_TEXTS: Final = frozenset({FieldType.Email, FieldType.IpAddress, FieldType.Json, FieldType.Enum})


class Kind(StrEnum):
    """How a field differs from the contract.

    Registering the field resolves `missing` and `unshown`. A person must resolve `type` and `rules`.
    """

    missing = "missing"
    unshown = "unshown"
    type = "type"
    rules = "rules"


@dataclass(frozen=True, slots=True)
class NeededField:
    """A field, and the names of the event classes that declare it."""

    field: DeclaredField
    events: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.field.name


@dataclass(frozen=True, slots=True)
class Difference:
    """A declared field that differs from the contract.

    `definition` is the definition to register, or None if registering cannot resolve the difference.
    """

    needed: NeededField
    kind: Kind
    reason: str
    definition: FieldDefinition | None = None


@dataclass(frozen=True, slots=True)
class ContractDiff:
    """The result of comparing declared fields with a contract.

    `unused` contains custom fields of the contract that no class declares. `removed` contains declared fields that
    readers do not see, since they were removed from the data structure. Neither counts as a difference.
    """

    differences: tuple[Difference, ...]
    unused: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def conflicts(self) -> tuple[Difference, ...]:
        return tuple(difference for difference in self.differences if difference.definition is None)


def needed_fields(events: Iterable[type[AuditEvent]]) -> tuple[NeededField, ...]:
    """Return the fields that the classes declare, in order. Raises InvalidInput if two of them declare a field
    differently, or names differ only in case.
    """
    found: dict[str, NeededField] = {}
    for event in events:
        for field in declared_fields(event):
            known = found.get(field.name)
            if known is None:
                _check_case(field.name, event, found)
                found[field.name] = NeededField(field, (event.__name__,))
                continue
            was, now = summary(known.field.definition), summary(field.definition)
            if was != now:
                raise InvalidInput(
                    f"{known.events[0]} and {event.__name__} declare the field {field.name} differently: {was} and "
                    f"{now}. Field names are unique in a contract.",
                    field=field.name,
                    fix="Declare it in a base class of both, or rename it in one of them.",
                )
            either = DeclaredField(
                field.definition, known.field.nullable or field.nullable, known.field.label or field.label
            )
            found[field.name] = NeededField(either, (*known.events, event.__name__))
    return tuple(found.values())


def contract_diff(needed: Iterable[NeededField], schema: Mapping[str, Any], shown: Mapping[str, bool]) -> ContractDiff:
    """Compare the declared fields with a contract's schema.

    `shown` maps each field's name to whether readers see it. It is false for a removed field, and has no entry for a
    contract field that was never shown.
    """
    needed = tuple(needed)
    found = (_difference(field, schema, shown) for field in needed)
    names = {field.name for field in needed}
    unused = tuple(avro["name"] for avro in own_fields(schema) if avro["name"] not in names)
    removed = tuple(field.name for field in needed if not shown.get(field.name, True))
    return ContractDiff(tuple(difference for difference in found if difference), unused, removed)


def summary(definition: FieldDefinition) -> str:
    """Describe a field's type and rules, such as `Integer, minimum 1`."""
    rules = (
        f"{name} {', '.join(map(str, value))}" if name == "oneOf" else f"{name} {value}"
        for name, value in definition.rules.items()
    )
    return ", ".join([definition.type.value, *rules])


def _difference(needed: NeededField, schema: Mapping[str, Any], shown: Mapping[str, bool]) -> Difference | None:
    definition = needed.field.definition
    avro = own_field(schema, needed.name)
    if avro is None:
        if other := alike(schema, needed.name):
            reason = f"differs only in case from the field {other}; use the same spelling in both"
            return Difference(needed, Kind.type, reason)
        return Difference(needed, Kind.missing, "is not in the contract", definition)
    type_, default, rules = described(avro)
    here = FieldDefinition(needed.name, type_, default, rules)
    if _stored_as(type_) != _stored_as(definition.type):
        reason = f"is declared as {definition.type}, but the contract has {type_}, which cannot change"
        return Difference(needed, Kind.type, f"{reason}; declare it as that, or rename it")
    changed = [name for name in NAMES if name != "required" and not _same_rule(name, rules, definition.rules)]
    if rules.get("required") and needed.field.nullable:
        reason = "is required by the contract, but may be None; declare it without None"
        return Difference(needed, Kind.rules, reason)
    if changed:
        reason = f"is declared as {summary(definition)}, but the contract has {summary(here)}"
        return Difference(needed, Kind.rules, f"{reason}; change one of them")
    if needed.name not in shown:
        return Difference(needed, Kind.unshown, "is in the contract, but was never shown to readers", here)
    return None


def _same_rule(name: str, first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    if name == "oneOf":
        return set(first.get(name) or ()) == set(second.get(name) or ())
    return bool(first.get(name) == second.get(name))


def _stored_as(type_: FieldType) -> FieldType:
    """Return the type in which the values are stored.

    Types that differ only in how values are displayed map to the same type.
    """
    return FieldType.AlphaNumeric if type_ in _TEXTS else type_


def _check_case(name: str, event: type[AuditEvent], found: Mapping[str, NeededField]) -> None:
    other = next((known for known in found.values() if known.name.lower() == name.lower()), None)
    if other is not None:
        raise InvalidInput(
            f"The fields {other.name} of {other.events[0]} and {name} of {event.__name__} differ only in case.",
            field=name,
            fix="Use the same spelling in both.",
        )
