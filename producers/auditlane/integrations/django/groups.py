"""Record changes to groups, memberships and permissions, after the commit."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from auditlane.integrations.django import rows
from auditlane.integrations.django.covered import cover
from auditlane.integrations.django.recording import record_after_commit, safely

_VERBS: Final = {"post_add": True, "post_remove": False, "pre_clear": False}  # whether links are added


def connect() -> None:
    """Connect the signals of groups and of the links between users, groups and permissions."""
    cover(Group)
    pre_save.connect(_before_save, sender=Group, dispatch_uid="auditlane.group")
    post_save.connect(_saved, sender=Group, dispatch_uid="auditlane.group")
    post_delete.connect(_deleted, sender=Group, dispatch_uid="auditlane.group")
    m2m_changed.connect(_group_permissions, sender=Group.permissions.through, dispatch_uid="auditlane.group")
    user_model: Any = get_user_model()
    if hasattr(user_model, "groups"):  # of PermissionsMixin
        m2m_changed.connect(_members, sender=user_model.groups.through, dispatch_uid="auditlane.members")
    if hasattr(user_model, "user_permissions"):
        through = user_model.user_permissions.through
        m2m_changed.connect(_user_permissions, sender=through, dispatch_uid="auditlane.permissions")


@safely
def _before_save(
    sender: type[Model], instance: Model, raw: bool, using: str, update_fields: Collection[str] | None, **_: object
) -> None:
    if not raw:
        rows.note_before(instance, using, update_fields, ())


@safely
def _saved(
    sender: type[Model],
    instance: Group,
    created: bool,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_: object,
) -> None:
    if raw:
        return
    changes = rows.changes_of(instance, update_fields, ())
    known = {"resource_id": str(instance.pk), "metadata": {"name": instance.name}}
    if created:
        record_after_commit(using, "group.created", **known)
    elif changes is None or changes:
        record_after_commit(using, "group.updated", **known, **(changes or {}))


@safely
def _deleted(sender: type[Model], instance: Group, using: str, **_: object) -> None:
    record_after_commit(using, "group.deleted", resource_id=str(instance.pk), metadata={"name": instance.name})


@safely
def _members(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    if action not in _VERBS:
        return
    event = "group.member_added" if _VERBS[action] else "group.member_removed"
    if reverse:  # group.user_set
        pairs = [(instance, user) for user in _ids(instance, "user_set", pk_set, using)]
    else:
        groups = Group._base_manager.using(using).filter(pk__in=_ids(instance, "groups", pk_set, using))
        pairs = [(group, instance.pk) for group in groups]
    for group, user in pairs:
        record_after_commit(using, event, resource_id=str(group.pk), metadata={"user": str(user), "name": group.name})


@safely
def _user_permissions(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    _permissions("user", "user_permissions", "user_set", instance, action, reverse, pk_set, using)


@safely
def _group_permissions(
    sender: Any, instance: Any, action: str, reverse: bool, pk_set: Collection[Any] | None, using: str, **_: object
) -> None:
    _permissions("group", "permissions", "group_set", instance, action, reverse, pk_set, using)


def _permissions(
    resource: str,
    forward: str,
    backward: str,
    instance: Any,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
) -> None:
    if action not in _VERBS:
        return
    event = "permission.granted" if _VERBS[action] else "permission.revoked"
    if reverse:  # permission.user_set, permission.group_set
        pairs: Iterable[tuple[Any, str]] = [(pk, _name(instance)) for pk in _ids(instance, backward, pk_set, using)]
    else:
        found = Permission._base_manager.using(using).filter(pk__in=_ids(instance, forward, pk_set, using))
        pairs = [(instance.pk, _name(permission)) for permission in found.select_related("content_type")]
    for holder, permission in pairs:
        record_after_commit(
            using, event, resource=resource, resource_id=str(holder), metadata={"permission": permission}
        )


def _ids(instance: Any, name: str, pk_set: Collection[Any] | None, using: str) -> list[Any]:
    """Return the ids at the other end; `clear()` does not name them, so they are read while they are still linked."""
    if pk_set is not None:
        return list(pk_set)
    return list(getattr(instance, name).using(using).values_list("pk", flat=True))


def _name(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
