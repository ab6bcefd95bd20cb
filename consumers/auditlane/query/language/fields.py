"""The fields that a query can name, and how each compares."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Final

from auditlane.query.language.tree import Field, Kind
from auditlane.query.values import choices
from auditlane.runtime.errors import InvalidFilter
from auditlane.store.presentation import DisplayType
from auditlane.store.structure_cache import Structure

Own = Callable[[], Mapping[str, Kind]]  # the tenant's own fields, asked for when they are needed
OwnOf = Callable[[str], Own]  # of which tenant

BASE: Final[Mapping[str, Kind]] = {
    "occurred_at": Kind.time,
    "action": Kind.text,
    "actor": Kind.text,  # by id or by name
    "actor_id": Kind.text,
    "actor_type": Kind.text,
    "actor_name": Kind.text,
    "on_behalf_of": Kind.text,
    "resource": Kind.text,
    "resource_id": Kind.text,
    "outcome": Kind.choice,
    "severity": Kind.ordinal,
    "description": Kind.text,
    "ip": Kind.ip,
    "user_agent": Kind.text,
    "request_id": Kind.text,
    "before": Kind.text,
    "after": Kind.text,
    "source": Kind.text,
    "event_id": Kind.id,
    "ingested_at": Kind.time,
    "provenance": Kind.choice,
    "provenance_id": Kind.text,
    "content_hash": Kind.text,
}
_OWN: Final = {
    DisplayType.Timestamp: Kind.time,
    DisplayType.Number: Kind.number,
    DisplayType.Boolean: Kind.boolean,
    DisplayType.IpAddress: Kind.ip,
}


def kind_of(display: DisplayType) -> Kind:
    """How the values of a tenant's own field compare."""
    return _OWN.get(display, Kind.text)


def no_fields() -> Mapping[str, Kind]:
    """Of a tenant of whose own fields nothing is known: they are `fields.<name>`."""
    return {}


def none_known(tenant: str) -> Own:
    """`no_fields` of every tenant."""
    return no_fields


def from_structure(of: Callable[[str], Structure]) -> OwnOf:
    """The own fields that tenants' data structures name."""
    return lambda tenant: lambda: {one.name: kind_of(one.display_type) for one in of(tenant).custom()}


def find(name: str, own: Mapping[str, Kind]) -> Field:
    """The field of this name. Raises InvalidFilter that lists those that there are."""
    if name in BASE:
        return Field(name, BASE[name])
    group, dot, key = name.partition(".")
    if group == "metadata" and dot and key:
        return Field(key, Kind.untyped, "metadata")
    if group == "fields" and dot and key:
        return Field(key, own.get(key, Kind.untyped), "fields")
    if name in own:
        return Field(name, own[name], "fields")
    known = [*BASE, "metadata.<key>", "fields.<name>", *own]
    close = difflib.get_close_matches(name.lower(), known, 1)
    meant = f"Did you mean {close[0]}? " if close else ""
    raise InvalidFilter(
        f"there is no field {name[:100]!r}",
        fix=f"{meant}Known fields: {', '.join(known)}.",
        reason="unknown_field",
        arguments={"field": name[:100], "meant": close[0] if close else "", "known": ", ".join(known)},
    )


def severity_rank(value: str) -> int:
    """The place of a severity among all."""
    return choices("severity").index(value)
