"""Permissions for a change to a field: `configure` for its presentation, and `contract` for its rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from auditlane.access.permissions import Permission
from auditlane.query.structure.models import ChangedField
from auditlane.runtime.errors import Forbidden

_OF_CONTRACT: Final = frozenset({"type", "default", "rules", "exclusive"})
_NULLABLE: Final = frozenset({"default"})  # null leaves every other attribute unchanged


def require(permissions: Collection[Permission], body: ChangedField) -> None:
    """Raise Forbidden, naming each missing permission and the attributes of the body that require it."""
    missing: dict[Permission, list[str]] = {}
    for name, permission in _needed(body):
        if permission not in permissions:
            missing.setdefault(permission, []).append(name)
    if missing:
        needs = " and ".join(f"{permission} (needed for {', '.join(names)})" for permission, names in missing.items())
        raise Forbidden(
            f"This credential lacks the permission {needs}. Nothing was changed.",
            field=next(iter(missing.values()))[0],
            fix="Omit these attributes, or use a credential that may change them.",
        )


def _needed(body: ChangedField) -> Iterator[tuple[str, Permission]]:
    """Yield the JSON name of each attribute that is set, and the permission that it requires."""
    for name, field in type(body).model_fields.items():
        if name in body.model_fields_set and (getattr(body, name) is not None or name in _NULLABLE):
            yield field.alias or name, Permission.contract if name in _OF_CONTRACT else Permission.configure
