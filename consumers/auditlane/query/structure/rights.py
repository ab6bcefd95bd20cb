"""Which permissions a change of a field takes: how it is shown is configured, what an event must be is the contract."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from auditlane.access.permissions import Permission
from auditlane.query.structure.models import ChangedField
from auditlane.runtime.errors import Forbidden

_OF_CONTRACT: Final = frozenset({"type", "default", "rules", "exclusive"})
_SAID_AS_NULL: Final = frozenset({"default"})  # everywhere else null is: not said


def require(permissions: Collection[Permission], body: ChangedField) -> None:
    """Raise Forbidden that names each permission which is missing, with the attributes of the body that need it."""
    missing: dict[Permission, list[str]] = {}
    for name, permission in _needed(body):
        if permission not in permissions:
            missing.setdefault(permission, []).append(name)
    if missing:
        needs = " and ".join(f"{one} (needed for {', '.join(names)})" for one, names in missing.items())
        raise Forbidden(
            f"This credential lacks the permission {needs}. Nothing was changed.",
            field=next(iter(missing.values()))[0],
            fix="Leave these attributes out, or ask whoever issued the credential for one that may change them.",
        )


def _needed(body: ChangedField) -> Iterator[tuple[str, Permission]]:
    """Each attribute that is said, by its name in JSON, and what it takes."""
    for name, field in type(body).model_fields.items():
        if name in body.model_fields_set and (getattr(body, name) is not None or name in _SAID_AS_NULL):
            yield field.alias or name, Permission.contract if name in _OF_CONTRACT else Permission.configure
