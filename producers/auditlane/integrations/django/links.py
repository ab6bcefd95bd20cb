"""Determines which links between objects a change to a many-to-many relation adds or removes."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

from django.db.models import ManyToManyField, Model

# Removed links are read while they exist: `clear` does not name them, and `remove` also names objects that were not
# linked.
VERBS: Final = {"post_add": True, "pre_remove": False, "pre_clear": False}  # whether links are added


def other_ends(
    field: ManyToManyField[Any, Any],
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
) -> list[Any]:
    """Return the ids of the objects that were linked or unlinked. Takes the arguments of the `m2m_changed` signal."""
    if VERBS[action]:
        return list(pk_set or ())
    near, far = field.m2m_field_name(), field.m2m_reverse_field_name()
    if reverse:
        near, far = far, near
    through: Any = field.remote_field.through
    links = through._base_manager.using(using).filter(**{near: instance.pk})
    if pk_set is not None:
        links = links.filter(**{f"{far}__in": pk_set})
    return list(links.values_list(through._meta.get_field(far).attname, flat=True))
